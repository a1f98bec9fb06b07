"""From a configuration to a finished run: prepare the data, train networks, and build ensembles."""
