from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.sources.database.database import tables_of
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.services.servers import PASSWORD, Server, run_sql

UTC = datetime.UTC
CELLS: list[tuple[str, str, pl.DataType, Any]] = [
    ("smallint", "7", pl.Int16(), 7),
    ("integer", "-7", pl.Int32(), -7),
    ("bigint", "9007199254740993", pl.Int64(), 2**53 + 1),
    ("real", "1.5", pl.Float32(), 1.5),
    ("double precision", "0.1", pl.Float64(), 0.1),
    ("double precision", "'NaN'", pl.Float64(), math.nan),
    ("numeric", "12345.678", pl.Float64(), 12345.678),
    ("numeric", "'NaN'", pl.Float64(), math.nan),
    ("numeric(30, 0)", "9007199254740992", pl.Float64(), 2.0**53),
    ("boolean", "true", pl.Boolean(), True),
    ("date", "'2024-02-29'", pl.Date(), datetime.date(2024, 2, 29)),
    ("timestamp", "'2024-02-29 12:30:00.5'", pl.Datetime("us"), datetime.datetime(2024, 2, 29, 12, 30, 0, 500_000)),
    (
        "timestamptz",
        "'2024-02-29 12:30:00+02'",
        pl.Datetime("us", "UTC"),
        datetime.datetime(2024, 2, 29, 10, 30, tzinfo=UTC),
    ),
    ("time", "'12:30:00'", pl.Time(), datetime.time(12, 30)),
    ("timetz", "'12:30:00+02'", pl.String(), "12:30:00+02"),
    ("interval", "'1 day 2 seconds'", pl.Float64(), 86_402.0),
    ("text", "'ü'", pl.String(), "ü"),
    ("varchar(9)", "'x '", pl.String(), "x "),
    ("char(5)", "'x'", pl.String(), "x"),
    ("uuid", "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'", pl.String(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", "'{\"a\": 1}'", pl.String(), '{"a": 1}'),
    ("jsonb", "'{\"a\":1}'", pl.String(), '{"a": 1}'),
    ("bytea", r"'\x00ff'", pl.Binary(), b"\x00\xff"),
    ("integer[]", "'{1,NULL}'", pl.List(pl.Int32()), [1, None]),
    ("text[]", "'{a,b}'", pl.List(pl.String()), ["a", "b"]),
    ("numeric[]", "'{1.5}'", pl.List(pl.Float64()), [1.5]),
    (
        "uuid[]",
        "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'",
        pl.List(pl.String()),
        ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    ),
    ("mood", "'glad'", pl.String(), "glad"),
    ("percentage", "12", pl.Int32(), 12),
    ("money", "'$1234.56'", pl.Float64(), 1234.56),
    ("oid", "4000000000", pl.Int64(), 4_000_000_000),
    ("inet", "'10.0.0.1'", pl.String(), "10.0.0.1/32"),
    ("bit(3)", "'101'", pl.String(), "101"),
    ("int4range", "'[1,5)'", pl.String(), "[1,5)"),
    ("point", "'(1,2)'", pl.String(), "(1,2)"),
    ("numeric", "'-Infinity'", pl.Float64(), -math.inf),
    ("int4multirange", "'{[1,2)}'", pl.String(), "{[1,2)}"),
    ("xml", "'<a/>'", pl.String(), "<a/>"),
    ("bit varying", "'101'", pl.String(), "101"),
    ("macaddr", "'08:00:2b:01:02:03'", pl.String(), "08:00:2b:01:02:03"),
    ("polygon", "'((0,0),(1,1))'", pl.String(), "((0,0),(1,1))"),
    ("tsvector", "'a b'", pl.String(), "'a' 'b'"),
    ("pair", "ROW(1, 'a')", pl.String(), "(1,a)"),
    ("mood[]", "'{glad}'", pl.List(pl.String()), ["glad"]),
    ("date[]", "'{2024-02-29}'", pl.List(pl.Date()), [datetime.date(2024, 2, 29)]),
    ("integer[]", "'{{1,2},{3,4}}'", pl.List(pl.Int32()), [1, 2, 3, 4]),
]


@pytest.fixture(scope="module", autouse=True)
def types(postgresql_url: str) -> None:
    run_sql(
        postgresql_url,
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE pair AS (a integer, b text)",
        "CREATE DOMAIN percentage AS integer CHECK (VALUE BETWEEN 0 AND 100)",
    )


@pytest.mark.parametrize(("type_name", "literal", "dtype", "value"), CELLS)
def test_a_column_of_each_type_is_read_as_documented(
    postgresql_url: str, type_name: str, literal: str, dtype: pl.DataType, value: Any
) -> None:
    query = f"SELECT CAST({literal} AS {type_name}) AS x UNION ALL SELECT NULL"
    cells = read_table(TableSource(path=postgresql_url, query=query)).frame["x"]
    expected = pl.Series("x", [value, None], dtype=dtype)
    assert cells.dtype == dtype
    assert cells.equals(expected, null_equal=True)
    empty = read_table(TableSource(path=postgresql_url, query=f"SELECT * FROM ({query}) AS q WHERE false"))
    assert empty.frame.schema == {"x": dtype}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("'infinity'::timestamp", "infinite"),
        ("'-infinity'::date", "infinite"),
        ("'0044-03-15 BC'::date", "years 1 to 9999"),
        ("9007199254740993::numeric", "too many digits"),
        ("1e400::numeric", "too large"),
        ("'{2024-01-01,infinity}'::date[]", "infinite"),
        ("'{2024-01-01,-infinity}'::timestamptz[]", "infinite"),
        ("'[2:3]={1,2}'::integer[]", "an array"),
        ("'24:00:00'::time", "24:00:00"),
        ("'{01:00,24:00}'::time[]", "a time of an array"),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_row_and_column(
    postgresql_url: str, expression: str, words: str
) -> None:
    query = f"SELECT NULL AS x UNION ALL SELECT {expression}"
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=postgresql_url, query=query))
    location = caught.value.location
    assert location is not None
    assert location.column == "x"
    assert location.row == (None if "array" in words else 2)


