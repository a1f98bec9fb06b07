"""The Python API: one file per command, each a plain function."""
