"""The run directory: its only writer and reader."""
