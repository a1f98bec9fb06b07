"""The registry of file formats, and the inference of a format from a file name.

To add a format, write a subclass of FileFormat in a new file and add an entry here, or a part of nncli/integrations.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, ClassVar, Literal

from nncli.base import plugins
from nncli.base.errors import Location, UsageError, UseOption
from nncli.base.option import OUTPUT, Option, Options
from nncli.base.plugins import NamedPart
from nncli.base.text import closest_match
from nncli.data.formats.compression import SUFFIXES as COMPRESSION_SUFFIXES
from nncli.data.formats.compression import compression_of


@dataclass(frozen=True)
class FormatKind(NamedPart):
    """A format: the suffixes of its files, and its class, which is imported only when a table is read or written.

    One of a plugin has a `name`.

    `is_columnar` formats can be read from any row on; `is_compressed` ones are not compressed again; those that are not
    `is_written` can only be read.
    """

    plugin_kind: ClassVar[str] = "formats"

    suffixes: tuple[str, ...]
    location: str
    is_columnar: bool = False
    is_compressed: bool = False
    is_written: bool = True
    name: str = ""


class Format(StrEnum):
    """The format of a file, as `--format` names it."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"
    ARROW = "arrow"

    @classmethod
    def _missing_(cls, value: object) -> Format | None:
        """The format of a plugin."""
        if not isinstance(value, str) or plugins.find("formats", value) is None:
            return None
        return plugins.new_member(cls, value)

    @property
    def is_columnar(self) -> bool:
        """Whether rows can be read from anywhere in the file."""
        return FORMATS[self].is_columnar


BUILT_IN: dict[str, FormatKind] = {
    Format.CSV: FormatKind((".csv", ".tsv", ".txt"), "nncli.data.formats.csv.csv_format:CsvFormat"),
    Format.PARQUET: FormatKind(
        (".parquet", ".pq"), "nncli.data.formats.parquet:ParquetFormat", is_columnar=True, is_compressed=True
    ),
    Format.JSONL: FormatKind((".jsonl", ".ndjson"), "nncli.data.formats.jsonlines:JsonLinesFormat"),
    Format.ARROW: FormatKind(
        (".arrow", ".arrows", ".ipc", ".feather"), "nncli.data.formats.arrow:ArrowFormat", is_columnar=True
    ),
}
FormatKind.built_in = frozenset(BUILT_IN)
FORMATS: Mapping[str, FormatKind] = ChainMap(BUILT_IN, plugins.loaded("formats"))
"""Every format by its name, with those of plugins that are loaded."""


@dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """How a file of predictions is written."""

    format: Annotated[
        Format | str | None,
        Option(
            "Format of the output. Default: by its file name, else CSV.",
            OUTPUT,
            choices=tuple(str(name) for name, entry in BUILT_IN.items() if entry.is_written),
        ),
    ] = None
    force: Annotated[bool, Option("Replace an existing file.", OUTPUT)] = False
    escape_formulas: Annotated[
        bool,
        Option(
            "For spreadsheets, in CSV and TSV: put ' before text and column names that begin like a formula "
            "(= + - @, tab, line end). Plain numbers such as -3 are not changed.",
            OUTPUT,
        ),
    ] = False

    decimal: Annotated[
        Literal[".", ","],
        Option(
            "Decimal mark of numbers in CSV and TSV. With a comma, cells of a CSV are separated by semicolons.", OUTPUT
        ),
    ] = "."

    @property
    def text_option(self) -> UseOption | None:
        """An option that is given and that only CSV and TSV have."""
        if self.escape_formulas:
            return self.use("escape_formulas")
        return self.use("decimal") if self.decimal != "." else None

    @property
    def file_format(self) -> Format | None:
        """The format, if it is not that of the file's name."""
        return None if self.format is None else Format(self.format)


