"""How a configuration is drawn up for a table: what is in it, and the YAML that says so."""
