"""Read and write tables: CSV, TSV, Parquet, JSON lines and data frames, whole or in chunks."""
