from __future__ import annotations

import datetime
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
    ("TINYINT", "-7", pl.Int64(), -7),
    ("BOOLEAN", "TRUE", pl.Int64(), 1),
    ("INT UNSIGNED", "4000000000", pl.Int64(), 4_000_000_000),
    ("BIGINT", "9007199254740993", pl.Int64(), 2**53 + 1),
    ("BIGINT UNSIGNED", "18446744073709551615", pl.UInt64(), 2**64 - 1),
    ("FLOAT", "123456.789", pl.Float64(), 123456.7890625),
    ("DOUBLE", "0.1", pl.Float64(), 0.1),
    ("DECIMAL(10, 3)", "12345.678", pl.Float64(), 12345.678),
    ("DATE", "'2024-02-29'", pl.Date(), datetime.date(2024, 2, 29)),
    ("DATETIME", "'2024-02-29 12:30:00'", pl.Datetime("us"), datetime.datetime(2024, 2, 29, 12, 30)),
    ("DATETIME(6)", "'2024-02-29 12:30:00.5'", pl.Datetime("us"), datetime.datetime(2024, 2, 29, 12, 30, 0, 500_000)),
    (
        "TIMESTAMP",
        "'2024-02-29 12:30:00'",
        pl.Datetime("us", "UTC"),
        datetime.datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    ),
    ("TIME", "'-30:00:01'", pl.Float64(), -108_001.0),
    ("YEAR", "2024", pl.Int64(), 2024),
    ("CHAR(5)", "'x'", pl.String(), "x"),
    ("VARCHAR(9)", "'ü '", pl.String(), "ü "),
    ("TEXT", "'ü'", pl.String(), "ü"),
    ("ENUM('sad', 'glad')", "'glad'", pl.String(), "glad"),
    ("SET('a', 'b')", "'a,b'", pl.String(), "a,b"),
    ("JSON", "'{\"a\": 1}'", pl.String(), '{"a": 1}'),
    ("BINARY(3)", "x'00ff'", pl.Binary(), b"\x00\xff\x00"),
    ("BLOB", "x'00ff'", pl.Binary(), b"\x00\xff"),
    ("BIT(1)", "b'1'", pl.Boolean(), True),
    ("TIME(6)", "'838:59:58.5'", pl.Float64(), 3_020_398.5),
    ("DECIMAL(65, 30)", "0.1", pl.Float64(), 0.1),
    ("INET6", "'::1'", pl.String(), "::1"),
    ("UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", pl.String(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("BIT(64)", "b'1'", pl.UInt64(), 1),
    ("INT ZEROFILL", "5", pl.Int64(), 5),
    ("BIT(12)", "b'100000000001'", pl.UInt64(), 2049),
]


@pytest.mark.parametrize(("type_name", "literal", "dtype", "value"), CELLS)
def test_a_column_of_each_type_is_read_as_documented(
    mysql_url: str, type_name: str, literal: str, dtype: pl.DataType, value: Any
) -> None:
    run_sql(
        mysql_url,
        "SET time_zone = '+00:00'",
        "DROP TABLE IF EXISTS one",
        f"CREATE TABLE one (x {type_name} NULL)",
        f"INSERT INTO one VALUES ({literal}), (NULL)",
    )
    cells = read_table(TableSource(path=mysql_url, table="one")).frame["x"]
    assert cells.dtype == dtype
    assert cells.equals(pl.Series("x", [value, None], dtype=dtype), null_equal=True)
    empty = read_table(TableSource(path=mysql_url, query="SELECT x FROM one WHERE false"))
    assert empty.frame.schema == {"x": dtype}


@pytest.mark.parametrize(
    ("definition", "literal", "words"),
    [
        ("DATE", "'0000-00-00'", "date '0000-00-00'"),
        ("DATE", "'2024-00-10'", "date '2024-00-10'"),
        ("DECIMAL(65, 0)", "12345678901234567890123456789012345", "too many digits"),
        ("DATETIME", "'0000-00-00 00:00:00'", "datetime '0000-00-00 00:00:00'"),
        ("DECIMAL(20, 0)", "9007199254740993", "too many digits"),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_row_and_column(
    mysql_url: str, definition: str, literal: str, words: str
) -> None:
    run_sql(
        mysql_url,
        "SET SESSION sql_mode = ''",
        "DROP TABLE IF EXISTS bad",
        f"CREATE TABLE bad (i INT, x {definition} NULL)",
        f"INSERT INTO bad VALUES (1, NULL), (2, {literal})",
    )
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=mysql_url, query="SELECT x FROM bad ORDER BY i"))
    location = caught.value.location
    assert location is not None
    assert (location.row, location.column) == (2, "x")


def test_a_table_is_found_by_its_name(mysql_url: str) -> None:
    run_sql(
        mysql_url,
        "CREATE TABLE `we``ird; DROP` (`a b` INT, `select` FLOAT)",
        "INSERT INTO `we``ird; DROP` VALUES (1, 0.1)",
    )
    tables = {table.name: table for table in tables_of(TableSource(path=mysql_url))}
    assert [column.name for column in tables["we`ird; DROP"].columns] == ["a b", "select"]
    for spelling in ("we`ird; DROP", "`we``ird; DROP`"):
        assert read_table(TableSource(path=mysql_url, table=spelling)).names == ["a b", "select"]
    with pytest.raises(DataError, match="no table") as caught:
        read_table(TableSource(path=mysql_url, table="weird drop"))
    assert caught.value.hint == "Did you mean 'we`ird; DROP'?"
    with pytest.raises(UsageError):
        read_table(TableSource(path=mysql_url))


def test_strings_are_read_as_the_check_of_queries_reads_them(mysql_url: str) -> None:
    run_sql(mysql_url, "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'")
    query = r"""SELECT '\'; DELETE' AS a, "b" AS b, @@SESSION.sql_mode AS c"""
    frame = read_table(TableSource(path=mysql_url, query=query)).frame
    run_sql(mysql_url, "SET GLOBAL sql_mode = DEFAULT")
    assert frame.rows() == [("'; DELETE", "b", "STRICT_TRANS_TABLES")]


def test_the_digest_is_that_of_the_copy_and_changes_with_the_rows(mysql_url: str, tmp_path: Path) -> None:
    run_sql(
        mysql_url,
        "CREATE TABLE many (i INT PRIMARY KEY, c VARCHAR(9))",
        "INSERT INTO many SELECT seq, seq FROM seq_1_to_70000",
    )
    reader = open_reader(TableSource(path=mysql_url, table="many"))
    copy = reader.copy_to(tmp_path)
    assert copy.checksum() == reader.checksum()
    run_sql(mysql_url, "UPDATE many SET c = 'y' WHERE i = 69000")
    assert copy.checksum() != reader.checksum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-password"), "Access denied"),
        (lambda url: url.replace("/shop", "/shoe"), "shoe"),
        (lambda url: url.replace("127.0.0.1", "nowhere.invalid"), "nowhere.invalid"),
        (lambda url: url.replace("127.0.0.1", "127.0.0.1:1").rpartition(":")[0] + "/shop", "127.0.0.1"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_the_password(
    mysql: Server, monkeypatch: pytest.MonkeyPatch, change: Any, words: str
) -> None:
    monkeypatch.setattr("nncli.data.sources.database.database.WAITS", [0.0, 0.0])
    with pytest.raises(DataError, match=words) as caught:
        read_table(TableSource(path=change(mysql.url), table="x"))
    assert PASSWORD not in str(caught.value)
    assert "wrong-password" not in str(caught.value)


def test_unknown_parameters_of_the_url_are_refused(mysql_url: str) -> None:
    with pytest.raises(UsageError, match="ssl-caa") as caught:
        read_table(TableSource(path=mysql_url + "?ssl-caa=x", table="x"))
    assert caught.value.hint == "Did you mean ssl_ca?"


def test_user_and_password_come_from_the_environment(mysql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_USER", "learner")
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)
    assert read_table(TableSource(path=f"{mysql.public_url}?ssl-verify-cert=false", query="SELECT 1 AS a")).names == [
        "a"
    ]
