"""What every room needs: errors, findings, text, frozen specifications, atomic files, threads, memory and logs.

It imports no other room, and at import neither NumPy nor Polars. A file is written whole or not at all: every writer of
nncli goes through atomic_files.py. Every error of nncli is a class in errors.py with one exit code.
"""
