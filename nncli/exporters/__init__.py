"""A trained model as a file for other runtimes: one folder per target.

A target prints a program (nncli/nn/program) and never looks at the model. What it prints is run in the runtime that it
is for and compared with `Model.predict`, number by number.
"""
