"""The configuration: its schema, YAML reader and writer, presets, overrides and error messages."""
