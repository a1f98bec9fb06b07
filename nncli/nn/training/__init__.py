"""The training loop: batches, steps, early stopping and training state, on threads or compiled."""
