"""Presets: configurations written out beside this file, for a person who wants to say no more than what to learn."""
