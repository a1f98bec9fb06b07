"""Write a table chunk by chunk to a file or standard output: CSV, TSV, Parquet or JSON lines.

A file appears whole or not at all. Reading it gives the cells back: a CSV writes null as an empty cell and the
text "" as "" in quotes, which `read_table` reads alike; Parquet and JSON lines tell them apart. Numbers are
written with the fewest digits that read back as the same float32 or float64. JSON has no NaN: it becomes null.

Where formulas are escaped, a text that a spreadsheet would run gets an apostrophe before it, as OWASP advises against
CSV injection; a plain number among the texts, -3 say, is harmless and stays a number. Such a file is for spreadsheets.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars

from nncli.data.io.formats import Format, format_of
from nncli.data.io.sinks import STANDARD_OUTPUT, Sink, Writable
from nncli.data.io.streams import is_stream
from nncli.errors import Location, UsageError
from nncli.utils.atomic_files import atomic_writer, check_overwrite, open_device


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
    file_format = chosen.load()
    if escape_formulas and not file_format.escapes_formulas:
        raise UsageError(
            "formulas are escaped in CSV and TSV alone",
            place=Location(source=STANDARD_OUTPUT if path is None else str(path)),
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
        with file_format.open_sink(file, path, escape_formulas=escape_formulas) as sink:
            yield sink
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
