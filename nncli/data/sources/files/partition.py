"""The files of one table, and the columns that the names of their folders stand for, as in year=2025/month=01."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote

import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted
from nncli.data.formats.streams import InputFile

MISSING = "__HIVE_DEFAULT_PARTITION__"
"""The value of a key that is missing in all rows of a folder."""


@dataclass(frozen=True)
class PartitionFile:
    """One of the files of a table. `label` is its path below the folder of the table, with / between the names.

    `keys` are the columns that its folders stand for, each with the value that it has in all rows of the file.
    """

    file: InputFile
    label: str
    keys: Mapping[str, str | None] = field(default_factory=dict)


def parts_of(files: Iterable[InputFile], folder: PurePosixPath) -> tuple[PartitionFile, ...]:
    """The files of a table in a folder, with the keys of the folders that they are directly in.

    Raises:
        DataError: two of the files differ in the names of their keys.
    """
    parts = []
    for file in files:
        path = PurePosixPath(file.name.replace("\\", "/"))
        label = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
        parts.append(PartitionFile(file, label, keys_of(path)))
    first = parts[0]
    for part in parts:
        if part.keys.keys() != first.keys.keys():
            raise DataError(
                f"the folders of this file name {_columns(part)}, those of {first.file.name} {_columns(first)}",
                location=Location(source=part.file.name),
                hint="Put all files of a table below folders of the same keys, such as year=2025/month=01.",
            )
    return tuple(parts)


def _columns(part: PartitionFile) -> str:
    return f"the column{'s' * (len(part.keys) > 1)} {join_quoted(part.keys)}" if part.keys else "no column"


def keys_of(file: PurePath) -> dict[str, str | None]:
    """The keys and values of the folders that a file is directly in, if their names are key=value."""
    keys: dict[str, str | None] = {}
    for name in reversed(file.parts[:-1]):
        key, equals, value = name.partition("=")
        if not (key and equals) or unquote(key) in keys:
            break
        keys[unquote(key)] = None if value == MISSING else unquote(value)
    return dict(reversed(keys.items()))


def key_types(parts: Sequence[PartitionFile]) -> dict[str, polars.DataType]:
    """The types of the keys: integers if all values are, else text."""
    types: dict[str, polars.DataType] = {}
    for key in parts[0].keys:
        values = [value for part in parts if (value := part.keys[key]) is not None]
        is_integer = bool(values) and all(_is_integer(value) for value in values)
        types[key] = polars.Int64() if is_integer else polars.String()
    return types


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18
