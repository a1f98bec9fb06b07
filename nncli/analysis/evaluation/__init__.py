"""Evaluate trained runs: held-out predictions, scores with confidence intervals, and comparisons."""
