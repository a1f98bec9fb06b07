"""A trained run as a page to read: what it learned, from what, and how far to trust it."""
