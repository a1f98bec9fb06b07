"""The process: sockets, signals, the log."""
