"""The models that are served: loading, replacing, and what clients must know of their columns."""