def test_a_table_is_found_by_its_name_with_schema_and_quotes(postgresql_url: str) -> None:
    run_sql(
        postgresql_url,
        'CREATE SCHEMA "My Schema"',
        'CREATE TABLE "My Schema"."Sales ""2024""; DROP" ("a b" integer, "select" text)',
        """INSERT INTO "My Schema"."Sales ""2024""; DROP" VALUES (1, 'x')""",
        "CREATE VIEW seen AS SELECT 2 AS b",
    )
    tables = {table.name: table for table in tables_of(TableSource(path=postgresql_url))}
    name = 'My Schema.Sales "2024"; DROP'
    assert [column.name for column in tables[name].columns] == ["a b", "select"]
    for spelling in (name, '"My Schema"."Sales ""2024""; DROP"'):
        frame = read_table(TableSource(path=postgresql_url, table=spelling)).frame
        assert frame.to_dict(as_series=False) == {"a b": [1], "select": ["x"]}
    assert read_table(TableSource(path=postgresql_url, table="seen")).frame.rows() == [(2,)]
    assert read_table(TableSource(path=postgresql_url, table="public.seen")).frame.rows() == [(2,)]
    with pytest.raises(DataError, match="no table 'sen'") as caught:
        read_table(TableSource(path=postgresql_url, table="sen"))
    assert caught.value.hint == "Did you mean 'seen'?"
    with pytest.raises(UsageError) as usage:
        read_table(TableSource(path=postgresql_url))
    assert "'seen'" in str(usage.value.hint)


def test_the_digest_is_that_of_the_copy_and_changes_with_the_rows(postgresql_url: str, tmp_path: Path) -> None:
    run_sql(postgresql_url, "CREATE TABLE many AS SELECT i, 'x' || i % 9 AS c FROM generate_series(1, 200000) AS i")
    reader = open_reader(TableSource(path=postgresql_url, table="many"))
    copy = reader.copy_to(tmp_path)
    assert copy.checksum() == reader.checksum()
    assert copy.name == reader.name
    run_sql(postgresql_url, "UPDATE many SET c = 'y' WHERE i = 150000")
    assert copy.checksum() != reader.checksum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-password"), "password authentication failed"),
        (lambda url: url.replace("/shop", "/shoe"), "does not exist"),
        (lambda url: url.replace("127.0.0.1", "nowhere.invalid"), "nowhere.invalid"),
        (lambda url: url + "?bogus=1", "bogus"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_the_password(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch, change: Any, words: str
) -> None:
    monkeypatch.setattr("nncli.data.sources.database.database.WAITS", [0.0, 0.0])
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=change(postgresql.url), table="x"))
    assert PASSWORD not in str(caught.value)
    assert "wrong-password" not in str(caught.value)
    assert "@" not in str(caught.value)


def test_user_and_password_come_from_the_environment(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "learner")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert read_table(TableSource(path=f"{postgresql.public_url}?application_name=x", query="SELECT 1 AS a")).names == [
        "a"
    ]
