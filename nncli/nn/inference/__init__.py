"""The forward pass of a trained network, with everything that is constant computed once."""
