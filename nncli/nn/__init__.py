"""Neural networks: layers, activations, initializers, embeddings and losses over flat NumPy vectors."""
