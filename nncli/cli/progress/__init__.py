"""Progress of a training in the terminal: live view, plain lines or JSON events."""
