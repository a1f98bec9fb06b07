"""Search of hyperparameters: trials that are ordinary cross-validations, proposed by Optuna.

Optuna is imported here alone. A proposal depends on the seed, its number and earlier results, so that the files of a
search have the same bytes on any number of workers. Its report is written here, of the parts of analysis/report.
"""
