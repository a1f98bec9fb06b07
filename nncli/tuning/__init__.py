"""Search of hyperparameters: trials that are ordinary cross-validations, proposed by Optuna."""
