"""Presets: YAML files in this folder that supply defaults for what the user leaves out."""
