"""A program as one file of C99; the .c files of this folder are parts that all of them share."""
