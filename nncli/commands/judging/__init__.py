"""How good runs are on rows that they did not train on, and in what they differ."""