SUFFIXES = {suffix: Format(name) for name, entry in BUILT_IN.items() for suffix in entry.suffixes}
"""The suffixes of the formats above; those of other formats are found where they are defined."""
SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
"""Suffixes of workbooks, which are read by nncli/data/sources/workbook and never written."""
STREAM_SUFFIX = ".arrows"
"""The suffix of Arrow's stream format, of which files are only read."""
ZIP = ".zip"
DATABASES = {".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".duckdb": "duckdb", ".ddb": "duckdb"}
"""Usual suffixes of the files of databases, with the scheme of their URLs."""


def without_compression(path: PurePath) -> PurePath:
    """The path without a suffix of compression: train.csv for train.csv.gz."""
    return path.with_suffix("") if compression_of(path.suffix) is not None else path


def suffix_of(path: PurePath) -> str:
    """The suffix that determines the format, in lower case: .csv for train.CSV.gz."""
    return without_compression(path).suffix.lower()


def format_of_suffix(suffix: str) -> Format | None:
    """The format of files with a suffix, in lower case; None if it is that of no format."""
    if suffix in SUFFIXES or not suffix:
        return SUFFIXES.get(suffix)
    for load in (plugins.loaded, plugins.load_integrations, plugins.load_all):
        for name, entry in load("formats").items():
            if suffix in entry.suffixes:
                return Format(name)
    return None


def table_suffixes() -> tuple[str, ...]:
    """The suffixes of formats, built in or loaded."""
    plugins.load_integrations("formats")
    others = (suffix for entry in plugins.loaded("formats").values() for suffix in entry.suffixes)
    return tuple(dict.fromkeys((*SUFFIXES, *others)))


def format_of(path: PurePath) -> Format:
    """The format of a file according to its name, without a suffix of compression.

    Raises:
        UsageError: the suffix is unknown or missing, or it is one such as .parquet.gz.
    """
    suffix, place = suffix_of(path), Location(source=str(path))
    file_format = format_of_suffix(suffix)
    if file_format is None:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises when the name is too long
            raise UsageError("this is a folder, not a file", location=place, hint="Name a file inside it.")
        if suffix == ZIP:
            inner = path.stem if PurePath(path.stem).suffix.lower() in table_suffixes() else f"{path.stem}.csv"
            hint = f"Name it {inner}.gz, or another of {', '.join(COMPRESSION_SUFFIXES)}."
            raise UsageError("a .zip file can only be read, by that name", location=place, hint=hint)
        raise UsageError(
            f"the file type {suffix} is not supported" if suffix else "the file name does not tell the format",
            location=place,
            hint=_format_hint(path, suffix),
        )
    compression = path.suffix.lower()
    if FORMATS[file_format].is_compressed and compression_of(compression) is not None:
        hint = f"A {suffix} file is compressed already: leave out the {compression}."
        raise UsageError(f"a {suffix} file cannot be inside a {compression} file", location=place, hint=hint)
    return file_format


def database_hint(path: PurePath) -> str | None:
    """How to name a file whose suffix is usual for databases; None for another file."""
    scheme = DATABASES.get(path.suffix.lower())
    return None if scheme is None else f"The file of a database is named by a URL: {scheme}:///{path.as_posix()}"


MIN_SUFFIX = 3
"""The length of a suffix up to which a similar one is not suggested."""


def _format_hint(path: PurePath, suffix: str) -> str:
    """The hint for a file whose suffix is that of no format."""
    if (hint := database_hint(path)) is not None:
        return hint
    # Most pairs of two letters are similar: .py is no misspelled .pq.
    near = closest_match(suffix, table_suffixes()) if len(suffix) > MIN_SUFFIX else None
    return (
        ("Workbooks are read, not written. " if suffix in SPREADSHEETS else "")
        + (f"Did you mean {near}? " if near else "")
        + f"Supported are {', '.join(table_suffixes())}, those of text also with {', '.join(COMPRESSION_SUFFIXES)}; "
        + f"only read are {ZIP} and the workbooks {', '.join(SPREADSHEETS)}."
    )


def writable_format(path: PurePath) -> Format:
    """The format that is written to a file of this name.

    Raises:
        UsageError: as `format_of`, or files of this name are only read.
    """
    file_format, suffix = format_of(path), suffix_of(path)
    if suffix == STREAM_SUFFIX or not FORMATS[file_format].is_written:
        hint = "Name it .parquet or .arrow, which have the same types."
        raise UsageError(f"{suffix} files are only read", location=Location(source=str(path)), hint=hint)
    return file_format
