"""What is counted: requests, rows, anomalies, and profiles of the rows."""
