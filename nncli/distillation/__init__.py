"""A small network that learns the predictions of a run."""
