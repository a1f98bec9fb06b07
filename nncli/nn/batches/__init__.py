"""Encoded rows as a dataset, and shuffled mini-batches of it, in memory or on disk."""
