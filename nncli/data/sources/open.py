"""The reader of a table source.

To add a kind of source, write a subclass of TableReader in a new file and choose it here.
"""

from __future__ import annotations

from pathlib import Path

from nncli.base.errors import Location, UsageError
from nncli.base.text import closest_match
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.database.address import SCHEMES as DATABASE_SCHEMES
from nncli.data.sources.files.partition import keys_of
from nncli.data.sources.files.several_files import FilesReader, names_several
from nncli.data.sources.files.single_file import open_file, selection_error
from nncli.data.sources.local_copies import copy_of
from nncli.data.sources.remote.stores import SCHEMES as STORE_SCHEMES
from nncli.data.sources.table_reader import TableReader
from nncli.data.sources.table_source import TableSource

REMOTE_SCHEMES = ("http", "https", "hf", *STORE_SCHEMES)
"""Schemes of files on servers."""
SCHEMES = (*DATABASE_SCHEMES, *REMOTE_SCHEMES)


def open_reader(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of a source, or of its local copy where there is one.

    Raises:
        UsageError: the source is of no known kind, or it does not say which table is meant.
    """
    return copy_of(source) or open_original(source, format)


def open_original(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of the source itself."""
    is_database = source.scheme in DATABASE_SCHEMES
    for key in ("sheet", "range") if is_database else ("table", "query"):  # `open_file` says which files have sheets
        if getattr(source, key) is not None:
            raise selection_error(key, source.path)
    if is_database:
        from nncli.data.sources.database.reader import DatabaseReader

        return DatabaseReader.of(source)
    if source.scheme in REMOTE_SCHEMES:
        from nncli.data.sources.remote.reader import remote_reader

        return remote_reader(source, format, lambda file: open_file(file, format, source.sheet, source.range))
    if source.scheme is not None:
        near = closest_match(source.scheme, SCHEMES)
        raise UsageError(
            f"{source.scheme}:// is no known kind of source",
            location=Location(source=source.path),
            hint=f"Did you mean {near}://?" if near else None,
        )
    path = None if source.is_standard_input else Path(source.path)
    # The folders of a single file, such as year=2025, may be columns that a model needs.
    if path is not None and (names_several(source.path) or (keys_of(path) and path.is_file())):
        return FilesReader.of(source.path, format, source.sheet, source.range)
    return open_file(InputFile.of(path), format, source.sheet, source.range)
