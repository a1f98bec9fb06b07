"""A trained model as a file for other runtimes: one folder per target."""
