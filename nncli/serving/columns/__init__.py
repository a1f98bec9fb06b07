"""The columns that a model reads, as clients must know them, and rows of JSON that are read by them."""
