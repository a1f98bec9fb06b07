"""What the user may write, and the one door through which YAML comes in."""
