"""Drift: the reference profile of a run's training rows, and profiles of new rows."""
