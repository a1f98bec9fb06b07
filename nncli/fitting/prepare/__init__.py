"""Prepare a training: load, split, encode, resolve `auto` values and build the network."""
