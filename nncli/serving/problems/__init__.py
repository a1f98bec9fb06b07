"""Errors as answers, worded for clients."""
