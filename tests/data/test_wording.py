"""The exact wording of typical messages of the data package."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import NncliError
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.jsonlines import read_json_lines
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import format_of
from nncli.data.sample_weights import read_weights
from nncli.data.splitting.folds import assign_folds
from nncli.data.splitting.holdout import holdout_split, read_groups, read_times
from nncli.data.splitting.strata import Strata
from nncli.data.synthetic import generate
from nncli.data.table import Table

TABLE = Table(pl.DataFrame({"t": ["1", "soon"], "w": ["-1", "2"], "g": ["a", None]}), "t.csv")


def csv(text: bytes) -> object:
    return list(read_delimited(io.BytesIO(text), "t.csv", ReadOptions()))


MESSAGES: dict[str, Callable[[], object]] = {
    "csv quote": lambda: csv(b'a,b\n"5" pipe,1\n'),
    "csv return": lambda: csv(b"a\nx\ry\n"),
    "csv short row": lambda: csv(b"a,b\n1,2\n3\n"),
    "json type": lambda: list(read_json_lines(io.BytesIO(b'{"a": true}\n{"a": 1}\n'), "t.jsonl")),
    "json key": lambda: list(read_json_lines(io.BytesIO(b'{"a": 1, "a": 2}\n'), "t.jsonl")),
    "suffix": lambda: format_of(Path("t.parquet.gz")),
    "weight": lambda: read_weights(TABLE, "w"),
    "time": lambda: read_times(TABLE, "t"),
    "group": lambda: read_groups(TABLE, "g"),
    "folds": lambda: assign_folds(Strata(3), 4, 0),
    "validation": lambda: holdout_split(Strata(3, np.arange(3)), 0.2, np.random.default_rng(0)),
    "dataset": lambda: generate("moon", 10),
}

WORDING = {
    "csv quote": (
        "t.csv:2: the quoted cell continues after its closing quote",
        '  Write a cell that contains a quote in quotes, with the inner quote doubled: "5"" pipe".',
    ),
    "csv return": (
        "t.csv:2: the text contains a carriage return that does not end a line",
        "  Save the file with Unix (\\n) or Windows (\\r\\n) line ends.",
    ),
    "csv short row": (
        "t.csv:3, row 2: the row has 1 cell, the header has 2",
        "  Quote cells that contain the separator, and write empty cells too (a,,c). set='data.ragged=skip' leaves "
        "out such rows, pad fills short ones.",
    ),
    "json type": (
        "t.jsonl:2, column 'a': the value is a number, but true or false in an earlier line",
        "  Write all values of a key as the same type.",
    ),
    "json key": (
        "t.jsonl:1: the object has the key 'a' more than once",
        "  Keep one of the values.",
    ),
    "suffix": (
        "t.parquet.gz: a .parquet file cannot be inside a .gz file",
        "  A .parquet file is compressed already: leave out the .gz.",
    ),
    "weight": (
        "t.csv, row 1, column 'w': a weight must be a number of 0 or more",
        "  Fill in the cell, or remove the row.",
    ),
    "time": (
        "t.csv, row 2, column 't': 'soon' is not a time",
        "  Write the column as numbers, or as dates such as 2024-05-31 or 2024-05-31 14:30, or use its format, "
        "such as set='data.date_format=%d/%m/%Y'.",
    ),
    "group": (
        "t.csv, row 2, column 'g': the group is missing",
        "  Fill in the cell, remove the row, or do not name the column: set='data.group=null'.",
    ),
    "folds": (
        "found 3 rows, too few for 4 folds",
        "  Add rows, or use fewer folds: an ensemble has one per network, or one fewer. For example set='members=3'.",
    ),
    "validation": (
        "found 3 rows, each of a different class, too few for a validation fraction of 0.2",
        "  A class needs at least two rows. Check the target column; to predict numbers, use set='loss=mse'.",
    ),
    "dataset": (
        "there is no dataset called 'moon'",
        "  Did you mean 'moons'?",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_worded_as_documented(name: str) -> None:
    with pytest.raises(NncliError) as caught:
        MESSAGES[name]()
    assert str(caught.value).splitlines() == list(WORDING[name])
