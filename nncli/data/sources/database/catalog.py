"""The tables of a database: listing them, and finding the one that a source names."""

from __future__ import annotations

from collections.abc import Sequence

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.sources.database.database import DatabaseTable, database_of
from nncli.data.sources.database.retry import with_retries
from nncli.data.sources.table_source import TableSource


def tables_of(source: TableSource) -> tuple[DatabaseTable, ...]:
    """The tables and views of the database that a source names, in alphabetical order, with their columns.

    Raises:
        UsageError: the URL is wrong, or the driver is not installed.
        DataError: the database cannot be read.
    """

    def read() -> tuple[DatabaseTable, ...]:
        with database_of(source).connect() as connection:
            return connection.tables()

    return with_retries(read)


def find_table(tables: Sequence[DatabaseTable], source: TableSource) -> DatabaseTable:
    """The table that a source names, spelled as in the database or as in SQL; the only one if it names none.

    Raises:
        UsageError: the source names none of several tables.
        DataError: there is no such table; the hint names the closest match.
    """
    if source.table is None and len(tables) == 1:
        return tables[0]
    location = Location(source=source.path)
    names = [table.name for table in tables]
    listing = f"The tables are {join_quoted(names, max_words=20)}." if names else "The database has no tables."
    if source.table is None:
        raise UsageError(
            "the database has tables, and none is named" if names else "the database has no tables",
            location=location,
            hint=f"Name one with --table (data.table), or write a --query (data.query). {listing}" if names else None,
        )
    found = next((table for table in tables if source.table in (table.name, table.sql_name)), None)
    if found is None:
        near = closest_match(source.table, names)
        raise DataError(
            f"there is no table {quote(source.table)}",
            location=location,
            hint=f"Did you mean {quote(near)}?" if near else listing,
        )
    return found
