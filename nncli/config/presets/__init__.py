"""Presets: YAML files in this folder that are merged beneath what the user wrote."""
