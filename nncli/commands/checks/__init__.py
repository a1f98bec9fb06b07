"""What is looked at before a training begins: a file for each theme, the table's put together in examination.py."""
