"""From a configuration to all that a training needs: rows read and encoded, what was left open chosen."""
