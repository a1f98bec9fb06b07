"""Writing to SQLite and DuckDB files."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.registry import FileOptions
from nncli.data.sources.output import check_output, open_output, output_target
from nncli.data.sources.table_source import TableSource
from tests.data.sources.database.writing import WriterTests


class TestSqlite(WriterTests):
    read_as: ClassVar = {
        "uint64": str(2**63),
        "int128": str(2**70),
        "boolean": 1,
        "date": "2024-05-31",
        "timestamp": "2024-05-31 12:00:00.500",
        "zoned": "2024-05-31 12:00:00.500+00:00",
        "time": "12:30:00",
    }

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'a.db'}"

    def execute(self, url: str, *statements: str) -> None:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def test_a_file_that_was_not_there_is_not_left_behind(self, target: TableSource, tmp_path: Path) -> None:
        other = pl.DataFrame({"A": [1], "a": [2]})  # the same name to SQLite
        with pytest.raises(DataError), open_output(target) as sink:
            sink.write(other)
        assert list(tmp_path.iterdir()) == []

    def test_what_was_locked_is_not_changed(self, target: TableSource, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nncli.data.sources.database.sqlite.BUSY_SECONDS", 0.01)
        self.execute(target.path, "CREATE TABLE origins (x)")
        with closing(sqlite3.connect(target.path.removeprefix("sqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DataError), open_output(target) as sink:
                sink.write(pl.DataFrame({"x": [1]}))


class TestDuckdb(WriterTests):
    read_as: ClassVar = {"int128": 2.0**70}

    def test_a_time_with_a_zone_and_one_without_do_not_fit_each_other(self, target: TableSource) -> None:
        self.execute(target.path, "CREATE TABLE answers (a TIMESTAMP, b TIMESTAMP WITH TIME ZONE)")
        noon = pl.Series([dt.datetime(2024, 5, 31, 12)])
        for frame in (pl.DataFrame({"a": noon.dt.replace_time_zone("UTC")}), pl.DataFrame({"b": noon})):
            with pytest.raises(DataError), open_output(target, append=True) as sink:
                sink.write(frame)

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        pytest.importorskip("duckdb", reason="the extra sql is not installed")
        return f"duckdb:///{tmp_path / 'a.duckdb'}"

    def execute(self, url: str, *statements: str) -> None:
        import duckdb

        with duckdb.connect(url.removeprefix("duckdb:///")) as database:
            for statement in statements:
                database.execute(statement)

    def test_a_schema_may_be_named(self, url: str) -> None:
        self.execute(url, "CREATE SCHEMA sales")
        target = TableSource(path=url, table="sales.answers")
        with open_output(target) as sink:
            sink.write(pl.DataFrame({"x": [1]}))
        assert self.written(target) == [(1,)]


def test_a_table_is_named_for_a_database_alone() -> None:
    assert output_target("sqlite:///a.db", "t") == TableSource(path="sqlite:///a.db", table="t")
    for output in ("-", "a.csv", "s3://bucket/a.csv"):
        with pytest.raises(UsageError):
            output_target(output, "t")


@pytest.mark.parametrize(
    ("target", "options", "append"),
    [
        (TableSource(path="sqlite:///a.db"), FileOptions(), False),
        (TableSource(path="sqlite:///a.db", table="t"), FileOptions(force=True), True),
        (TableSource(path="sqlite:///a.db", table="t"), FileOptions(escape_formulas=True), False),
        (TableSource(path="sqlite:///a.db", table="t"), FileOptions(decimal=","), False),
        (TableSource(path="sqlite:///a.db", table="t"), FileOptions(format="csv"), False),
        (Path("a.csv"), FileOptions(), True),
        (None, FileOptions(), True),
    ],
)
def test_options_that_do_not_fit_the_target_are_refused(
    target: TableSource | Path | None,
    options: FileOptions,
    append: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        check_output(target, TableSource(path="-"), options, append=append)
    assert list(tmp_path.iterdir()) == []
