"""A run trained again: what it records, what differs now, and how the results compare."""
