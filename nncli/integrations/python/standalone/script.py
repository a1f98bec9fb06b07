"""The command line of an exported Python file: a CSV file in, predictions as CSV out."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from nncli.integrations.python.standalone.cells import shortest_text
from nncli.integrations.python.standalone.predictions import BLOCK_ROWS, Predictor

USAGE_ERROR, DATA_ERROR, CLOSED_PIPE = 2, 4, 141
COLUMN_SEPARATORS = (",", ";", "\t", "|")
PLAIN_NAME = re.compile(r"[\w .%()+-]+")
MAX_CELL = 2**31 - 1


def main(predictor: Predictor, arguments: Sequence[str], description: str) -> int:
    """Predict the rows of the CSV file that the only argument names, and print the predictions; the exit code."""
    usage = f"usage: python {Path(sys.argv[0]).name} TABLE.csv > predictions.csv   (- is the standard input)"
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(f"{description}\n\n{usage}\n")
        return 0
    if len(arguments) != 1:
        sys.stderr.write(f"{usage}\n")
        return USAGE_ERROR
    for stream, encoding in ((sys.stdin, "utf-8-sig"), (sys.stdout, "utf-8")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, newline="")
    try:
        with nullcontext(sys.stdin) if arguments[0] == "-" else _open(arguments[0]) as table:
            predict_csv(predictor, table, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python reports it again when it ends
        return CLOSED_PIPE
    except (OSError, ValueError, csv.Error) as error:
        sys.stdout.flush()
        reason = str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "the table is not encoded as UTF-8"
        elif isinstance(error, OSError):
            reason = f"{error.filename}: {error.strerror}"
        sys.stderr.write(f"error: {reason}\n")
        return DATA_ERROR
    return 0


def _open(name: str) -> TextIO:
    return Path(name).open(encoding="utf-8-sig", newline="")


def predict_csv(predictor: Predictor, table: TextIO, out: TextIO) -> None:
    """Predict the rows of a CSV file, some at a time, and write the predictions as CSV.

    Raises:
        ValueError: the file has no header, a column is missing, or a row cannot be read.
    """
    limit = csv.field_size_limit(MAX_CELL)  # the limit is one of the whole process
    try:
        _predict_records(predictor, table, out)
    finally:
        csv.field_size_limit(limit)


def _predict_records(predictor: Predictor, table: TextIO, out: TextIO) -> None:
    first = table.readline()
    separator = _separator(first, predictor.names)
    records = csv.reader(chain([first], table), delimiter=separator, strict=True)
    header = next(records, [])
    places = _places(header, predictor.names)
    rows, number = _rows_of(records, len(header)), 1
    block = list(islice(rows, BLOCK_ROWS))
    while block or number == 1:
        cells = {name: [row[place] for row in block] for name, place in places.items()}
        columns = predictor.predict_columns(cells, number)
        if number == 1:
            out.write(header_line(list(columns)))
        out.writelines(lines(columns))
        out.flush()
        number += len(block)
        if len(block) < BLOCK_ROWS:
            break
        block = list(islice(rows, BLOCK_ROWS))


def _separator(header: str, names: Sequence[str]) -> str:
    """The separator with which most of the names are in the first line of a file."""

    def count(separator: str) -> int:
        cells = next(csv.reader([header], delimiter=separator), [])
        return sum(name in cells for name in names)

    return max(COLUMN_SEPARATORS, key=count)


def _places(header: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """The place of each column."""
    for name in names:
        if header.count(name) != 1:
            problem = "is missing" if name not in header else "is there more than once"
            raise ValueError(f"column {name!r} {problem}; the columns are {', '.join(map(repr, header)) or 'none'}")
    return {name: header.index(name) for name in names}


def _rows_of(records: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """The rows of a table of `width` columns. An empty line is no row, but an empty cell of a single column."""
    number = 0
    for record in records:
        cells = record or [""] * (width == 1)
        if not cells:
            continue
        number += 1
        if len(cells) != width:
            raise ValueError(f"row {number:,} has {len(cells):,} cells; expected {width:,}, as in the header")
        yield cells


def header_line(names: Sequence[str]) -> str:
    """The line of the names, which are quoted unless all of them are plain."""
    text = io.StringIO(newline="")
    is_plain = all(PLAIN_NAME.fullmatch(name) for name in names)
    csv.writer(text, quoting=csv.QUOTE_MINIMAL if is_plain else csv.QUOTE_ALL, lineterminator="\n").writerow(names)
    return text.getvalue()


def lines(columns: Mapping[str, npt.NDArray[Any]]) -> Iterator[str]:
    """The lines of predictions."""
    texts = [[_cell_text(cell) for cell in values] for values in columns.values()]
    return (",".join(cells) + "\n" for cells in zip(*texts, strict=True))


def _cell_text(cell: object) -> str:
    """A prediction as a cell of CSV."""
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float | np.floating):
        return shortest_text(cell)
    text = str(cell)
    is_plain = text and not any(c in text for c in ',"\r\n')
    return text if is_plain else '"' + text.replace('"', '""') + '"'
