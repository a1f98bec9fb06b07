"""Encoders of table columns: numeric, categorical, date and text features, and targets."""
