from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.formats.arrow import ArrowFormat
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile
from nncli.data.formats.writers import open_sink, write_table
from nncli.data.sources.read_table import read_chunks, read_table

FRAME = pl.DataFrame(
    {
        "n": [1, None, 3, 4, 5],
        "x": [0.5, 1.5, None, float("nan"), 2.0],
        "s": ["a", "", None, "Zürich", "e"],
        "c": pl.Series(["u", "v", "u", None, "w"], dtype=pl.Categorical),
        "t": [datetime.datetime(2025, 1, day, tzinfo=datetime.UTC) for day in range(1, 6)],
        "l": [[1], [], None, [2, 3], [4]],
    }
)


Compression: TypeAlias = Literal["uncompressed", "lz4", "zstd"]


def write(path: Path, compression: Compression = "uncompressed") -> Path:
    if path.suffix == ".arrows":
        FRAME.write_ipc_stream(path, compression=compression)
    else:
        FRAME.write_ipc(path, record_batch_size=2, compression=compression)
    return path


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize("name", ["a.arrow", "a.feather", "a.ipc", "a.arrows"])
def test_a_file_and_a_stream_are_read_whole_and_in_chunks(tmp_path: Path, name: str, compression: Compression) -> None:
    path = write(tmp_path / name, compression)
    assert read_table(path).frame.equals(FRAME)
    chunks = [*read_chunks(path, rows=2)]
    assert [(chunk.first_row, len(chunk)) for chunk in chunks] == [(1, 2), (3, 2), (5, 1)]
    assert pl.concat([chunk.frame for chunk in chunks]).equals(FRAME)


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
def test_standard_input_is_detected(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(write(tmp_path / name).read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    assert read_table(None).frame.equals(FRAME)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    with open_sink(tmp_path / "a.arrow.zst") as sink:
        sink.write(FRAME)
    assert read_table(tmp_path / "a.arrow.zst").frame.equals(FRAME)


def test_a_file_is_joined_from_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.formats.sinks.PART_ROWS", 3)
    with open_sink(tmp_path / "a.arrow") as sink:
        for start in range(0, 20, 2):
            sink.write(pl.DataFrame({"n": [start, start + 1]}))
        sink.write(pl.DataFrame({"n": [0.5]}))
    assert read_table(tmp_path / "a.arrow").frame["n"].to_list() == [*range(20), 0.5]
    assert [path.name for path in tmp_path.iterdir()] == ["a.arrow"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.arrow", "b.arrow"):
        write_table(FRAME, tmp_path / name)
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
def test_a_table_of_no_rows_has_its_columns(tmp_path: Path, name: str) -> None:
    empty, path = FRAME.clear(), tmp_path / name
    empty.write_ipc(path) if name == "a.arrow" else empty.write_ipc_stream(path)
    (table,) = read_chunks(path)
    assert table.frame.schema == FRAME.schema


def test_the_rows_of_a_file_are_counted_without_reading_them(tmp_path: Path) -> None:
    counts = [ArrowFormat().count_rows(InputFile.of(write(tmp_path / name))) for name in ("a.arrow", "a.arrows")]
    assert counts == [5, None]


def rows_of(path: Path, content: bytes) -> pl.DataFrame | str | None:
    """The rows of a file, or the source of the error."""
    path.write_bytes(content)
    try:
        return pl.concat([table.frame for table in read_chunks(path, rows=2)])
    except DataError as error:
        return error.location.source if error.location else None


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_a_truncated_file_is_refused(tmp_path: Path, compression: Compression) -> None:
    content = write(tmp_path / "a.arrow", compression).read_bytes()
    for cut in [*range(len(content) - 1, 0, -101), *range(20)]:
        assert rows_of(tmp_path / "cut.arrow", content[:cut]) == str(tmp_path / "cut.arrow")


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_a_truncated_stream_is_refused_or_ends_behind_a_batch(tmp_path: Path, compression: Compression) -> None:
    content = write(tmp_path / "a.arrows", compression).read_bytes()
    for cut in [*range(len(content) - 1, 0, -101), *range(20)]:
        result = rows_of(tmp_path / "cut.arrow", content[:cut])
        if isinstance(result, pl.DataFrame):
            assert result.equals(FRAME[: len(result)])
        else:
            assert result == str(tmp_path / "cut.arrow")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"FEA1 and more", b"ARROW1 and more text", b"\xff" * 40])
def test_what_is_no_arrow_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.arrow").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "a.arrow")
    assert caught.value.location is not None
    assert caught.value.location.source == str(tmp_path / "a.arrow")


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
def test_a_batch_that_grows_absurdly_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"x": pl.zeros(1_000_000, eager=True)})
    path = tmp_path / name
    if name == "a.arrow":
        frame.write_ipc(path, compression="zstd", record_batch_size=1_000_000)
    else:
        frame.write_ipc_stream(path, compression="zstd")
    assert read_table(path).frame.equals(frame)
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 500)
    with pytest.raises(DataError, match="500 times"):
        read_table(path)


def test_a_changed_dictionary_holds_for_the_batches_behind_it() -> None:
    first, two = (pl.DataFrame({"c": pl.Series([a, b], dtype=pl.Categorical)}) for a, b in ("uv", "wx"))
    parts = []
    for frame in (first, two):
        frame.write_ipc_stream(content := io.BytesIO())
        parts.append(content.getvalue())
    schema = 8 + int.from_bytes(parts[0][4:8], "little")
    stream = io.BytesIO(parts[0][:-8] + parts[1][schema:])
    tables = [*ArrowFormat().read_stream(stream, InputFile.of(None), ReadOptions())]
    assert [cell for table in tables for cell in table.frame["c"].cast(pl.String)] == ["u", "v", "w", "x"]


@pytest.mark.parametrize("number", [-1, (1 << 63) - 1, -(1 << 63)])
def test_a_batch_of_a_number_of_rows_that_cannot_be_is_refused(tmp_path: Path, number: int) -> None:
    pl.DataFrame({"a": range(1234)}).write_ipc(tmp_path / "t.arrow", compression="uncompressed")
    data = (tmp_path / "t.arrow").read_bytes()
    rows = (1234).to_bytes(8, "little")
    assert rows in data
    (tmp_path / "t.arrow").write_bytes(data.replace(rows, number.to_bytes(8, "little", signed=True)))
    for read in (read_table, lambda path: [*read_chunks(path, rows=10)]):
        with pytest.raises(DataError, match="damaged"):
            read(tmp_path / "t.arrow")
