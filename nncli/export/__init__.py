"""A trained model as a file for other runtimes: one module per target."""
