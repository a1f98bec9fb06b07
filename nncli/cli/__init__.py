"""The command line; Typer and Rich are imported here alone.

Results go to standard output, everything else to standard error. NumPy, Polars and pydantic are imported inside the
bodies of commands, so that help is fast.
"""
