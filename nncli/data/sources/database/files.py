"""The file of a local database."""

from __future__ import annotations

from nncli.data.io.streams import missing_file_hint
from nncli.data.sources.database.address import DatabaseAddress
from nncli.errors import DataError, Location


def check_database_file(address: DatabaseAddress) -> None:
    """Raise a DataError if there is no file at the address of a local database."""
    path, location = address.file, Location(source=address.url)
    if path.is_dir():
        raise DataError("this is a folder, not a database file", location=location, hint="Name a file inside it.")
    if not path.exists():
        raise DataError("there is no such database file", location=location, hint=missing_file_hint(path))
