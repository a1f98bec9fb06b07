"""A training on its way to its end: how it is watched, told of, and written down."""
