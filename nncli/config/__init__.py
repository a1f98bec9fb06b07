"""The configuration: its schema, YAML reader and writer, presets, overrides and error messages.

Every mistake is named with its line and column, and with the key that was probably meant. A preset is a YAML file that
is merged below the user's, so that a run's config.yaml alone describes the training.
"""

RECORDS = MANIFEST, SEARCH = "manifest.json", "tune.json"
"""The files that the directory of a run and that of a search has beside its configurations."""
