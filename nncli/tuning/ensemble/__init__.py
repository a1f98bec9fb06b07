"""An ensemble of the best trials."""
