"""The parts of a C source file: names, constants, statements, readers of cells; the .c files are the same for all."""
