"""Writing a table chunk by chunk: CSV, TSV, Parquet or JSON lines, to a file or standard output.

A file appears whole or not at all. Reading it gives the cells back: a CSV writes null as an empty cell and the
text "" as "" in quotes, which `read_table` reads alike; Parquet and JSON lines tell them apart. Numbers are
written with the fewest digits that read back as the same float32 or float64. JSON has no NaN: it becomes null.

Where formulas are escaped, a text that a spreadsheet would run gets an apostrophe before it, as OWASP advises against
CSV injection; a plain number among the texts, -3 say, is harmless and stays a number. Such a file is for spreadsheets.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, TypeAlias

import polars

from nncli.data.columns.parsing import WORDS
from nncli.data.dialect import COMMA
from nncli.data.io.formats import Format, format_of, separator_of
from nncli.data.io.streams import POLARS_ERRORS, is_stream
from nncli.errors import DataError, Location, UsageError
from nncli.text import join_quoted
from nncli.utils.atomic_files import atomic_writer, check_overwrite, open_device

# As many rows as Polars itself puts into a row group of a Parquet file.
ROW_GROUP = 262_144
FORMULA = r"^[=+\-@\t\r\n\x00＝＋－＠]"
"""How a text begins that a spreadsheet may take for a formula."""
PLAIN_NUMBER = r"^[+-]?[0-9.,]*[0-9][0-9.,]*([eE][+-]?[0-9]+)?$"
PLAIN_NAME = re.compile(r"[\w .%()+-]+")
STANDARD_OUTPUT = "standard output"
Writable: TypeAlias = IO[bytes] | gzip.GzipFile


class Sink(Protocol):
    """What chunks of a table are written to; all of them have the columns of the first."""

    def write(self, frame: polars.DataFrame) -> None:
        """Append the rows of `frame`.

        Raises:
            DataError: the columns are others than before, or hold what the format cannot.
        """


@dataclass
class Columns:
    """Remembers the columns of the first chunk, to refuse a chunk that has others."""

    source: str
    names: list[str] | None = None

    def begin(self, frame: polars.DataFrame) -> bool:
        """Whether `frame` is the first chunk."""
        if self.names is None:
            self.names = frame.columns
            return True
        if self.names != frame.columns:
            raise DataError(
                f"the columns change from {join_quoted(self.names)} to {join_quoted(frame.columns)} along the way",
                place=Location(source=self.source),
                hint="Give all rows of the input the same columns.",
            )
        return False


@dataclass
class DelimitedSink:
    """CSV or TSV, the header before the first rows."""

    file: Writable
    separator: str
    columns: Columns
    escape_formulas: bool = False

    def write(self, frame: polars.DataFrame) -> None:
        names = frame.columns
        first = self.columns.begin(frame)
        if self.escape_formulas:
            names = escaped(polars.Series(names, dtype=polars.String)).to_list()
            frame = frame.with_columns(escaped(cells) for cells in frame if cells.dtype in WORDS)
        # A line with nothing on it is an empty cell to nncli, but many readers skip it.
        null = '""' if frame.width == 1 else ""
        with refusals_explained(frame, self.columns.source):
            rows = frame.write_csv(include_header=False, separator=self.separator, null_value=null)
        if first:
            self.file.write(header(names, self.separator))
        self.file.write(rows.encode())


def header(names: list[str], separator: str) -> bytes:
    """The header line, in quotes unless every name is plain, so that it cannot be taken for anything else."""
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


def escaped(cells: polars.Series) -> polars.Series:
    """The texts, with an apostrophe before each that a spreadsheet would take for a formula."""
    texts = cells.cast(polars.String).alias("")  # Polars takes a name such as ^x$ for a pattern
    formulas = (texts.str.contains(FORMULA) & ~texts.str.contains(PLAIN_NUMBER)).fill_null(False)
    return ("'" + texts).zip_with(formulas, texts).alias(cells.name)


@dataclass
class JsonLinesSink:
    """One object per row."""

    file: Writable
    columns: Columns

    def write(self, frame: polars.DataFrame) -> None:
        self.columns.begin(frame)
        with refusals_explained(frame, self.columns.source):
            rows = frame.write_ndjson()
        self.file.write(rows.encode())


@dataclass
class ParquetSink:
    """Chunks are kept until they fill a row group, row groups as files of their own, joined in the end."""

    file: Writable
    folder: Path
    columns: Columns
    waiting: list[polars.DataFrame] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)

    def write(self, frame: polars.DataFrame) -> None:
        self.columns.begin(frame)
        self.waiting.append(frame)
        if sum(chunk.height for chunk in self.waiting) >= ROW_GROUP:
            self.spill()

    def spill(self) -> None:
        part = self.folder / f"{len(self.parts)}.parquet"
        rows = io.BytesIO()  # by itself Polars would call a full disk a fault of the file's format
        joined(self.waiting, self.columns.source).write_parquet(rows)
        self.made.append(part)
        part.write_bytes(rows.getbuffer())
        self.parts.append(part)
        self.waiting.clear()

    def finish(self) -> None:
        """Write the one file out of all parts."""
        if self.waiting:
            self.spill()
        if len(self.parts) > 1:
            whole = self.folder / "whole.parquet"
            self.made.append(whole)
            with refusals_explained(polars.DataFrame(), self.columns.source):
                polars.concat(map(polars.scan_parquet, self.parts), how="vertical_relaxed").sink_parquet(whole)
            self.parts = [whole]
        for part in self.parts:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, self.file, 1 << 20)

    def clear(self) -> None:
        """Remove the parts and their folder, as far as that can be done; they are named, as a listing may fail."""
        for part in self.made:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def joined(chunks: list[polars.DataFrame], source: str) -> polars.DataFrame:
    """The chunks as one frame; whole numbers become fractions where another chunk has these."""
    with refusals_explained(chunks[0], source):
        return polars.concat(chunks, how="vertical_relaxed")


@contextmanager
def refusals_explained(frame: polars.DataFrame, source: str) -> Iterator[None]:
    """Turn what Polars says about rows it cannot write into a DataError."""
    try:
        yield
    except POLARS_ERRORS as error:
        awkward = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == polars.Binary]
        raise DataError(
            f"the rows cannot be written: {str(error).splitlines()[0]}",
            place=Location(source=source, column=awkward[0] if awkward else None),
            hint="Write Parquet, which holds lists and objects too, or leave such columns out." if awkward else None,
        ) from error


@contextmanager
def open_sink(
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002
    force: bool = False,
    escape_formulas: bool = False,
) -> Iterator[Sink]:
    """Yield a sink for `path` (None: standard output, as CSV unless `format` says otherwise).

    The file gets its name when the block ends well and is left out when it fails. Devices and named pipes are
    written to directly. A .gz is compressed, and the same rows give the same bytes. A reader of standard output
    that goes away raises BrokenPipeError, which is left to the caller.

    Raises:
        UsageError: the file exists and `force` is false, or its name does not say a format; or formulas are to be
            escaped and it is no CSV.
        NncliError: the file cannot be written.
        DataError: from `Sink.write`, or at the end of a Parquet file whose chunks do not fit together.
    """
    direct = path is None or is_stream(path)
    chosen = format or (Format.CSV if path is None or direct else format_of(path))
    columns = Columns(STANDARD_OUTPUT if path is None else str(path))
    if escape_formulas and chosen is not Format.CSV:
        raise UsageError(
            "formulas are escaped in CSV and TSV alone",
            place=Location(source=columns.source),
            hint="Leave --escape-formulas out: no spreadsheet runs what is text in Parquet or JSON lines.",
        )
    with ExitStack() as stack:
        file: Writable
        if path is None:
            file = sys.stdout.buffer
        elif direct:
            file = stack.enter_context(open_device(path))
        else:
            check_overwrite(path, force=force)
            file = stack.enter_context(atomic_writer(path))
        if path is not None and path.suffix.lower() == ".gz":
            # Neither name nor time inside, which would differ from run to run.
            file = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0))
        match chosen:
            case Format.CSV:
                yield DelimitedSink(file, separator_of(path) or COMMA, columns, escape_formulas)
            case Format.JSONL:
                yield JsonLinesSink(file, columns)
            case Format.PARQUET:
                # Beside the file, where there is room for it, rather than in a folder that may be in memory.
                near = None if path is None or direct else path.parent
                sink = ParquetSink(file, Path(tempfile.mkdtemp(prefix=".nncli-", dir=near)), columns)
                stack.callback(sink.clear)
                yield sink
                sink.finish()
        file.flush()


def write_table(
    frame: polars.DataFrame,
    path: Path | None,
    *,
    format: Format | None = None,  # noqa: A002
    force: bool = False,
) -> None:
    """Write the whole of `frame`; see `open_sink` for what is raised."""
    with open_sink(path, format=format, force=force) as sink:
        sink.write(frame)
