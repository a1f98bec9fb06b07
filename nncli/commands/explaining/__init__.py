"""What a model leans on, and why it says what it says."""
