from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.columns.parsing import read_numbers
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.database.column_types import BLOCK_ROWS
from nncli.data.sources.database.database import tables_of
from nncli.data.sources.database.sqlite import translate_errors
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import TableSource


def database(folder: Path, *statements: str) -> str:
    """The URL of a new SQLite file."""
    with sqlite3.connect(folder / "shop.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{folder / 'shop.db'}"


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        ("1, 9007199254740993, NULL", pl.Int64(), [1, 2**53 + 1, None]),
        ("1.5, NULL, 9e999", pl.Float64(), [1.5, None, float("inf")]),
        ("1, 2.5, NULL", pl.Float64(), [1.0, 2.5, None]),
        ("9007199254740993, 2.5, NULL", pl.String(), ["9007199254740993", "2.5", None]),
        ("-9223372036854775808, 9223372036854775807, NULL", pl.Int64(), [-(2**63), 2**63 - 1, None]),
        ("'007', '', NULL", pl.String(), ["007", "", None]),
        ("1, '1,5', 0.1", pl.String(), ["1", "1,5", "0.1"]),
        ("NULL, NULL, NULL", pl.String(), [None, None, None]),
        ("x'00ff', NULL, NULL", pl.Binary(), [b"\x00\xff", None, None]),
        ("x'00', 'ü', 1.5", pl.Binary(), [b"\x00", "ü".encode(), b"1.5"]),
        ("true, false, NULL", pl.Int64(), [1, 0, None]),
        ("date('2024-02-29'), NULL, NULL", pl.String(), ["2024-02-29", None, None]),
    ],
)
def test_the_type_of_a_column_is_that_of_its_cells(
    tmp_path: Path, cells: str, dtype: pl.DataType, values: list[Any]
) -> None:
    query = " UNION ALL ".join(f"SELECT {cell} AS x" for cell in cells.split(", "))
    read = read_table(TableSource(path=database(tmp_path), query=query)).frame["x"]
    assert read.dtype == dtype
    assert read.to_list() == values


def test_a_later_text_makes_the_whole_column_text(tmp_path: Path) -> None:
    url = database(
        tmp_path,
        "CREATE TABLE t (i INTEGER, x)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)"
        " INSERT INTO t SELECT i, i FROM n",
        "UPDATE t SET x = 'seven' WHERE i = 69999",
    )
    chunks = list(read_chunks(TableSource(path=url, table="t")))
    assert [len(chunk) for chunk in chunks] == [BLOCK_ROWS, 70_000 - BLOCK_ROWS]
    assert [chunk.first_row for chunk in chunks] == [1, BLOCK_ROWS + 1]
    assert {chunk.frame["x"].dtype for chunk in chunks} == {pl.String}
    assert chunks[1].frame["x"][-3:].to_list() == ["69998", "seven", "70000"]


def test_a_copy_has_the_same_rows_name_and_digest(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 'x'), (NULL, 'NA')")
    reader = open_reader(TableSource(path=url, table="t"))
    (tmp_path / "copy").mkdir()
    copy = reader.copy_to(tmp_path / "copy")
    assert reader.needs_copy
    assert copy.checksum() == reader.checksum()
    assert copy.name == reader.name == f"{url}, table t"
    before = reader.checksum()
    database(tmp_path, "UPDATE t SET b = 'y' WHERE a = 1")
    assert reader.checksum() != before


@pytest.mark.parametrize("is_query", [False, True])
def test_a_column_of_text_has_a_decimal_comma_of_its_own_also_in_a_copy(tmp_path: Path, is_query: bool) -> None:
    cells = "('1,25', '1.5'), ('2,5', '2.25'), (NULL, '3')"
    url = database(tmp_path, "CREATE TABLE t (a TEXT, b TEXT)", f"INSERT INTO t VALUES {cells}")
    reader = open_reader(
        TableSource(path=url, query="SELECT * FROM t") if is_query else TableSource(path=url, table="t")
    )
    (tmp_path / "copy").mkdir()
    for source in (reader, reader.copy_to(tmp_path / "copy")):
        (table,) = source.read(ReadOptions())
        assert table.dialect.decimals == (("a", ","),)
        assert read_numbers(table, "a")[:2].tolist() == [1.25, 2.5]


