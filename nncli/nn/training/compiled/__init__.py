"""Training loops compiled by Numba, for networks that they support."""
