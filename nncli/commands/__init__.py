"""One file per command, a plain function each. This is the Python API too."""
