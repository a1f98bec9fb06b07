"""A model as a short list of operations, which other runtimes can compute."""
