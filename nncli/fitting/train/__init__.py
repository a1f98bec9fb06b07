"""Train one network, write its run directory, and resume it."""
