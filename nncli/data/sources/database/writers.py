"""The choice of the class that writes to a database.

To write to another kind of database, write a subclass of DatabaseWriter in a new file and choose it here.
"""

from __future__ import annotations

from nncli.base.errors import Location, UsageError
from nncli.data.sources.database.address import DatabaseAddress, DatabaseKind
from nncli.data.sources.database.writer import DatabaseWriter, IfExists
from nncli.data.sources.table_source import TableSource


def writer_of(target: TableSource, if_exists: IfExists) -> DatabaseWriter:
    """The writer of the table that a target names; the database is not opened yet.

    Raises:
        UsageError: the URL is wrong, or no table is named.
    """
    kind = DatabaseAddress.of(target).kind
    if not target.table or target.query is not None:
        raise UsageError(
            "the output is a database, and no table is named",
            location=Location(source=target.path),
            hint="Name it with --table.",
        )
    # A driver is imported only if its database is written.
    if kind is DatabaseKind.POSTGRESQL:
        from nncli.data.sources.database.writer_postgresql import PostgresqlWriter

        return PostgresqlWriter(target, if_exists)
    if kind is DatabaseKind.MYSQL:
        from nncli.data.sources.database.writer_mysql import MysqlWriter

        return MysqlWriter(target, if_exists)
    if kind is DatabaseKind.DUCKDB:
        from nncli.data.sources.database.writer_duckdb import DuckdbWriter

        return DuckdbWriter(target, if_exists)
    from nncli.data.sources.database.writer_sqlite import SqliteWriter

    return SqliteWriter(target, if_exists)
