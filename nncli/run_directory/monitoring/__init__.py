"""Drift: the reference profile of a run's training rows, profiles of new rows, and their comparison."""
