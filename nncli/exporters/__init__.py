"""A trained model as a program for other runtimes, and the interface of the formats that print one.

A format (nncli/integrations, or a plugin) prints a program (nncli/nn/program) and never looks at the model. What it
prints is run in the runtime that it is for and compared with `Model.predict`, number by number.
"""
