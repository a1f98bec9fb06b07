"""The file format of CSV and TSV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, ClassVar

from nncli.data.dialect import COMMA, TAB
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.csv.writer import DelimitedSink
from nncli.data.formats.file_format import FileFormat
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions, suffix_of
from nncli.data.formats.sinks import ColumnCheck, Sink, Writable
from nncli.data.table import Table

SEPARATORS = {".csv": COMMA, ".tsv": TAB}
PARSERS = 2
"""Threads that parse blocks of a file. Polars has its own threads, but leaves cores idle between blocks."""


class CsvFormat(FileFormat):
    """The CSV format: text with a separator between cells."""

    escapes_formulas: ClassVar[bool] = True
    has_lists: ClassVar[bool] = False

    def detects(self, head: bytes) -> bool:
        """True: any text may be CSV, so this format is asked last."""
        return True

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for each block of text."""
        workers = 0 if file.is_stream else PARSERS
        return read_delimited(
            stream, file.name, options, default_separator=separator_of(file.pure_path), workers=workers
        )

    @contextmanager
    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> Iterator[Sink]:
        """Yield a sink with the separator that the suffix of `path` implies."""
        yield DelimitedSink(file, separator_of(path) or COMMA, ColumnCheck.of(path), options.escape_formulas)


def separator_of(path: PurePath | None) -> str | None:
    """The separator that the suffix of a file name implies; None for .txt and standard input."""
    return None if path is None else SEPARATORS.get(suffix_of(path))
