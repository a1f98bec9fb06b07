"""Read and write Arrow IPC files, which are also called Feather, and read Arrow IPC streams."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

import polars

from nncli.data.formats.arrow_messages import (
    CONTINUATION,
    END_OF_STREAM,
    FILE_MAGIC,
    ArrowError,
    Message,
    MessageType,
    read_batch_heights,
    read_messages,
)
from nncli.data.formats.compression import CompressionError
from nncli.data.formats.file_format import FileFormat, as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.sinks import Sink, Writable, open_part_sink
from nncli.data.formats.streams import (
    NOT_TEXT,
    InputFile,
    open_input,
    peek,
    to_temporary_file,
    translate_damage,
    translate_os_errors,
    wrong_format,
)
from nncli.data.table import Table

FEATHER_1 = b"FEA1"
GROUP_BYTES = 8 << 20
"""Bytes of batches that are parsed together; a larger batch is parsed alone."""


class ArrowFormat(FileFormat):
    """Arrow's interprocess format: typed columns, in batches of rows."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins as an Arrow file or an Arrow stream does."""
        return head.startswith((FILE_MAGIC, CONTINUATION))

    def count_rows(self, file: InputFile) -> int | None:
        """The number of rows of a file, from its index; None for a stream, or a compressed file."""
        with _open_file(file) as content:
            return None if content is None else sum(read_batch_heights(content))

    def read_schema(self, file: InputFile) -> polars.Schema | None:
        """The types of the columns of a file; None for a stream, or a compressed file."""
        with _open_file(file) as content:
            return None if content is None else polars.Schema(polars.read_ipc_schema(file.path or ""))

    def read_file(self, file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for some batches of rows, or one table of all rows."""
        assert file.path is not None, "standard input is read as a stream"
        with open_input(file.path, file.name) as (head, stream):
            if head.startswith(FILE_MAGIC) and stream.seekable():
                yield from as_tables(read_arrow_file(file.path, file.name, options.rows), file, options)
            else:
                yield from self.read_stream(stream, file, options)

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a stream of Arrow, or of a file of Arrow, which is copied to a temporary file first."""
        head, stream = peek(stream)
        if head.startswith(FILE_MAGIC):
            with to_temporary_file(stream) as copy:
                yield from as_tables(read_arrow_file(copy, file.name, options.rows), file, options)
        elif head.startswith(CONTINUATION):
            yield from as_tables(read_arrow_stream(stream, file.name, whole=options.rows is None), file, options)
        else:
            is_old = head.startswith(FEATHER_1)
            hint = "It is Feather of version 1: write it again, in version 2." if is_old else NOT_TEXT
            raise wrong_format("this is neither an Arrow file nor an Arrow stream", head, file.name, hint)

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Yield a sink that joins its batches into a file at the end."""
        return open_part_sink(ArrowParts(), file, path)


@contextmanager
def _open_file(file: InputFile) -> Iterator[IO[bytes] | None]:
    """Yield the content of a file with an index, and translate errors about it; None if it is a stream."""
    assert file.path is not None, "standard input is read as a stream"
    with translate_os_errors(file.path, file.name), file.path.open("rb") as content:
        is_file = content.read(len(FILE_MAGIC)) == FILE_MAGIC
        with _translate_errors(file.name):
            yield content if is_file else None


class ArrowParts:
    """Writes Arrow files and joins them. They have no types that readers of older versions do not know."""

    def write(self, frame: polars.DataFrame, file: IO[bytes]) -> None:
        frame.write_ipc(file, compat_level=polars.CompatLevel.oldest())

    def join(self, parts: list[Path], joined: Path) -> None:
        rows = polars.concat(map(polars.scan_ipc, parts), how="vertical_relaxed")
        rows.sink_ipc(joined, compat_level=polars.CompatLevel.oldest())


def read_arrow_file(path: Path, source: str, rows: int | None) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row and the rows: batches of at least `rows` rows together, or all rows if None.

    Raises:
        DataError: the file is damaged.
    """
    with _translate_errors(source):
        scan = polars.scan_ipc(path, glob=False, hive_partitioning=False)
        with path.open("rb") as file:
            heights = [*read_batch_heights(file)]
        first = height = 0
        for i, n in enumerate(heights or [0]):
            height += n
            if i + 1 >= len(heights) or (rows is not None and height >= rows):
                frame = (scan if rows is None else scan.slice(first, height)).collect()
                yield first + 1, frame
                first, height = first + height, 0


def read_arrow_stream(stream: IO[bytes], source: str, *, whole: bool) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row and the rows, some batches at a time, or all of them.

    Raises:
        DataError: the stream is damaged.
    """
    row = 1
    with _translate_errors(source):
        for group in _groups(read_messages(stream), None if whole else GROUP_BYTES):
            frame = polars.read_ipc_stream(io.BytesIO(b"".join((*group, END_OF_STREAM))))
            yield row, frame
            row += frame.height


def _translate_errors(source: str) -> AbstractContextManager[None]:
    """Translate errors about a file to DataErrors."""
    return translate_damage("the Arrow file", source, ArrowError, CompressionError)


def _groups(messages: Iterator[Message], size: int | None) -> Iterator[list[bytes]]:
    """Yield the batches of rows in groups of about `size` bytes, each behind the schema and the dictionaries it needs.

    All batches are in one group if `size` is None and no dictionary changes. Without a batch there is one empty group.
    """
    schema = next(messages, None)
    if schema is None or schema.kind != MessageType.SCHEMA:
        raise ArrowError("the first message is no schema")
    dictionaries: dict[int, list[bytes]] = {}
    group, n_bytes, is_empty = list[bytes](), 0, True
    for message in messages:
        if message.kind == MessageType.BATCH:
            group.append(message.data)
            n_bytes += len(message.data)
        elif message.kind != MessageType.DICTIONARY:
            raise ArrowError("a message is neither a dictionary nor a batch of rows")
        is_new = message.kind == MessageType.DICTIONARY and dictionaries.get(message.dictionary) != [message.data]
        if group and (is_new or (size is not None and n_bytes >= size)):
            yield [schema.data, *chain(*dictionaries.values()), *group]
            group, n_bytes, is_empty = [], 0, False
        if is_new:
            before = dictionaries.get(message.dictionary, []) if message.delta else []
            dictionaries[message.dictionary] = [*before, message.data]
    if group or is_empty:
        yield [schema.data, *chain(*dictionaries.values()), *group]
