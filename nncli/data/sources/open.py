"""The reader of a table source.

To add a kind of source, write a subclass of TableReader in a new file and choose it here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from nncli.base import plugins
from nncli.base.errors import Location, UsageError
from nncli.base.plugins import NamedPart
from nncli.base.text import closest_match
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.partition import keys_of
from nncli.data.sources.files.several_files import FilesReader, names_several
from nncli.data.sources.files.single_file import open_file, selection_error
from nncli.data.sources.local_copies import copy_of
from nncli.data.sources.table_reader import TableReader
from nncli.data.sources.table_source import DATABASE_SCHEMES, STORE_SCHEMES, WEB_SCHEMES, TableSource


@dataclass(frozen=True)
class SourceKind(NamedPart):
    """A kind of source: the scheme of its addresses, such as mail for mail://inbox, and what opens one."""

    plugin_kind: ClassVar[str] = "sources"
    built_in: ClassVar[frozenset[str]] = frozenset((*WEB_SCHEMES, *STORE_SCHEMES, *DATABASE_SCHEMES))

    name: str
    open: Callable[[TableSource], TableReader]


def open_reader(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of a source, or of its local copy where there is one.

    Raises:
        UsageError: the source is of no known kind, or it does not say which table is meant.
    """
    return copy_of(source) or open_original(source, format)


def open_original(source: TableSource, format: Format | None = None) -> TableReader:  # noqa: A002
    """The reader of the source itself."""
    if source.scheme is not None:
        return _open_url(source, source.scheme, format)
    _refuse(source, "table", "query")  # `open_file` says which files have sheets
    path = None if source.is_standard_input else Path(source.path)
    # The folders of a single file, such as year=2025, may be columns that a model needs.
    if path is not None and (names_several(source.path) or (keys_of(path) and path.is_file())):
        return FilesReader.of(source.path, format, source.sheet, source.range)
    return open_file(InputFile.of(path), format, source.sheet, source.range)


def _open_url(source: TableSource, scheme: str, format: Format | None) -> TableReader:  # noqa: A002
    if scheme in DATABASE_SCHEMES:
        from nncli.data.sources.database.reader import DatabaseReader

        _refuse(source, "sheet", "range")
        return DatabaseReader.of(source)
    _refuse(source, "table", "query")
    if scheme in (*WEB_SCHEMES, *STORE_SCHEMES):
        from nncli.data.sources.remote.reader import remote_reader

        return remote_reader(source, format, lambda file: open_file(file, format, source.sheet, source.range))
    kind = plugins.find("sources", scheme)
    if kind is not None:
        return cast("TableReader", kind.open(source))
    near = closest_match(scheme, (*DATABASE_SCHEMES, *WEB_SCHEMES, *STORE_SCHEMES, *plugins.names("sources")))
    raise UsageError(
        f"{scheme}:// is no known kind of source",
        location=Location(source=source.path),
        hint=f"Did you mean {near}://?" if near else None,
    )


def _refuse(source: TableSource, *keys: str) -> None:
    """Raise the error of a key of the source that its kind of source does not have."""
    for key in keys:
        if getattr(source, key) is not None:
            raise selection_error(key, source.path)
