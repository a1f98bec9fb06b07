"""Draft a configuration from a table: column kinds, target, loss and validation, with comments."""