def test_words_for_missing_become_null(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE t (a)", "INSERT INTO t VALUES ('x'), ('NA')")
    assert read_table(TableSource(path=url, table="t"), missing_values=["NA"]).frame["a"].to_list() == ["x", None]


def test_names_are_quoted(tmp_path: Path) -> None:
    name = 'a "b"; DROP TABLE t; --'
    quoted = '"a ""b""; DROP TABLE t; --"'
    url = database(tmp_path, "CREATE TABLE t (a)", f'CREATE TABLE {quoted} ("c d" INTEGER, "select" TEXT)')
    tables = tables_of(TableSource(path=url))
    assert [(table.name, [column.name for column in table.columns]) for table in tables] == [
        (name, ["c d", "select"]),
        ("t", ["a"]),
    ]
    assert tables[0].columns[0].type == "INTEGER"
    for spelling in (name, quoted):
        assert read_table(TableSource(path=url, table=spelling)).names == ["c d", "select"]


def test_the_tables_are_listed_if_none_is_named(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE orders (a)", "CREATE VIEW seen AS SELECT 1 AS a")
    with pytest.raises(UsageError) as caught:
        read_table(TableSource(path=url))
    assert "'orders' and 'seen'" in str(caught.value.hint)
    assert open_reader(TableSource(path=url)).choice() == ("table", ("orders", "seen"))
    assert open_reader(TableSource(path=url, table="seen")).choice() is None
    with pytest.raises(DataError, match="no table 'order'") as error:
        read_table(TableSource(path=url, table="order"))
    assert error.value.hint == "Did you mean 'orders'?"
    with pytest.raises(UsageError, match="exclude"):
        read_table(TableSource(path=url, table="orders", query="SELECT 1"))


def test_a_file_that_is_missing_or_no_database_is_refused(tmp_path: Path) -> None:
    database(tmp_path)
    with pytest.raises(DataError, match="no such database file") as caught:
        read_table(TableSource(path=f"sqlite:///{tmp_path / 'shp.db'}", table="t"))
    assert caught.value.hint == "Did you mean 'shop.db'?"
    assert not (tmp_path / "shp.db").exists()
    with pytest.raises(DataError, match="folder"):
        read_table(TableSource(path=f"sqlite:///{tmp_path}", table="t"))
    (tmp_path / "text.db").write_bytes(b"a,b\n" * 1000)
    with pytest.raises(DataError, match="not a SQLite database"):
        read_table(TableSource(path=f"sqlite:///{tmp_path / 'text.db'}", table="t"))
    with pytest.raises(UsageError, match="no database file"):
        read_table(TableSource(path="sqlite://shop.db", table="t"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT a FROM missing", "no such table"),
        ("SELECT 1 AS a, 2 AS a", "more than one column 'a'"),
        ("SELECT CAST(x'ff' AS TEXT) AS a", "UTF-8"),
    ],
)
def test_what_sqlite_refuses_is_a_data_error(tmp_path: Path, query: str, words: str) -> None:
    url = database(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=url, query=query))
    assert caught.value.location is not None
    assert caught.value.location.source == url


def test_a_locked_file_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database(tmp_path, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    writer = sqlite3.connect(tmp_path / "shop.db", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN EXCLUSIVE")
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            writer.execute("COMMIT")

    monkeypatch.setattr("nncli.data.sources.database.database.sleep", sleep)
    monkeypatch.setattr("nncli.data.sources.database.sqlite.BUSY_SECONDS", 0.0)
    assert read_table(TableSource(path=url, table="t")).frame.rows() == [(1,)]
    assert len(waits) == 2
    writer.close()


def test_the_only_table_needs_no_name(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE sales (x INT)", "INSERT INTO sales VALUES (3)")
    reader = open_reader(TableSource(path=url))
    assert reader.choice() is None
    (table,) = reader.read(ReadOptions())
    assert (table.source, table.frame["x"].to_list()) == (url, [3])


def test_a_schema_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE sales (price REAL)", "INSERT INTO sales VALUES (1.5)")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"sales", b"s\xffles"))
    for source in (TableSource(path=url), TableSource(path=url, query="SELECT * FROM sales")):
        with pytest.raises(DataError):
            read_table(source)


def test_a_lack_of_memory_is_damage_if_the_file_is_damaged(tmp_path: Path) -> None:
    """SQLite says so of a record that is said to be huge."""
    url = database(tmp_path, "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('abcdefgh')")
    (path,) = tmp_path.iterdir()
    with closing(sqlite3.connect(path)) as connection, pytest.raises(MemoryError), translate_errors(url, connection):
        raise MemoryError
    path.write_bytes(path.read_bytes().replace(b"\x1dabcdefgh", b"\xff" * 9))
    damaged = pytest.raises(DataError, match="damaged")
    with closing(sqlite3.connect(path)) as connection, damaged, translate_errors(url, connection):
        raise MemoryError


@pytest.mark.parametrize("query", ['SELECT a AS "" FROM t', 'SELECT a, a AS "" FROM t', None])
def test_a_column_without_a_name_is_refused_by_its_place(tmp_path: Path, query: str | None) -> None:
    url = database(tmp_path, 'CREATE TABLE t (a, "")', "INSERT INTO t VALUES (1, 2), (3, 4)")

    with pytest.raises(DataError) as caught:
        read_table(TableSource(path=url, query=query))
    assert caught.value.location is not None
