"""Exported files in the runtimes that they are for, one module for each; see nncli/exporters/formats.py."""
