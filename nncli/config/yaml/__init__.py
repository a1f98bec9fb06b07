"""Read and write YAML, with the source location of every value."""
