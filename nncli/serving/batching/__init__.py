"""Requests that wait for predictions, answered in batches on threads."""
