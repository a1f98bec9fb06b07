"""The Python API: one file per command, each a plain function.

The command line and the server parse and show; what a command does is here. No function prints.
"""
