from __future__ import annotations

from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.formats.parquet import ParquetFormat, read_parquet
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile
from nncli.data.sources.read_table import read_table
from tests.data.formats.parquet_files import ParquetParts


def test_rows_come_in_groups_with_the_number_of_the_first(tmp_path: Path) -> None:
    pl.DataFrame({"x": range(5)}).write_parquet(tmp_path / "t.parquet")
    groups = [(first, frame["x"].to_list()) for first, frame in read_parquet(tmp_path / "t.parquet", "t", 2)]
    assert groups == [(1, [0, 1]), (3, [2, 3]), (5, [4])]


def test_a_stream_is_read_as_the_file_is(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, None]}).write_parquet(tmp_path / "t.parquet")
    (of_file,) = ParquetFormat().read_file(InputFile.of(tmp_path / "t.parquet"), ReadOptions())
    stream = BytesIO((tmp_path / "t.parquet").read_bytes())
    (of_stream,) = ParquetFormat().read_stream(stream, InputFile.of(None), ReadOptions())
    assert of_file.frame.equals(of_stream.frame)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1 and nothing more"])
def test_what_is_no_parquet_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_parquet(tmp_path / "t.parquet", "t.parquet", None))
    assert caught.value.location is not None
    assert caught.value.location.source == "t.parquet"


def with_negative_page(path: Path) -> None:
    """Write two groups of rows, of which the second has a page of minus one values."""
    pl.DataFrame({"x": range(6)}).write_parquet(path, row_group_size=3)
    parts = ParquetParts.of(path.read_bytes())
    parts.pages[1][-1][0].value[5].value[1].value = -1
    path.write_bytes(parts.bytes(parts.place()))


def test_a_page_that_would_end_the_process_is_refused(tmp_path: Path) -> None:
    with_negative_page(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="negative"):
        list(read_parquet(tmp_path / "t.parquet", "t", None))
    with (tmp_path / "t.parquet").open("rb") as stream, pytest.raises(DataError, match="negative"):
        list(ParquetFormat().read_stream(stream, InputFile.of(None), ReadOptions()))


def test_groups_of_rows_are_checked_when_they_are_read(tmp_path: Path) -> None:
    with_negative_page(tmp_path / "t.parquet")
    tables = read_parquet(tmp_path / "t.parquet", "t", 3)
    assert next(tables)[1]["x"].to_list() == [0, 1, 2]
    with pytest.raises(DataError, match="negative"):
        next(tables)


def test_every_file_of_a_folder_is_checked(tmp_path: Path) -> None:
    pl.DataFrame({"x": range(6)}).write_parquet(tmp_path / "1.parquet")
    with_negative_page(tmp_path / "2.parquet")
    with pytest.raises(DataError) as caught:
        read_table(tmp_path)
    assert caught.value.location is not None
    assert caught.value.location.source == str(tmp_path / "2.parquet")
