"""Read and write JSON lines: one object per line, whose keys are the columns.

Polars parses the lines and infers the types of the columns. If it fails, Python's json module finds the line and the
reason. Blank lines are skipped. A key that a line lacks is null in its row, also if an earlier
block had it and all lines of this block lack it.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import polars

from nncli.base.errors import DataError, Location, reraise_out_of_memory
from nncli.base.text import quote
from nncli.data.dialect import AUTO
from nncli.data.formats.csv.decoding import UTF8, DecodedStream
from nncli.data.formats.csv.records import NEWLINE, NO_POSITIONS, QUOTE, RecordBlock, blocks, check_utf8, positions_of
from nncli.data.formats.file_format import FileFormat, as_tables
from nncli.data.formats.read_options import BLOCK_BYTES, ReadOptions
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.sinks import ColumnCheck, Sink, Writable, translate_write_errors
from nncli.data.formats.streams import POLARS_ERRORS, UTF8_BOM, InputFile
from nncli.data.table import Table, missing_cells

MAX_DEPTH = 128
"""Largest depth of nested lists and objects. At some hundreds Polars overflows the stack and crashes the process."""
SPACED_COLON = re.compile(rb'"[ \t\r]+:')
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)

UTF16_OBJECTS = (b"\xff\xfe{\0", b"\xfe\xff\0{")
"""The first bytes of JSON lines in UTF-16, with a byte-order mark."""


class JsonLinesFormat(FileFormat):
    """The JSON lines format: one object per row."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins with a brace."""
        return head.removeprefix(UTF8_BOM).lstrip().startswith(b"{") or head.startswith(UTF16_OBJECTS)

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for each block of lines, or one table of all lines if `options.rows` is None."""
        size = None if options.rows is None else options.block_bytes
        frames = read_json_lines(
            stream,
            file.name,
            size=size,
            encoding=options.dialect.encoding,
            fallback=options.fallback_encoding,
        )
        return as_tables(frames, file, options)

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Yield a sink that writes one object per row."""
        return nullcontext(JsonLinesSink(file, ColumnCheck.of(path)))


@dataclass
class JsonLinesSink:
    """Writes one object per row."""

    file: Writable
    columns: ColumnCheck

    def write(self, frame: polars.DataFrame) -> None:
        self.columns.begin(frame)
        with translate_write_errors(frame, self.columns.source):
            rows = frame.write_ndjson()
        self.file.write(rows.encode())


