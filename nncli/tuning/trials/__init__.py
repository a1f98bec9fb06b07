"""Trials: their trainings, results and files, and pruning."""
