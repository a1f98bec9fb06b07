from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.single_file import FileReader, ZipReader
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import TableSource, as_source


def test_the_name_decides_the_format_and_the_messages_also_of_a_copy(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("a\tb\n1,5\t2\n")
    reader = FileReader(InputFile(tmp_path / "0", "s3://bucket/t.tsv"))
    (table,) = reader.read(ReadOptions())
    assert (table.source, table.names) == ("s3://bucket/t.tsv", ["a", "b"])


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\n1\n")
    checksum = FileReader(InputFile.of(tmp_path / "t.csv")).checksum()
    assert checksum.sha256 == hashlib.sha256(b"a\n1\n").hexdigest()
    assert checksum.files == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_read_once_and_has_no_checksum(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = FileReader(InputFile.of(tmp_path / "pipe"))
    assert reader.is_read_once
    assert not reader.is_columnar
    assert reader.checksum().sha256 is None


def test_a_name_without_a_known_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a\n1\n")
    with pytest.raises(UsageError):
        list(FileReader(InputFile.of(tmp_path / "t")).read(ReadOptions()))


@pytest.mark.parametrize(
    ("content", "details"),
    [
        (b"a,b\n1,2\n3,4\n", {"encoding": "utf-8", "separator": ",", "header line": 1}),
        (
            b"Sales of M\xe4rz\n\nprice;amount\n1.234,5;2\n3,5;4\n",
            {"encoding": "cp1252", "separator": ";", "decimal mark": ",", "header line": 3},
        ),
    ],
)
def test_the_first_table_of_a_text_says_how_it_was_read(
    tmp_path: Path, content: bytes, details: dict[str, str | int]
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert dict(read_table(tmp_path / "a.csv").details) == {"format": "csv", **details}


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_typed_formats_name_themselves_once(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"x": [1, 2, 3]})
    (frame.write_parquet if name.endswith("parquet") else frame.write_ndjson)(tmp_path / name)
    first, *others = read_chunks(tmp_path / name, rows=2)
    assert dict(first.details) == {"format": name[2:]}
    assert others


def test_the_rows_of_a_file_are_counted_only_where_that_is_cheap(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1, 2, 3]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    counts = [open_reader(as_source(tmp_path / name)).count_rows() for name in ("a.parquet", "a.csv")]
    assert counts == [3, None]


def test_a_file_is_one_table(tmp_path: Path) -> None:
    assert open_reader(as_source(tmp_path / "a.csv")).choice() is None


@pytest.mark.parametrize("name", ["salez", "shop.sqlite", "t.cvs"])
def test_a_file_that_is_not_there_is_named_before_its_format(tmp_path: Path, name: str) -> None:
    (tmp_path / "sales").touch()
    with pytest.raises(DataError):
        list(FileReader(InputFile.of(tmp_path / name)).read(ReadOptions()))


def test_the_file_of_a_database_is_named_by_a_url(tmp_path: Path) -> None:
    (tmp_path / "shop.db").touch()
    keys: list[dict[str, str]] = [{}, {"table": "sales"}]
    for key in keys:
        with pytest.raises(UsageError) as caught:
            list(
                open_reader(TableSource.model_validate({"path": str(tmp_path / "shop.db"), **key})).read(ReadOptions())
            )
        assert f"sqlite:///{tmp_path}/shop.db" in (caught.value.hint or "")


def test_a_workbook_from_a_pipe_is_told_from_a_zip_file_with_a_table() -> None:
    workbook = Path(__file__).parents[1] / "workbooks" / "openpyxl-since-1900.xlsx"
    with pytest.raises(DataError, match="workbook"):
        list(ZipReader(InputFile(workbook, "standard input")).read(ReadOptions()))
