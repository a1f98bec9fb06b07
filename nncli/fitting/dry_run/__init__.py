"""A training on trial: its table, the size of its network, and a few steps, without a run directory."""
