"""Error messages for configurations: the location of each issue, a hint, and a suggested fix."""
