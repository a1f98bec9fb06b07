"""CSV and TSV: dialect detection, strict parsing, and writing."""
