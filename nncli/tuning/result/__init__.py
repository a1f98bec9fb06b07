"""What a search found: the gain, the importance of parameters, the summary."""
