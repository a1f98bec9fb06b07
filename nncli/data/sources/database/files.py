"""The file of a local database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nncli.base.errors import DataError, Location
from nncli.data.formats.streams import missing_file_hint
from nncli.data.sources.database.address import DatabaseAddress


def check_database_file(address: DatabaseAddress) -> None:
    """Raise a DataError if there is no file at the address of a local database."""
    path, location = address.file, Location(source=address.url)
    if path.is_dir():
        raise DataError("this is a folder, not a database file", location=location, hint="Name a file inside it.")
    if not path.exists():
        raise DataError("there is no such database file", location=location, hint=missing_file_hint(path))


@contextmanager
def new_file_removed_on_error(address: DatabaseAddress) -> Iterator[None]:
    """Remove the file of a local database if it was created in the block, and the block fails."""
    path = address.file
    if path.exists():
        yield
        return
    try:
        yield
    except BaseException:
        for name in (path.name, f"{path.name}.wal", f"{path.name}-journal"):
            Path(path.parent, name).unlink(missing_ok=True)
        raise
