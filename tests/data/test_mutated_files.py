"""Damaged files of every format are read, or refused with an error of nncli; no file ends the process."""

from __future__ import annotations

import datetime
import io
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl
import pytest

from tests.data.formats.parquet_files import mutated_parquet
from tests.data.mutated_files import Mutation, failures, mutated_bytes, mutated_in_place, mutated_members
from tests.data.sources.workbook.support import write
from tests.data.sources.workbook.xlsb import write_xlsb
from tests.thorough import every, partly

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes are those of POSIX")

pq = pytest.importorskip("pyarrow.parquet")
WORKBOOKS = Path("tests/data/workbooks")
TABLE = pl.DataFrame(
    {
        "a": range(40),
        "b": [f"w{i % 5}" for i in range(40)],
        "c": [None if i % 7 == 0 else i * 1.5 for i in range(40)],
        "d": [datetime.date(2024, 1, 1)] * 40,
    }
)
NESTED = TABLE.with_columns(
    l=pl.Series([[i, None] if i % 3 else [] for i in range(40)]), s=pl.struct(x="a", y="b"), e=pl.col("a") > 7
)
ENCODINGS = {"a": "DELTA_BINARY_PACKED", "b": "DELTA_BYTE_ARRAY", "c": "BYTE_STREAM_SPLIT"}


def bytes_of(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def parquet_files() -> dict[str, bytes]:
    arrow = NESTED.to_arrow()
    options = {"use_dictionary": False, "column_encoding": ENCODINGS, "compression": "brotli"}
    return {
        "nested.parquet": bytes_of(lambda file: NESTED.write_parquet(file, compression="uncompressed")),
        "groups.parquet": bytes_of(lambda file: TABLE.write_parquet(file, row_group_size=15)),
        "v1.parquet": bytes_of(lambda file: pq.write_table(arrow, file, compression="none", data_page_size=64)),
        "v2.parquet": bytes_of(lambda file: pq.write_table(arrow, file, data_page_version="2.0")),
        "encodings.parquet": bytes_of(lambda file: pq.write_table(TABLE.to_arrow(), file, **options)),
    }


def arrow_files() -> dict[str, bytes]:
    categories = TABLE.with_columns(pl.col("b").cast(pl.Categorical))
    return {
        "t.arrow": bytes_of(lambda file: NESTED.write_ipc(file, compression="uncompressed")),
        "t.feather": bytes_of(lambda file: categories.write_ipc(file, compression="zstd")),
        "t.arrows": bytes_of(lambda file: NESTED.write_ipc_stream(file, compression="lz4")),
    }


def avro_files() -> dict[str, bytes]:
    codecs: tuple[Literal["uncompressed", "snappy", "deflate"], ...] = ("uncompressed", "snappy", "deflate")
    files = {}
    for codec in codecs:
        file = io.BytesIO()
        TABLE.write_avro(file, compression=codec)
        files[f"{codec}.avro"] = file.getvalue()
    return files


def zip_files() -> dict[str, bytes]:
    def save(name: str, data: bytes, compression: int) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr(name, data)
        return file.getvalue()

    text = TABLE.write_csv().encode()
    return {
        "deflate.zip": save("t.csv", text, zipfile.ZIP_DEFLATED),
        "lzma.zip": save("t.csv", text, zipfile.ZIP_LZMA),
        "stored.zip": save("t.arrow", arrow_files()["t.arrow"], zipfile.ZIP_STORED),
    }


def workbooks(folder: Path) -> dict[str, bytes]:
    write(folder / "t.xlsx", [TABLE.columns, *TABLE.rows()])
    write_xlsb(folder / "t.xlsb", [["a", "b"], [1, "x"], [2.5, "y"], [3, (7,)]], ((0, 0, 0, 1),))
    return {
        **{path.name: path.read_bytes() for path in (folder / "t.xlsx", folder / "t.xlsb")},
        "t.ods": (WORKBOOKS / "libreoffice-since-1900.ods").read_bytes(),
    }


def old_workbooks() -> dict[str, bytes]:
    return {"t.xls": (WORKBOOKS / "libreoffice-since-1900.xls").read_bytes()}


def sqlite_file(folder: Path) -> dict[str, bytes]:
    path = folder / "t.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE t (a INTEGER, b TEXT, c REAL, d BLOB)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(i, f"w{i % 5}", i / 3, b"x") for i in range(40)])
    database.close()
    return {path.name: path.read_bytes()}


def duckdb_file(folder: Path) -> dict[str, bytes]:
    path = folder / "t.duckdb"
    with duckdb.connect(path) as database:
        database.execute("CREATE TABLE t AS SELECT i AS a, 'w' || (i % 5) AS b, i / 3 AS c FROM range(40) r(i)")
    return {path.name: path.read_bytes()}


@pytest.mark.slow
@partly
@pytest.mark.parametrize(
    ("kind", "mutate", "n"),
    [
        ("parquet", mutated_parquet, 4000),
        ("parquet", mutated_bytes, 2000),
        ("arrow", mutated_bytes, 3000),
        ("avro", mutated_bytes, 2000),
        ("jsonl", mutated_bytes, 1000),
        ("zip", mutated_members, 2000),
        ("workbooks", mutated_members, 3000),
        ("xls", mutated_bytes, 1500),
        ("xls", mutated_in_place, 1500),
        ("sqlite", mutated_bytes, 2000),
        ("duckdb", mutated_in_place, 1000),
    ],
)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, kind: str, mutate: Mutation, n: int) -> None:
    files: dict[str, Callable[[], dict[str, bytes]]] = {
        "parquet": parquet_files,
        "arrow": arrow_files,
        "avro": avro_files,
        "jsonl": lambda: {"t.jsonl": NESTED.write_ndjson().encode()},
        "zip": zip_files,
        "workbooks": lambda: workbooks(tmp_path),
        "xls": old_workbooks,
        "sqlite": lambda: sqlite_file(tmp_path),
        "duckdb": lambda: duckdb_file(tmp_path),
    }
    assert failures(files[kind](), mutate, range(0, n, every(60))) == []
