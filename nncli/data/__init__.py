"""Tables: reading, storing, splitting and encoding them. Knows nothing of networks."""
