"""Tables in files: one, several as one, and .zip files with a table."""
