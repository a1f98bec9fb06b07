"""The file format of CSV and TSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, ClassVar

import polars

from nncli.data.columns.parsing import TEXT_TYPES
from nncli.data.dialect import COMMA, SEMICOLON, TAB
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.file_format import FileFormat
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions, suffix_of
from nncli.data.formats.sinks import ColumnCheck, Sink, Writable, translate_write_errors
from nncli.data.formats.streams import InputFile
from nncli.data.table import Table

SEPARATORS = {".csv": COMMA, ".tsv": TAB}
PARSERS = 2
"""Threads that parse blocks of a file. Polars has its own threads, but leaves cores idle between blocks."""


class CsvFormat(FileFormat):
    """The CSV format: text with a separator between cells."""

    is_delimited: ClassVar[bool] = True
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

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Yield a sink with the separator that the suffix of `path` implies."""
        separator, has_comma = separator_of(path) or COMMA, options.decimal == ","
        separator = SEMICOLON if has_comma and separator == COMMA else separator
        return nullcontext(
            DelimitedSink(file, separator, ColumnCheck.of(path), options.escape_formulas, decimal_comma=has_comma)
        )


def separator_of(path: PurePath | None) -> str | None:
    """The separator that the suffix of a file name implies; None for .txt and standard input."""
    return None if path is None else SEPARATORS.get(suffix_of(path))


FORMULA = r"^[=+\-@\t\r\n\x00＝＋－＠]"
"""Matches text that a spreadsheet may run as a formula."""
PLAIN_NUMBER = r"^[+-]?[0-9.,]*[0-9][0-9.,]*([eE][+-]?[0-9]+)?$"
PLAIN_NAME = re.compile(r"[\w .%()+-]+")


@dataclass
class DelimitedSink:
    """Writes CSV or TSV, with the header before the first rows."""

    file: Writable
    separator: str
    columns: ColumnCheck
    escape_formulas: bool = False
    decimal_comma: bool = False

    def write(self, frame: polars.DataFrame) -> None:
        names = frame.columns
        first = self.columns.begin(frame)
        if self.escape_formulas:
            names = escape_formulas(polars.Series(names, dtype=polars.String)).to_list()
            frame = frame.with_columns(escape_formulas(cells) for cells in frame if cells.dtype in TEXT_TYPES)
        # nncli reads an empty line as an empty cell, but many readers skip it.
        null = '""' if frame.width == 1 else ""
        with translate_write_errors(frame, self.columns.source):
            text = frame.write_csv(
                include_header=False, separator=self.separator, null_value=null, decimal_comma=self.decimal_comma
            )
        if first:
            self.file.write(csv_header(names, self.separator))
        self.file.write(text.encode())


def csv_header(names: list[str], separator: str) -> bytes:
    """The header line; names are quoted unless all of them are plain."""
    text = io.StringIO(newline="")
    plain = all(PLAIN_NAME.fullmatch(name) for name in names)
    writer = csv.writer(
        text,
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if plain else csv.QUOTE_ALL,
        lineterminator="\n",
    )
    writer.writerow(names)
    return text.getvalue().encode()


def escape_formulas(cells: polars.Series) -> polars.Series:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    texts = cells.cast(polars.String).alias("")  # Polars reads a name such as ^x$ as a pattern
    formulas = (texts.str.contains(FORMULA) & ~texts.str.contains(PLAIN_NUMBER)).fill_null(False)
    return ("'" + texts).zip_with(formulas, texts).alias(cells.name)
