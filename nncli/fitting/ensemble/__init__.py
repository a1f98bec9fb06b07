"""Train ensembles and cross-validations, and compute their out-of-fold predictions."""
