"""Neural networks: what a network is, how it learns, and how a trained one is computed.

Layers, activations, initializers, embeddings and losses over flat NumPy vectors; optimizers, batches and training; the
pass of prediction; a model as a program. Knows nothing of tables, files, YAML or terminals. A training step allocates
nothing, a row's bits depend on the row alone, and the same configuration, data and seed give the same bits.
"""
