"""The run directory: the only code that writes and reads it."""
