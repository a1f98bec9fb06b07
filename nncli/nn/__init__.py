"""What a network is: layers, losses, optimizers, schedules over flat NumPy vectors. Knows no tables, files, YAML."""
