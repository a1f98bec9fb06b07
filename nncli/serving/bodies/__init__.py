"""Bodies of requests as tables, within the limits of their size."""
