"""Split rows into training and validation rows, or into folds: stratified, by group or by time."""
