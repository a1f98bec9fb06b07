"""JSON lines as a file format: one object per line, its keys the columns.

Polars parses and infers the kinds of the columns. Where it cannot, Python's own json looks for the line and
says why. Blank lines are skipped. A key that a line lacks is null there.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import polars

from nncli.data.dialect import AUTO
from nncli.data.io.csv.blocks import NEWLINE, NO_POSITIONS, QUOTE, Block, blocks, check_utf8, positions_of
from nncli.data.io.csv.decoding import DecodedStream
from nncli.data.io.file_format import FileFormat, as_tables
from nncli.data.io.read_options import BLOCK_BYTES, ReadOptions
from nncli.data.io.sinks import ColumnCheck, Sink, Writable, translate_write_errors
from nncli.data.io.streams import POLARS_ERRORS, UTF8_BOM, name_of, strip_bom
from nncli.data.table import Table
from nncli.errors import DataError, Location, reraise_out_of_memory
from nncli.text import quote

# Far more than a table has; at some hundreds Polars runs out of stack, and the whole process ends without a word.
MAX_DEPTH = 128
SPACED_COLON = re.compile(rb'"[ \t\r]+:')
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)

UTF16_OBJECTS = (b"\xff\xfe{\0", b"\xfe\xff\0{")
"""How JSON lines begin in UTF-16, byte-order mark included."""


class JsonLinesFormat(FileFormat):
    """One JSON object per row."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins with a brace."""
        return head.removeprefix(UTF8_BOM).lstrip().startswith(b"{") or head in UTF16_OBJECTS

    def read_stream(self, stream: IO[bytes], path: Path | None, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for each block of lines, or one table of all lines if `options.rows` is None."""
        size = None if options.rows is None else options.block_bytes
        frames = read_json_lines(
            stream,
            name_of(path),
            size=size,
            encoding=options.dialect.encoding,
            fallback=options.fallback_encoding,
        )
        return as_tables(frames, path, options)

    @contextmanager
    def open_sink(self, file: Writable, path: Path | None, *, escape_formulas: bool = False) -> Iterator[Sink]:
        """Yield a sink that writes one object per row."""
        yield JsonLinesSink(file, ColumnCheck.of(path))


@dataclass
class JsonLinesSink:
    """One object per row."""

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
    """Yield the number of the first row (from 1) and the rows of one block after another.

    The columns and their kinds are those of the block; `size` None reads one block that holds everything.
    For `encoding` and `fallback` see `DecodedStream`.

    Raises:
        DataError: a line is not a JSON object, or the values of a key do not fit into one column.
    """
    row, text = 1, DecodedStream(file, source, encoding, fallback)
    for block in single_block(text, source) if size is None else blocks(text, source, size=size, quoting=False):
        if block.data.isspace():
            continue
        frame = parse_block(block, source)
        yield row, frame
        row += frame.height
    if row == 1:
        raise DataError("the file is empty", place=Location(source=source))


def single_block(text: DecodedStream, source: str) -> Iterator[Block]:
    pieces = [strip_bom(text, source)]
    while more := text.read(BLOCK_BYTES):
        pieces.append(more)
    yield Block(b"".join(pieces), NO_POSITIONS, 1)


def parse_block(block: Block, source: str) -> polars.DataFrame:
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


def raise_line_error(block: Block, source: str, reason: BaseException) -> NoReturn:
    """Raise a DataError that names the line of the block for which `reason` was given, as far as it can be found."""
    kinds: dict[str, str] = {}
    for number, line in enumerate(block.data.split(b"\n"), start=block.line):
        if not line.strip():
            continue
        place = Location(source=source, line=number)
        try:
            values = json.loads(line, parse_constant=reject_constant, parse_float=parse_finite)
        except ValueError as error:
            raise DataError(
                f"the line is not JSON: {describe_json_error(error)}",
                place=place,
                hint='Every line is one object on its own, such as {"age": 31, "city": "Oslo"}.',
            ) from error
        if not isinstance(values, dict):
            raise DataError(
                f"the line holds {json_type(values)}, not an object",
                place=place,
                hint='Every line is one object, its keys the columns, such as {"age": 31, "city": "Oslo"}.',
            )
        check_repeated_key(line, place)
        for key, value in values.items():
            known = kinds.setdefault(key, json_type(value)) if value is not None else None
            if known and known != json_type(value) and "text" not in (known, json_type(value)):
                raise DataError(
                    f"the value is {json_type(value)}; in lines before it is {known}",
                    place=Location(source=source, line=number, column=key),
                    hint="Write all values of a key as the same kind.",
                ) from reason
    raise DataError(
        f"the lines from here on cannot be read as a table: {str(reason).splitlines()[0]}",
        place=Location(source=source, line=block.line),
    ) from reason


def json_type(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def describe_json_error(error: Exception) -> str:
    """What Python's json has to say about a line, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"
    return str(error)


def parse_finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"{digits} is too large a number")
    return number


def reject_constant(word: str) -> NoReturn:
    """JSON has no word for what is not a number, though Python reads and writes some."""
    raise ValueError(f"{word} is not a JSON value; write null")


def check_depth(block: Block, source: str) -> None:
    """Refuse a line in which more than DEEPEST lists and objects are open at once."""
    text = block.bytes()
    newlines = positions_of(block.data, NEWLINE)
    opening = np.flatnonzero((text == ord("[")) | (text == ord("{")))
    for number in np.flatnonzero(np.bincount(np.searchsorted(newlines, opening)) > MAX_DEPTH):
        start = int(newlines[number - 1]) + 1 if number else 0
        line = STRING.sub(b"", block.data[start : int(newlines[number]) if number < newlines.size else None])
        steps = [(byte in b"[{") - (byte in b"]}") for byte in line]
        if max(itertools.accumulate(steps), default=0) > MAX_DEPTH:
            raise DataError("the line is nested too deeply", place=Location(source=source, line=block.line_at(start)))


def check_surrogates(block: Block, source: str) -> None:
    """Refuse half of a surrogate pair, which is no character; Polars reads a NUL in its place."""
    if b"\\" not in block.data:
        return
    for match in LONE_SURROGATE.finditer(block.data):
        before = block.data[: match.start()]
        # After an odd number of backslashes this one is itself escaped: the text only speaks of \\ud800.
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            raise DataError(
                f"{quote(match.group().decode())} is half of a character",
                place=Location(source=source, line=block.line_at(match.start())),
            )


def check_repeated_keys(block: Block, frame: polars.DataFrame, source: str) -> None:
    """Refuse an object that names a key twice: Polars keeps the first value, others the last.

    A row has as many values as its line has `":`, unless a key is repeated, and then fewer; where a null, an object
    within or a text that looks like a key makes fewer too, the lines are read once more.
    """
    spaced = any(blank in block.data for blank in (b" :", b"\t:", b"\r:")) and SPACED_COLON.search(block.data)
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
    """Refuse a line whose object, or one within it, names a key more than once."""
    repeated: list[str] = []

    def collect_repeated(pairs: list[tuple[str, object]]) -> None:
        repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

    if line.strip():
        json.loads(line, object_pairs_hook=collect_repeated)
    if repeated:
        raise DataError(
            f"the object names the key {quote(repeated[0])} more than once",
            place=place,
            hint="Keep one of the values.",
        )
