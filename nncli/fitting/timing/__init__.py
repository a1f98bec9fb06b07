"""How long a training takes, from a few steps, and what fits into a time limit."""
