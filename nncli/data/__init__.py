"""What a table is, and how it becomes numbers and back. Knows nothing of networks."""
