"""Networks trained side by side: the members of an ensemble, the folds of a cross-validation."""
