from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.database.database import tables_of
from nncli.data.sources.database.duckdb import settings
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource

UTC = datetime.UTC
CELLS: list[tuple[str, pl.DataType, Any]] = [
    ("7::TINYINT", pl.Int8(), 7),
    ("9007199254740993::BIGINT", pl.Int64(), 2**53 + 1),
    ("18446744073709551615::UBIGINT", pl.UInt64(), 2**64 - 1),
    ("sum(7)", pl.Float64(), 7.0),
    ("170141183460469231731687303715884105728::UHUGEINT", pl.Float64(), 2.0**127),
    ("0.1::DOUBLE", pl.Float64(), 0.1),
    ("'nan'::DOUBLE", pl.Float64(), float("nan")),
    ("12345.678::DECIMAL(10, 3)", pl.Float64(), 12345.678),
    ("true", pl.Boolean(), True),
    ("DATE '2024-02-29'", pl.Date(), datetime.date(2024, 2, 29)),
    ("TIMESTAMP '2024-02-29 12:30:00'", pl.Datetime("us"), datetime.datetime(2024, 2, 29, 12, 30)),
    (
        "TIMESTAMPTZ '2024-02-29 12:30:00+02'",
        pl.Datetime("us", "UTC"),
        datetime.datetime(2024, 2, 29, 10, 30, tzinfo=UTC),
    ),
    ("TIME '12:30:00'", pl.Time(), datetime.time(12, 30)),
    ("TIMETZ '12:30:00+02'", pl.String(), "12:30:00+02"),
    ("INTERVAL '1 day 2 seconds'", pl.Float64(), 86_402.0),
    ("'ü'", pl.String(), "ü"),
    ("'glad'::ENUM('sad', 'glad')", pl.String(), "glad"),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", pl.String(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("""'{"a": 1}'::JSON""", pl.String(), '{"a": 1}'),
    (r"'\x00\xFF'::BLOB", pl.Binary(), b"\x00\xff"),
    ("[1, NULL]", pl.List(pl.Int32()), [1, None]),
    ("[1.5::DECIMAL(3, 1)]", pl.List(pl.Float64()), [1.5]),
    ("{'a': 1}", pl.String(), "{'a': 1}"),
    ("map {'a': 1}", pl.String(), "{a=1}"),
    ("'101'::BIT", pl.String(), "101"),
    ("union_value(k := 1)", pl.String(), "1"),
]


def database(folder: Path, *statements: str) -> str:
    """The URL of a DuckDB file."""
    with duckdb.connect(folder / "shop.duckdb") as connection:
        for statement in statements:
            connection.execute(statement)
    return f"duckdb:///{folder / 'shop.duckdb'}"


@pytest.mark.slow
@pytest.mark.parametrize(("expression", "dtype", "value"), CELLS)
def test_a_column_of_each_type_is_read_as_documented(
    tmp_path: Path, expression: str, dtype: pl.DataType, value: Any
) -> None:
    url = database(tmp_path)
    query = f"SELECT x FROM (SELECT 1 AS i, {expression} AS x UNION ALL SELECT 2, NULL) ORDER BY i"
    cells = read_table(TableSource(path=url, query=query)).frame["x"]
    assert cells.dtype == dtype
    assert cells.equals(pl.Series("x", [value, None], dtype=dtype), null_equal=True)
    empty = read_table(TableSource(path=url, query=f"SELECT {expression} AS x LIMIT 0"))
    assert empty.frame.schema == {"x": dtype}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("'infinity'::DATE", "infinite"),
        ("'-infinity'::TIMESTAMP", "infinite"),
        ("'24:00:00'::TIME", "24:00:00"),
        ("9007199254740993::HUGEINT", "too many digits"),
        ("9007199254740993::DECIMAL(20, 0)", "too many digits"),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_row_and_column(tmp_path: Path, expression: str, words: str) -> None:
    query = f"SELECT x FROM (SELECT 1 AS i, NULL AS x UNION ALL SELECT 2, {expression}) ORDER BY i"
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=database(tmp_path), query=query))
    location = caught.value.location
    assert location is not None
    assert (location.row, location.column) == (2, "x")


def test_a_table_is_found_by_its_name_with_schema_and_quotes(tmp_path: Path) -> None:
    url = database(
        tmp_path,
        "CREATE TABLE sales AS SELECT 1 AS a",
        "CREATE VIEW seen AS SELECT 2 AS b",
        'CREATE SCHEMA "my schema"',
        'CREATE TABLE "my schema"."t""; DROP" AS SELECT 3 AS "c d"',
    )
    names = [(table.name, [column.name for column in table.columns]) for table in tables_of(TableSource(path=url))]
    assert names == [('my schema.t"; DROP', ["c d"]), ("sales", ["a"]), ("seen", ["b"])]
    for spelling in ('my schema.t"; DROP', '"my schema"."t""; DROP"'):
        assert read_table(TableSource(path=url, table=spelling)).frame.rows() == [(3,)]
    assert read_table(TableSource(path=url, table="seen")).frame.rows() == [(2,)]
    with pytest.raises(DataError, match="no table 'sale'") as caught:
        read_table(TableSource(path=url, table="sale"))
    assert caught.value.hint == "Did you mean 'sales'?"
    with pytest.raises(UsageError):
        read_table(TableSource(path=url))


@pytest.mark.slow
def test_the_digest_is_that_of_the_copy_and_changes_with_the_rows(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE many AS SELECT i, 'x' || i % 9 AS c FROM range(300000) t(i)")
    reader = open_reader(TableSource(path=url, table="many"))
    (tmp_path / "copy").mkdir()
    copy = reader.copy_to(tmp_path / "copy")
    before = reader.checksum()
    assert copy.checksum() == before
    database(tmp_path, "UPDATE many SET c = 'y' WHERE i = 299999")
    assert reader.checksum() != before


def test_names_in_a_query_are_not_variables_of_the_program(tmp_path: Path) -> None:
    statement = pl.DataFrame({"a": [1]})
    for name in ("statement", "connection", "frame"):
        with pytest.raises(DataError, match=name):
            read_table(TableSource(path=database(tmp_path), query=f"SELECT * FROM {name}"))
    assert len(statement) == 1


def test_a_file_that_is_missing_or_no_database_is_refused(tmp_path: Path) -> None:
    database(tmp_path)
    with pytest.raises(DataError, match="no such database file") as caught:
        read_table(TableSource(path=f"duckdb:///{tmp_path / 'shp.duckdb'}", table="t"))
    assert caught.value.hint == "Did you mean 'shop.duckdb'?"
    (tmp_path / "text.duckdb").write_bytes(b"a,b\n" * 10_000)
    with pytest.raises(DataError, match="not a DuckDB database"):
        read_table(TableSource(path=f"duckdb:///{tmp_path / 'text.duckdb'}", table="t"))


@pytest.mark.slow
def test_a_file_that_another_program_writes_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = database(tmp_path, "CREATE TABLE t AS SELECT 1 AS a")
    program = (
        f"import duckdb; c = duckdb.connect({str(tmp_path / 'shop.duckdb')!r}); print('open', flush=True); input()"
    )
    waits = []
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                writer.communicate("\n")

        monkeypatch.setattr("nncli.data.sources.database.database.sleep", sleep)
        assert read_table(TableSource(path=url, table="t")).frame.rows() == [(1,)]
    assert len(waits) == 2


def test_a_query_reads_other_files_only_if_the_url_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("a\n7\n")
    url = database(tmp_path, f"CREATE VIEW seen AS SELECT * FROM read_csv('{tmp_path / 'file.csv'}')")
    for selection in ({"query": f"SELECT * FROM '{tmp_path / 'file.csv'}'"}, {"table": "seen"}):
        with pytest.raises(DataError, match="no other file") as caught:
            read_table(TableSource(path=url, **selection))
        assert "?enable_external_access=true" in str(caught.value.hint)
        assert read_table(TableSource(path=f"{url}?enable_external_access=true", **selection)).frame.rows() == [(7,)]
        with pytest.raises(DataError):
            read_table(TableSource(path=f"{url}?enable_external_access=false", **selection))


def test_unknown_parameters_of_the_url_are_refused(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE t AS SELECT 1 AS a")
    for parameter in ("enable_external_acces=true", "enable_external_access=yes", "threads=1"):
        with pytest.raises(UsageError, match="unknown parameter") as caught:
            read_table(TableSource(path=f"{url}?{parameter}", table="t"))
        assert "enable_external_access=true" in str(caught.value.hint)


def test_rows_that_wait_in_the_log_of_a_database_are_read(tmp_path: Path) -> None:
    program = (
        "import duckdb, os; c = duckdb.connect('shop.duckdb'); c.execute('CREATE TABLE t AS SELECT 1 AS a');"
        "c.execute('CHECKPOINT'); c.execute('INSERT INTO t VALUES (2)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "shop.duckdb.wal").exists()
    assert read_table(TableSource(path=f"duckdb:///{tmp_path / 'shop.duckdb'}")).frame.rows() == [(1,), (2,)]


@pytest.mark.slow
def test_more_rows_than_memory_are_sorted_in_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database(tmp_path, "CREATE TABLE many AS SELECT hash(i) AS h, 'text ' || i AS s FROM range(1000000) t(i)")
    monkeypatch.setattr(
        "nncli.data.sources.database.duckdb.settings",
        lambda address: {**settings(address), "memory_limit": "30MB", "threads": 2},
    )
    reader = open_reader(TableSource(path=url, query="SELECT * FROM many ORDER BY h, s"))
    assert sum(len(table) for table in reader.read(ReadOptions())) == 1_000_000
