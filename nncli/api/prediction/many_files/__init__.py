"""Predict many files, each as a task: names of outputs, and the record of what is done."""
