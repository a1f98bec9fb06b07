"""The choice of the class for a database.

To add a kind of database, write subclasses of Database and Connection in a new file and choose them here.
"""

from __future__ import annotations

from nncli.data.sources.database.address import DatabaseAddress, DatabaseKind
from nncli.data.sources.database.database import Database
from nncli.data.sources.table_source import TableSource


def database_of(source: TableSource) -> Database:
    """The database that a source names, which is not opened yet.

    Raises:
        UsageError: the URL is wrong.
    """
    address = DatabaseAddress.of(source)
    # A driver is imported only if its database is read.
    if address.kind is DatabaseKind.POSTGRESQL:
        from nncli.data.sources.database.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(address)
    if address.kind is DatabaseKind.MYSQL:
        from nncli.data.sources.database.mysql import MysqlDatabase

        return MysqlDatabase(address)
    if address.kind is DatabaseKind.DUCKDB:
        from nncli.data.sources.database.duckdb import DuckdbDatabase

        return DuckdbDatabase(address)
    from nncli.data.sources.database.sqlite import SqliteDatabase

    return SqliteDatabase(address)
