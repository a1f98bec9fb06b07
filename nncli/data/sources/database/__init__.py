"""Tables and queries of PostgreSQL, MySQL, SQLite and DuckDB, one file each behind one interface."""
