"""How a network learns: batches, steps, metrics, stopping. Knows nothing of files or screens."""
