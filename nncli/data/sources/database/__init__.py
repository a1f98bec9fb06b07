"""Tables and queries of databases: PostgreSQL, MySQL, SQLite and DuckDB, one file each behind one interface."""
