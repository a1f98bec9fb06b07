"""Tables: where they are, how they are read, stored, split and encoded. Knows nothing of networks and targets.

What is clear is read, what is not is refused where it stands; no cell is read as another value without a note. A table
is read once, in blocks; memory does not grow with its rows. Validation rows never reach a fitted encoder.
"""
