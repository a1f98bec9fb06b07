"""Training a run again, and comparing the result with what the run records."""
