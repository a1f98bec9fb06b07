"""The command line: Typer commands, and Rich for progress and tables. No other package imports these two."""
