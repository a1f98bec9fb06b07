"""A program as a page with a form."""
