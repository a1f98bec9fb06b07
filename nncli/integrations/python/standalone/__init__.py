"""What an exported Python file has besides the program: cells, tables and a command line."""