def read_json_lines(
    file: IO[bytes], source: str, *, size: int | None = BLOCK_BYTES, encoding: str = AUTO, fallback: str = AUTO
) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield, block by block, the number of the first row (from 1) and the rows.

    The columns are those of the block and of the blocks before it, the types those of the block; with `size` None the
    whole file is one block.
    For `encoding` and `fallback` see `DecodedStream`; JSON is UTF-8 unless configured otherwise.

    Raises:
        DataError: a line is not a JSON object, or the values of a key have incompatible types.
    """
    row, keys, nested = 1, dict[str, None](), dict[str, polars.DataType | None]()
    text = DecodedStream(file, source, encoding, UTF8 if fallback == AUTO else fallback)
    if size is None:
        pieces = iter([RecordBlock(b"".join(iter(partial(text.read, BLOCK_BYTES), b"")), NO_POSITIONS, 1)])
    else:
        pieces = blocks(text, source, size=size, quoting=False)
    for block in pieces:
        if block.data.isspace():
            continue
        frame = _alike(parse_block(block, source), nested, Location(source=source, line=block.line))
        frame = frame.with_columns(polars.Series(key, [None] * frame.height) for key in keys if key not in frame.schema)
        keys |= dict.fromkeys(frame.columns)
        yield row, frame
        row += frame.height
    if row == 1:
        raise DataError("the file is empty", location=Location(source=source))


def _alike(frame: polars.DataFrame, nested: dict[str, polars.DataType | None], place: Location) -> polars.DataFrame:
    """A block whose lists and objects have the types of earlier blocks: `nested`, where other columns have None.

    Raises:
        DataError: an earlier block has other cells in a column of lists or objects.
    """
    changed = []
    for cells in frame:
        if cells.null_count() == len(cells):
            continue
        of_block = cells.dtype if cells.dtype.is_nested() else None
        before = nested.setdefault(cells.name, of_block)
        if type(before) is not type(of_block):
            raise DataError(
                "the values from this line on are of another kind than in earlier lines, where "
                f"{'they are lists or objects' if before else 'none is a list or an object'}",
                location=replace(place, column=cells.name),
                hint="Write all values of a key as the same type.",
            )
        if before != of_block and before is not None:
            try:
                changed.append(cells.cast(before, strict=False))  # no training reads them
            except POLARS_ERRORS:
                changed.append(missing_cells(cells, before))
    return frame.with_columns(changed)


def parse_block(block: RecordBlock, source: str) -> polars.DataFrame:
    """Parse a block of lines; raise a DataError if a line is not valid."""
    check_depth(block, source)
    check_surrogates(block, source)
    try:
        frame = polars.read_ndjson(io.BytesIO(block.data), infer_schema_length=None)
    except POLARS_ERRORS as error:
        reraise_out_of_memory(error)
        check_utf8(block, source)
        raise_line_error(block, source, error)
    check_repeated_keys(block, frame, source)
    return frame


def raise_line_error(block: RecordBlock, source: str, reason: BaseException) -> NoReturn:
    """Raise a DataError for the first invalid line of the block; `reason` is the error of Polars."""
    types: dict[str, str] = {}
    for number, line in enumerate(block.data.split(b"\n"), start=block.line):
        if not line.strip():
            continue
        place = Location(source=source, line=number)
        try:
            values = json.loads(line, parse_constant=reject_constant, parse_float=parse_finite)
        except ValueError as error:
            raise DataError(
                f"the line is not JSON: {describe_json_error(error)}",
                location=place,
                hint='Each line must be one object, such as {"age": 31, "city": "Oslo"}.',
            ) from error
        if not isinstance(values, dict):
            raise DataError(
                f"the line holds {json_type(values)}, not an object",
                location=place,
                hint='Each line must be one object, such as {"age": 31, "city": "Oslo"}.',
            )
        check_repeated_key(line, place)
        for key, value in values.items():
            first = types.setdefault(key, json_type(value)) if value is not None else None
            if first and first != json_type(value) and "text" not in (first, json_type(value)):
                raise DataError(
                    f"the value is {json_type(value)}, but {first} in an earlier line",
                    location=Location(source=source, line=number, column=key),
                    hint="Write all values of a key as the same type.",
                ) from reason
    raise DataError(
        f"the lines from here on are not a table: {str(reason).splitlines()[0]}",
        location=Location(source=source, line=block.line),
    ) from reason


def json_type(value: object) -> str:
    """The JSON type of a value, for messages."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def describe_json_error(error: Exception) -> str:
    """The error of Python's json module, shortened."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    return str(error)


def parse_finite(digits: str) -> float:
    """Parse a number; raise a ValueError if it overflows."""
    if math.isinf(number := float(digits)):
        raise ValueError(f"the number {digits} is too large")
    return number


def reject_constant(word: str) -> NoReturn:
    """Raise a ValueError for NaN and Infinity, which Python accepts but JSON does not have."""
    raise ValueError(f"{word} is not a JSON value; write null")


def check_depth(block: RecordBlock, source: str) -> None:
    """Raise a DataError if lists and objects are nested more than MAX_DEPTH deep."""
    text = block.bytes()
    newlines = positions_of(block.data, NEWLINE)
    opening = np.flatnonzero((text == ord("[")) | (text == ord("{")))
    for number in np.flatnonzero(np.bincount(np.searchsorted(newlines, opening)) > MAX_DEPTH):
        start = int(newlines[number - 1]) + 1 if number else 0
        line = STRING.sub(b"", block.data[start : int(newlines[number]) if number < newlines.size else None])
        steps = [(byte in b"[{") - (byte in b"]}") for byte in line]
        if max(itertools.accumulate(steps), default=0) > MAX_DEPTH:
            raise DataError(
                "the line is nested too deeply", location=Location(source=source, line=block.line_at(start))
            )


def check_surrogates(block: RecordBlock, source: str) -> None:
    """Raise a DataError for an unpaired surrogate, which Polars reads as NUL."""
    if b"\\" not in block.data:
        return
    for match in LONE_SURROGATE.finditer(block.data):
        before = block.data[: match.start()]
        # After an odd number of backslashes this one is escaped: the text is a literal \\ud800.
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            raise DataError(
                f"{quote(match.group().decode())} is an unpaired surrogate, not a character",
                location=Location(source=source, line=block.line_at(match.start())),
            )


def check_repeated_keys(block: RecordBlock, frame: polars.DataFrame, source: str) -> None:
    """Raise a DataError if an object repeats a key: Polars keeps the first value, other readers the last.

    Lines with more `":` than the row has values are suspects, and parsed again: a key may be repeated, or there is a
    null, a nested object or a text that contains `":`.
    """
    spaced = any(blank in block.data for blank in (b" :", b"\t:", b"\r:")) and SPACED_COLON.search(block.data)
    values = polars.Series([0] * frame.height)  # of a frame without columns Polars cannot take the sum
    if frame.width:
        values = frame.select(polars.sum_horizontal(polars.all().is_not_null())).to_series()
    if not spaced and block.data.count(b'":') == values.sum():
        return
    text, newlines = block.bytes(), positions_of(block.data, NEWLINE)
    suspects = np.arange(newlines.size + 1)
    begins = np.unique(np.searchsorted(newlines, np.flatnonzero(text == ord("{"))))
    if not spaced and begins.size == frame.height:
        pairs = np.flatnonzero((text[:-1] == QUOTE) & (text[1:] == ord(":")))
        keys = np.bincount(np.searchsorted(newlines, pairs), minlength=newlines.size + 1)
        suspects = begins[keys[begins] != values.to_numpy()]
    for number in suspects:
        start = int(newlines[number - 1]) + 1 if number else 0
        line = block.data[start : int(newlines[number]) if number < newlines.size else None]
        check_repeated_key(line, Location(source=source, line=block.line + int(number)))


def check_repeated_key(line: bytes, place: Location) -> None:
    """Raise a DataError if the object of a line, or a nested one, repeats a key."""
    repeated: list[str] = []

    def collect_repeated(pairs: list[tuple[str, object]]) -> None:
        repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

    if line.strip():
        json.loads(line, object_pairs_hook=collect_repeated)
    if repeated:
        raise DataError(
            f"the object has the key {quote(repeated[0])} more than once",
            location=place,
            hint="Keep one of the values.",
        )
