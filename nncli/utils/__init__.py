"""Utilities: atomic files, logging, medians, memory and thread limits."""
