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
    _check_selection(source)
    if source.scheme in DATABASE_SCHEMES:
        from nncli.data.sources.database.reader import DatabaseReader

        return DatabaseReader.of(source)
    if source.scheme in REMOTE_SCHEMES:
        from nncli.data.sources.remote.reader import remote_reader

        return remote_reader(source, format, lambda file: _open_file(file, source, format))
    if source.scheme is not None:
        near = closest_match(source.scheme, SCHEMES)
        raise UsageError(
            f"{source.scheme}:// is no known kind of source",
            location=Location(source=source.path),
            hint=f"Did you mean {near}://?" if near else None,
        )
    if not source.is_standard_input and (names_several(source.path) or _has_keys(source.path)):
        return FilesReader.of(source.path, format, source.sheet, source.range)
    return _open_file(InputFile.of(None if source.is_standard_input else Path(source.path)), source, format)


def _open_file(file: InputFile, source: TableSource, format: Format | None) -> TableReader:  # noqa: A002
    """The reader of the source, which is one file, at present at `file`."""
    return open_file(file, format, source.sheet, source.range)


def _has_keys(path: str) -> bool:
    """Whether a file is in a folder such as year=2025, which a model may need as a column."""
    return bool(keys_of(Path(path))) and Path(path).is_file()


def _check_selection(source: TableSource) -> None:
    """Raise a UsageError if the source selects a sheet of a database, or a table of what is none.

    `open_file` checks that only workbooks have sheets: a folder may hold some.
    """
    is_database = source.scheme in DATABASE_SCHEMES
    for key in ("sheet", "range") if is_database else ("table", "query"):
        if getattr(source, key) is not None:
            raise selection_error(key, source.path)
