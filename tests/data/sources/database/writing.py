"""What holds for writing to every kind of database; test_writers.py here and in tests/services run it."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, ClassVar

import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.registry import FileOptions
from nncli.data.sources.database.database import IfExists, tables_of
from nncli.data.sources.database.writer import writer_of
from nncli.data.sources.output import check_output, open_output
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource

ROWS = pl.DataFrame({"id": [1, 2], "prediction": ["a", "ü"]})
NOON = dt.datetime(2024, 5, 31, 12, 0, 0, 500_000)
CELLS: dict[str, tuple[list[Any], Any]] = {
    "int8": ([-7, None], pl.Int8),
    "uint16": ([65_535, None], pl.UInt16),
    "int64": ([2**53 + 1, None], pl.Int64),
    "uint64": ([2**63, None], pl.UInt64),
    "float64": ([0.1, None], pl.Float64),
    "float32": ([0.5, None], pl.Float32),
    "decimal": ([Decimal("1.25"), None], pl.Decimal(20, 2)),
    "boolean": ([True, None], pl.Boolean),
    "text": (["ü 'x' \\ %s", None], pl.String),
    "enum": (["a", None], pl.Enum(["b", "a"])),
    "date": ([NOON.date(), None], pl.Date),
    "timestamp": ([NOON, None], pl.Datetime("ns")),
    "zoned": ([NOON.replace(tzinfo=dt.UTC), None], pl.Datetime("ms", "Europe/Berlin")),
    "time": ([dt.time(12, 30), None], pl.Time),
    "bytes": ([b"\x00\xff'", None], pl.Binary),
    "duration": ([dt.timedelta(days=1, seconds=2), None], pl.Duration("ms")),
    "int128": ([2**70, None], pl.Int128),
    "nothing": ([None, None], pl.Null),
    'odd "name" `x` %s': ([1, 2], pl.Int64),
}


class WriterTests(ABC):
    """Tests of one kind of database."""

    read_as: ClassVar[dict[str, Any]] = {}
    """Cells that are read otherwise than they were written."""

    @abstractmethod
    def execute(self, url: str, *statements: str) -> None:
        """Execute statements in the database."""

    @pytest.fixture
    @abstractmethod
    def url(self) -> object:
        """The URL of an empty database."""

    @pytest.fixture
    def target(self, url: str) -> TableSource:
        return TableSource(path=url, table="answers")

    def written(self, target: TableSource) -> list[tuple[Any, ...]]:
        return sorted(read_table(target).frame.rows(), key=str)

    def test_a_new_table_has_the_columns_in_fitting_types(self, target: TableSource) -> None:
        frame = pl.DataFrame({name: pl.Series(*cell, strict=False) for name, cell in _series().items()})
        with open_output(target) as sink:
            sink.write(frame)
        read = read_table(target).frame
        assert read.columns == frame.columns
        expected = {name: cells[0] for name, (cells, _) in CELLS.items()} | {"duration": 86_402.0} | self.read_as
        result = {
            name: next((cell for cell in read[name].to_list() if cell is not None), None) for name in read.columns
        }
        assert result == expected
        _write(target, frame, append=True)  # what was created fits
        assert len(read_table(target)) == 2 * len(frame)
        assert [read[name].null_count() for name in list(CELLS)[:-2]] == [1] * (len(CELLS) - 2)

    def test_chunks_are_rows_of_one_table_in_types_that_hold_them_all(self, target: TableSource) -> None:
        with open_output(target) as sink:
            sink.write(pl.DataFrame({"x": [1, 2]}))
            sink.write(pl.DataFrame({"x": [0.5]}))
            assert target.table not in [table.name for table in _tables(target)]
        assert self.written(target) == [(0.5,), (1.0,), (2.0,)]

    def test_an_error_half_way_leaves_no_table(self, target: TableSource) -> None:
        with suppress(RuntimeError), open_output(target) as sink:
            sink.write(ROWS)
            raise RuntimeError
        assert [table.name for table in _tables(target)] == []

    @pytest.mark.parametrize("is_there", [False, True])
    def test_an_interrupt_while_rows_are_written_changes_nothing(self, target: TableSource, is_there: bool) -> None:
        self.execute(target.path, "CREATE TABLE origins (x INTEGER)")
        if is_there:
            _write(target, ROWS)
        before = [table.name for table in tables_of(target)]

        def frames() -> Iterator[pl.DataFrame]:
            yield ROWS
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            writer_of(target, IfExists.REPLACE).write(frames(), ROWS.schema)
        assert [table.name for table in tables_of(target)] == before
        if is_there:
            assert self.written(target) == [(1, "a"), (2, "ü")]

    def test_an_existing_table_is_kept_unless_its_rows_may_be_replaced_or_added_to(self, target: TableSource) -> None:
        with open_output(target) as sink:
            sink.write(ROWS)
        with pytest.raises(UsageError):
            check_output(target, TableSource(path="-"), FileOptions(force=False))
        with pytest.raises(UsageError):
            _write(target, ROWS)
        _write(target, ROWS[:1], append=True)
        assert self.written(target) == [(1, "a"), (1, "a"), (2, "ü")]
        _write(target, ROWS[:1], force=True)
        assert self.written(target) == [(1, "a")]

    def test_types_keys_and_defaults_of_an_existing_table_stay(self, target: TableSource) -> None:
        self.execute(
            target.path,
            "CREATE TABLE answers (id INTEGER PRIMARY KEY, prediction VARCHAR(20), origin VARCHAR(9) DEFAULT 'here')",
            "INSERT INTO answers VALUES (1, 'old', 'there')",
        )
        _write(target, ROWS, force=True)
        assert self.written(target) == [(1, "a", "here"), (2, "ü", "here")]
        with pytest.raises(DataError) as caught:
            _write(target, pl.DataFrame({"id": [3, 2], "prediction": ["c", "d"]}), append=True)
        assert caught.value.location is not None
        assert caught.value.location.source is not None
        assert self.written(target) == [(1, "a", "here"), (2, "ü", "here")]

    def test_a_refused_row_leaves_the_old_rows_of_a_replaced_table(self, target: TableSource) -> None:
        self.execute(
            target.path,
            "CREATE TABLE answers (id INTEGER NOT NULL, prediction VARCHAR(20))",
            "INSERT INTO answers VALUES (7, 'old')",
        )
        with pytest.raises(DataError):
            _write(target, pl.DataFrame({"id": [1, None], "prediction": ["a", "b"]}), force=True)
        assert self.written(target) == [(7, "old")]

    def test_text_fits_numbers_and_dates_if_it_is_such(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (id INTEGER, x DOUBLE PRECISION, day DATE)")
        _write(target, pl.DataFrame({"id": ["7", None], "x": ["0.5", None], "day": ["2024-05-31", None]}), append=True)
        read = read_table(target).frame
        assert read["id"].drop_nulls().to_list() == [7]
        assert read["x"].drop_nulls().to_list() == [0.5]
        assert [str(day) for day in read["day"].drop_nulls()] == ["2024-05-31"]

    @pytest.mark.parametrize(
        ("column", "cells"),
        [
            ("id", ["7", "x"]),
            ("id", ["1", "007"]),
            ("id", [0.5, 1.5]),
            ("id", ["1.5", "2"]),
            ("x", [True, False]),
            ("x", [1, 2**53 + 1]),
            ("x", ["0.5", "123456789012345678"]),
            ("more", [1, 2]),
        ],
    )
    def test_what_does_not_fit_is_refused_by_its_column_before_anything_is_written(
        self, target: TableSource, column: str, cells: list[Any]
    ) -> None:
        self.execute(target.path, "CREATE TABLE answers (id INTEGER, x DOUBLE PRECISION)")
        with pytest.raises(DataError) as caught:
            _write(target, pl.DataFrame({column: cells}), append=True)
        location = caught.value.location
        assert location is not None
        assert column == location.column or column in caught.value.message
        assert self.written(target) == []

    def test_lists_and_objects_are_refused_by_their_column(self, target: TableSource) -> None:
        for cells in ([[1], [2]], [{"a": 1}, {"a": 2}]):
            with pytest.raises(DataError) as caught:
                _write(target, pl.DataFrame({"id": [1, 2], "cells": cells}))
            assert caught.value.location is not None
            assert caught.value.location.column == "cells"

    def test_a_table_of_the_same_database_may_be_read(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE origins (x INTEGER)", "INSERT INTO origins VALUES (1), (2)")
        origin = TableSource(path=target.path, table="origins")
        check_output(target, origin, FileOptions(force=False))
        with open_output(target) as sink:
            sink.write(read_table(origin).frame)
        assert self.written(target) == [(1,), (2,)]
        with pytest.raises(UsageError):
            check_output(target, target, FileOptions(force=True))
        self.execute(target.path, "DROP TABLE origins")
        with pytest.raises(UsageError):  # the only table
            check_output(target, TableSource(path=target.path), FileOptions(force=True))

    @pytest.mark.parametrize("query", ["SELECT * FROM answers", 'SELECT x FROM (SELECT * FROM "answers") AS a'])
    def test_a_query_cannot_replace_the_table_that_it_reads(self, target: TableSource, query: str) -> None:
        self.execute(target.path, "CREATE TABLE answers (x INTEGER)", "INSERT INTO answers VALUES (1)")
        source = TableSource(path=target.path, query=query.replace('"', "`" if "mysql" in target.path else '"'))
        with pytest.raises(UsageError):
            check_output(target, source, FileOptions(force=True))
        check_output(target, source, FileOptions(force=False), append=True)
        check_output(target, TableSource(path=target.path, query="SELECT 1 AS x"), FileOptions(force=True))

    def test_a_table_without_rows_is_created(self, target: TableSource) -> None:
        _write(target, ROWS.clear())
        assert read_table(target).frame.rows() == []


def _series() -> dict[str, tuple[str, list[Any], Any]]:
    return {name: (name, cells, dtype) for name, (cells, dtype) in CELLS.items()}


def _tables(target: TableSource) -> tuple[Any, ...]:
    try:
        return tables_of(target.source)
    except DataError:  # the file is not there yet
        return ()


def _write(target: TableSource, frame: pl.DataFrame, *, force: bool = False, append: bool = False) -> None:
    with open_output(target, FileOptions(force=force), append=append) as sink:
        sink.write(frame)


@contextmanager
def without_table(execute: Any, url: str) -> Iterator[str]:
    """The URL, without the tables of these tests before and after."""
    for name in ("answers", "origins"):
        execute(url, f"DROP TABLE IF EXISTS {name}")
    yield url
    for name in ("answers", "origins"):
        execute(url, f"DROP TABLE IF EXISTS {name}")
