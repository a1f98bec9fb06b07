"""The reader of a table source.

To add a kind of source, write a subclass of TableReader in a new file and choose it here.
"""

from __future__ import annotations

from pathlib import Path

from nncli.data.io.formats import Format
from nncli.data.io.input_file import InputFile
from nncli.data.sources.database.address import SCHEMES as DATABASE_SCHEMES
from nncli.data.sources.file import FileReader
from nncli.data.sources.local_copies import copy_of
from nncli.data.sources.reader import TableReader
from nncli.data.sources.table_source import TableSource
from nncli.errors import Location, UsageError
from nncli.text import closest_match

SCHEMES = (*DATABASE_SCHEMES,)


def open_reader(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of a source, or of its local copy where there is one.

    Raises:
        UsageError: the source is of no known kind, or it does not say which table is meant.
    """
    return copy_of(source) or open_original(source, format)


def open_original(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of the source itself."""
    if source.scheme in DATABASE_SCHEMES:
        from nncli.data.sources.database.reader import DatabaseReader

        return DatabaseReader.of(source)
    if source.scheme is not None:
        near = closest_match(source.scheme, SCHEMES)
        raise UsageError(
            f"{source.scheme}:// is no known kind of source",
            location=Location(source=source.path),
            hint=f"Did you mean {near}://?" if near else None,
        )
    return FileReader(InputFile.of(None if source.is_standard_input else Path(source.path)), format)
