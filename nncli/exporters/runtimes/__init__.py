"""Exported files in the runtimes that they are for: one module per runtime, see nncli/exporters/targets.py."""
