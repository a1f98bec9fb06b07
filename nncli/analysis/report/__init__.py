"""HTML reports, model cards and comparisons of runs."""
