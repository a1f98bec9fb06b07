"""The search space: parameters, the keys that they set, and what is wrong with them."""
