"""Refuse an output that would replace a file or an object that the table is read from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nncli.base.errors import Location, UsageError
from nncli.data.sources.database.address import DatabaseAddress
from nncli.data.sources.files.paths import find_files
from nncli.data.sources.table_source import LOCAL_DATABASES, TableSource


def check_input_kept(source: TableSource, target: Path | TableSource | None, *, option: str = "-o") -> None:
    """Raise an error if the file or object `target`, which `option` names, is among those that the source names.

    Raises:
        UsageError: it is, or a pattern matches both files and folders.
        DataError: the source names no file, or its object store cannot be reached.
    """
    is_read = _is_object_of(source, target) if isinstance(target, TableSource) else _is_file_of(source, target)
    if is_read:
        raise UsageError(
            "the output would replace the table that it is made from",
            location=Location(source=target.path if isinstance(target, TableSource) else str(target)),
            hint=f"Name another one with {option}.",
        )


def is_same_database(source: TableSource, other: TableSource) -> bool:
    """Whether two sources name one database by the same URL, or by the same local file."""
    if source.path == other.path:
        return True
    if source.scheme != other.scheme or source.scheme not in LOCAL_DATABASES:
        return False
    return _is_same_file(DatabaseAddress.of(source).file, DatabaseAddress.of(other).file)


def _is_file_of(source: TableSource, target: Path | None) -> bool:
    """Whether an existing file is one that the source names."""
    return target is not None and target.is_file() and any(_is_same_file(file, target) for file in _files_of(source))


def _files_of(source: TableSource) -> Sequence[Path]:
    """The local files that a source names."""
    if source.scheme in LOCAL_DATABASES:
        return (DatabaseAddress.of(source).file,)
    return () if source.local_path is None else find_files(source.path).files


def _is_same_file(file: Path, other: Path) -> bool:
    return file.exists() and other.exists() and file.samefile(other)


def _is_object_of(source: TableSource, target: TableSource) -> bool:
    """Whether an object is one that the source names."""
    from nncli.data.sources.remote.listing import find_objects, names_several_objects
    from nncli.data.sources.remote.stores import SCHEMES, ObjectUrl

    if source.scheme not in SCHEMES or target.scheme not in SCHEMES:
        return False
    read, written = ObjectUrl.parse(source.path), ObjectUrl.parse(target.path)
    if (read.scheme, read.bucket) != (written.scheme, written.bucket):
        return False
    if read.account and written.account and read.account != written.account:
        return False
    if not names_several_objects(read):
        return read.key == written.key
    # A listing may take long: it is left out where the key cannot match.
    could_match = written.key.startswith(re.split(r"[*?[]", read.key)[0])
    return could_match and written.key in find_objects(read).keys
