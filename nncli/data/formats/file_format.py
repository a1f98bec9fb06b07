"""The interface of a file format: how its tables are read and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import IO, ClassVar

import polars

from nncli.base import plugins
from nncli.base.errors import Location, UsageError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FORMATS, FileOptions, Format
from nncli.data.formats.sinks import STANDARD_OUTPUT, Sink, Writable
from nncli.data.formats.streams import InputFile, open_input
from nncli.data.table import Table, replace_na_values


class FileFormat(ABC):
    """How tables of one format are read and written. A subclass is named in registry.py."""

    is_delimited: ClassVar[bool] = False
    """Whether files are text with a separator, in which numbers have a decimal mark, and spreadsheets run formulas."""

    has_lists: ClassVar[bool] = True
    """Whether a cell may be a list."""

    @abstractmethod
    def detects(self, head: bytes) -> bool:
        """Whether a stream that begins with these 16 bytes (or fewer) is of this format."""

    def count_rows(self, file: InputFile) -> int | None:
        """The number of rows of a regular file, if it is stored in the file.

        Raises:
            DataError: the file cannot be read, or is not of this format.
        """
        return None

    def read_schema(self, file: InputFile) -> polars.Schema | None:
        """The types of the columns of a regular file, if they are stored in the file.

        Raises:
            DataError: the file cannot be read, or is not of this format.
        """
        return None

    def read_file(self, file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a regular file; at least one, if of no rows.

        Raises:
            DataError: the file cannot be read, or is not of this format.
        """
        with open_input(file.path, file.name) as (_, stream):
            yield from self.read_stream(stream, file, options)

    @abstractmethod
    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a stream of bytes, which are those of `file`, decompressed.

        Raises:
            DataError: the stream cannot be read, or is not of this format.
        """

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Yield a sink that writes to `file`, which becomes `path` (None: standard output).

        Raises:
            UsageError: the format is only read.
        """
        place = Location(source=STANDARD_OUTPUT if path is None else str(path))
        hint = "Write Parquet or Arrow, which have the same types."
        raise UsageError("files of this format are only read", location=place, hint=hint)


def as_tables(frames: Iterable[tuple[int, polars.DataFrame]], file: InputFile, options: ReadOptions) -> Iterator[Table]:
    """Yield frames of typed columns, each with the number of its first row, as tables."""
    dialect = (options.training_dialect or options.dialect).resolved()
    for first_row, frame in frames:
        yield Table(replace_na_values(frame, options.missing_values), file.name, first_row, dialect=dialect)


def load_format(format: Format) -> FileFormat:  # noqa: A002
    """The class of a format, which is imported now."""
    module, _, name = FORMATS[format].location.partition(":")
    file_format: FileFormat = getattr(import_module(module), name)()
    return file_format


def detect_format(head: bytes) -> Format:
    """The format of a stream without a file name, from its first bytes; CSV if no other format matches."""
    plugins.load_integrations("formats")
    others = (name for name in (*map(Format, plugins.loaded("formats")), *Format) if name is not Format.CSV)
    return next((name for name in others if load_format(name).detects(head)), Format.CSV)
