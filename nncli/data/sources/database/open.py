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
    if address.kind is DatabaseKind.POSTGRESQL:
        from nncli.data.sources.database.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(address)
    from nncli.data.sources.database.sqlite import SqliteDatabase

    return SqliteDatabase(address)
