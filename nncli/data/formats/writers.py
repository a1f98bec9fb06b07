"""Write a table chunk by chunk to a file or standard output: CSV, TSV, Parquet, Arrow or JSON lines.

Files are written atomically. CSV writes null as an empty cell and the empty text as "" in quotes, which `read_table`
reads alike; Parquet and JSON lines distinguish them. Numbers are written with the fewest digits that give the same
float32 or float64 when read. JSON has no NaN: it becomes null.

Escaping formulas puts an apostrophe before text that a spreadsheet would run, as OWASP recommends against CSV
injection; text that is a plain number, such as -3, is not changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars

from nncli.base.atomic_files import atomic_writer, check_overwrite, open_device
from nncli.base.errors import Advice, Location, UsageError
from nncli.data.formats.compression import Writable, compression_of
from nncli.data.formats.file_format import load_format
from nncli.data.formats.registry import FileOptions, Format, writable_format
from nncli.data.formats.sinks import STANDARD_OUTPUT, Sink
from nncli.data.formats.streams import is_stream


@contextmanager
def open_sink(
    path: Path | None,
    options: FileOptions = FileOptions(),  # noqa: B008 - frozen
) -> Iterator[Sink]:
    """Yield a sink for `path` (None: standard output, as CSV unless the options have another format).

    The file appears when the block ends without an error. Devices and named pipes are written directly. A file called
    .gz, .zst, .bz2 or .xz is compressed, and the same rows give the same bytes. BrokenPipeError of standard output is
    not caught.

    Raises:
        UsageError: the file exists without `force`, its suffix is not that of a format, or an option is for
            CSV and the format is another one.
        NncliError: the file cannot be written.
        DataError: from `Sink.write`, or at the end if the chunks of a Parquet or Arrow file have incompatible types.
    """
    direct = path is None or is_stream(path)
    chosen = options.file_format or (Format.CSV if path is None or direct else writable_format(path))
    file_format = load_format(chosen)
    if options.text_option is not None and not file_format.is_delimited:
        raise UsageError(
            Advice(options.text_option, " is for CSV and TSV only"),
            location=Location(source=STANDARD_OUTPUT if path is None else str(path)),
            hint="Remove it: Parquet, Arrow and JSON lines have numbers, and text that is never run as a formula.",
        )
    with ExitStack() as stack:
        file: Writable
        if path is None:
            file = sys.stdout.buffer
        elif direct:
            file = stack.enter_context(open_device(path))
        else:
            check_overwrite(path, force=options.force)
            file = stack.enter_context(atomic_writer(path))
        if path is not None and (compression := compression_of(path.suffix)) is not None:
            file = stack.enter_context(compression.open_writer(file))
        with file_format.open_sink(file, path, options) as sink:
            yield sink
        file.flush()


def write_table(
    frame: polars.DataFrame,
    path: Path | None,
    options: FileOptions = FileOptions(),  # noqa: B008 - frozen
) -> None:
    """Write `frame`; raises the errors of `open_sink`."""
    with open_sink(path, options) as sink:
        sink.write(frame)
