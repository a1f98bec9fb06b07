"""Predict many files, each into a file of its own: their names, what is done already, and one file as a task."""
