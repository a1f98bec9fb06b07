"""`head`: the columns, kinds and first rows of a table, from its beginning."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Generator
from functools import partial
from pathlib import Path
from time import process_time

import polars as pl
import pytest

import nncli.api.head as module
from nncli import head
from nncli.api.init import draft
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.writers import write_table
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table

MIXED = "id,size,color,day,note,open\n" + "".join(
    f"{i:03},{i * 7 % 5}.5,{'red' if i % 3 else 'blue'},2024-01-{i % 28 + 1:02},a word {i} of many,{i % 2 == 0}\n"
    for i in range(40)
)


def test_kinds_types_missing_cells_and_the_first_rows_are_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(MIXED + ",NA,red,,,\n")
    result = head(tmp_path / "t.csv", rows=2)
    assert result.kinds == {
        "id": "id-like",
        "size": "numeric",
        "color": "categorical",
        "day": "date",
        "note": "text",
        "open": "boolean",
    } | {"id": result.kinds["id"]}
    assert (result.rows, result.seen) == (41, 41)
    assert [column.profile.missing for column in result.columns] == [1, 1, 0, 1, 1, 1]
    assert result.frame.rows()[0] == ("000", "0.5", "blue", "2024-01-01", "a word 0 of many", "True")
    assert result.frame.height == 2
    assert dict(result.details)["separator"] == ","


def test_kinds_are_those_that_init_writes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(MIXED.replace("open", "y"))
    columns = draft(tmp_path / "t.csv", "y").json()["columns"]
    assert head(tmp_path / "t.csv").kinds == {column["name"]: column["label"] for column in columns} | {"y": "boolean"}


def test_typed_columns_keep_their_type_and_what_a_training_refuses_says_why(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"x": [1.5, None, 2.5], "l": [[1], [2], []], "d": pl.Series([1, 2, 3], dtype=pl.Duration("us"))}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    result = head(tmp_path / "t.parquet")
    assert [column.type for column in result.columns] == [str(dtype) for dtype in frame.dtypes]
    assert result.kinds == {"x": "numeric", "l": "refused", "d": "refused"}
    assert {finding.location.column for finding in result.findings if finding.level == "warning"} == {"l", "d"}
    assert result.json()["first_rows"][0][:2] == [1.5, [1]]


def test_numbers_of_single_precision_have_the_fewest_digits(tmp_path: Path) -> None:
    pl.DataFrame({"x": pl.Series([0.1, None], dtype=pl.Float32)}).write_parquet(tmp_path / "t.parquet")
    result = head(tmp_path / "t.parquet")
    assert result.frame["x"].dtype == pl.Float32
    assert result.json()["first_rows"] == [[0.1], [None]]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_only_the_first_rows_are_read_of_a_large_table(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_ROWS", 10)
    frame = pl.DataFrame({"x": range(25)})
    path = tmp_path / f"t.{suffix}"
    write_table(frame, path)
    result = head(path)
    assert result.seen == 10
    assert result.rows == (25 if suffix == "parquet" else None)


@pytest.mark.parametrize("rows", [9, 10, 11])
def test_a_table_that_ends_where_the_sample_does_is_known_to_end(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_ROWS", 10)
    pl.DataFrame({"x": range(rows)}).write_csv(tmp_path / "t.csv")
    result = head(tmp_path / "t.csv")
    assert (result.rows, result.seen) == (rows if rows <= 10 else None, min(rows, 10))


def test_wide_rows_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_BYTES", 100)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 50)
    frame = pl.DataFrame({"x": range(200)})
    frame.write_parquet(tmp_path / "t.parquet")
    assert head(tmp_path / "t.parquet").seen == 50


@pytest.mark.slow
def test_the_time_of_wide_tables_grows_with_the_number_of_columns(tmp_path: Path) -> None:
    def seconds(columns: int) -> float:
        path = tmp_path / f"{columns}.csv"
        lines = [
            ",".join(f"c{j}" for j in range(columns)),
            *[",".join(f"{i}{j}.5" for j in range(columns)) for i in "12"],
        ]
        path.write_text("\n".join(lines))
        start = process_time()
        assert len(head(path, columns=columns).columns) == columns
        return process_time() - start

    few, many = (min(seconds(columns) for _ in range(2)) for columns in (10_000, 20_000))
    assert many <= 3.0 * few


def test_standard_input_is_read_as_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MIXED.encode())))
    (tmp_path / "t.csv").write_text(MIXED)
    of_file, of_stream = head(tmp_path / "t.csv"), head("-")
    assert of_file.kinds == of_stream.kinds
    assert of_file.frame.equals(of_stream.frame)


@pytest.mark.slow
def test_spellings_of_missing_and_thousands_are_found_as_init_finds_them(tmp_path: Path) -> None:
    lines = "".join(f'{i}{i}5.5,"{i + 1},{i * 37 % 900 + 100}"\n' for i in range(1, 30)) + 'unknown,"1,000"\n'
    (tmp_path / "t.csv").write_text("x,y\n" + lines)
    result = head(tmp_path / "t.csv")
    assert result.kinds == {"x": "numeric", "y": "numeric"}
    assert result.columns[0].profile.missing == 1
    assert len(result.findings) == 2


def test_keys_of_data_can_be_overridden(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n3;4\n")
    assert list(head(tmp_path / "t.csv", set=["data.header=false"]).kinds) == ["column_1", "column_2"]
    with pytest.raises(ConfigError):
        head(tmp_path / "t.csv", set=["data.separators=;"])


def test_blocks_of_json_lines_are_shown_below_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ReadOptions", partial(ReadOptions, block_bytes=20))
    (tmp_path / "t.jsonl").write_text('{"x": 1}\n' * 3 + '{"x": 0.5, "y": 2}\n' * 5)
    result = head(tmp_path / "t.jsonl", rows=6)
    assert result.frame.to_dict(as_series=False) == {"x": [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]}
    assert result.rows == 8


class Choice(TableReader):
    """A workbook of two sheets, of which none is named."""

    @property
    def name(self) -> str:
        return "w.xlsx"

    def choice(self) -> TableChoice:
        return TableChoice("sheet", ("One", "Two"))

    def read(self, options: ReadOptions) -> Generator[Table]:
        raise AssertionError("not to be read")

    def checksum(self) -> Checksum:
        raise AssertionError("not to be read")


def test_the_tables_there_are_are_named_where_the_source_does_not_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_reader", lambda _: Choice())
    result = head("w.xlsx")
    assert result.choice == TableChoice("sheet", ("One", "Two"))
    assert result.columns == ()
    assert result.json()["choice"] == {"kind": "sheet", "names": ["One", "Two"]}


def test_of_a_database_the_tables_are_listed_and_only_the_first_rows_of_one_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_ROWS", 10)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE orders (number INTEGER, city TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(i, "Oslo") for i in range(11)])
        connection.execute("INSERT INTO orders VALUES (x'00', 'not read')")
        connection.execute("CREATE TABLE customers (name)")
    connection.close()
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    assert head(url).choice == TableChoice("table", ("customers", "orders"))
    result = head(TableSource(path=url, table="orders"), rows=1)
    assert result.seen == 10
    assert [column.type for column in result.columns] == ["Int64", "String"]
    assert result.frame.rows() == [(0, "Oslo")]


def test_a_table_without_rows_has_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    result = head(tmp_path / "t.csv")
    assert result.kinds == {"a": "empty", "b": "empty"}
    assert (result.rows, result.frame.height) == (0, 0)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        head(tmp_path / "none.csv")
    with pytest.raises(UsageError):
        head(tmp_path / "none.csv", rows=-1)
