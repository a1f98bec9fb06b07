from __future__ import annotations

from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from nncli.data.io.input_file import InputFile
from nncli.data.io.parquet import ParquetFormat, read_parquet
from nncli.data.io.read_options import ReadOptions
from nncli.errors import DataError


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
