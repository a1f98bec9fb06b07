"""Predictions for tables: of a frame, chunk by chunk, into a file, and of many files."""
