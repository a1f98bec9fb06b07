from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.atomic_files import write_text
from nncli.base.errors import DataError, Location, NncliError, UsageError
from nncli.data.formats.compression import SUFFIXES
from nncli.data.formats.csv.csv_format import DelimitedSink
from nncli.data.formats.registry import FileOptions, Format
from nncli.data.formats.sinks import ColumnCheck
from nncli.data.formats.writers import open_sink, write_table
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import TableSource
from tests.data.formats.support import FRAME, NAMES, TEXT_NAMES, TYPED_NAMES, texts


@pytest.mark.slow
@given(frame=texts(), name=st.sampled_from(TEXT_NAMES), cut=st.integers(0, 6))
def test_text_is_read_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, frame: polars.DataFrame, name: str, cut: int
) -> None:
    path = tmp_path_factory.mktemp("table") / name
    with open_sink(path) as sink:
        sink.write(frame.head(cut))
        sink.write(frame.slice(cut))
    assert read_table(TableSource(path=str(path), quote="double")).frame.equals(
        frame.with_columns(polars.all().fill_null(""))
    )
    with_nulls = frame.with_columns(polars.when(polars.all() != "").then(polars.all()))
    assert read_table(TableSource(path=str(path), quote="double"), missing_values=[""]).frame.equals(with_nulls)


@pytest.mark.slow
@given(frame=texts().filter(lambda frame: frame.height > 0), name=st.sampled_from(TYPED_NAMES))
def test_typed_formats_tell_empty_from_null(
    tmp_path_factory: pytest.TempPathFactory, frame: polars.DataFrame, name: str
) -> None:
    path = tmp_path_factory.mktemp("table") / name
    write_table(frame, path)
    assert read_table(path).frame.equals(frame)


@pytest.mark.parametrize(("width", "dtype", "digits"), [(32, polars.Float32, 9), (64, polars.Float64, 17)])
@given(data=st.data())
def test_numbers_are_written_with_few_digits_that_read_back(
    width: Literal[32, 64], dtype: type[polars.DataType], digits: int, data: st.DataObject
) -> None:
    values = polars.Series("x", data.draw(st.lists(st.floats(width=width), min_size=1)), dtype=dtype)
    buffer = io.BytesIO()
    DelimitedSink(buffer, ",", ColumnCheck("x")).write(values.to_frame())
    texts = buffer.getvalue().decode().splitlines()[1:]
    assert polars.Series("x", list(map(float, texts)), dtype=dtype).equals(values)
    for text in texts:
        mantissa = text.lower().split("e")[0].replace(".", "")
        assert len(mantissa.strip("-0")) <= digits


def test_a_tenth_is_a_tenth_in_both_widths(tmp_path: Path) -> None:
    tenth = polars.DataFrame({"x": [0.1]})
    write_table(tenth.with_columns(y=polars.col("x").cast(polars.Float32)), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"x,y\n0.1,0.1\n"


@pytest.mark.parametrize("name", NAMES)
def test_chunks_are_appended_under_one_header(tmp_path: Path, name: str) -> None:
    with open_sink(tmp_path / name) as sink:
        for _ in range(3):
            sink.write(FRAME)
    frame = read_table(tmp_path / name, missing_values=[""]).frame
    assert frame.with_columns(polars.col("n").cast(polars.Int64)).equals(polars.concat([FRAME] * 3))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_table_of_no_rows_has_its_columns(tmp_path: Path, name: str) -> None:
    write_table(FRAME.clear(), tmp_path / name)
    assert read_table(tmp_path / name).frame.columns == ["n", "s"]


def test_a_parquet_file_is_joined_from_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.formats.sinks.PART_ROWS", 3)
    with open_sink(tmp_path / "a.parquet") as sink:
        for start in range(0, 20, 2):
            sink.write(polars.DataFrame({"n": [start, start + 1]}))
        sink.write(polars.DataFrame({"n": [0.5]}))
    assert read_table(tmp_path / "a.parquet").frame["n"].to_list() == [*range(20), 0.5]
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_a_null_in_the_only_column_is_not_a_blank_line(tmp_path: Path) -> None:
    write_table(polars.DataFrame({"x": [1.5, None]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b'x\n1.5\n""\n'


def test_only_what_needs_quotes_has_them(tmp_path: Path) -> None:
    write_table(polars.DataFrame({"a": ["x y", "x,y", ""], "b": [True, None, False]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b'a,b\nx y,true\n"x,y",\n"",false\n'


def formulas_escaped(path: Path, *frames: polars.DataFrame) -> polars.DataFrame:
    with open_sink(path, FileOptions(escape_formulas=True)) as sink:
        for frame in frames:
            sink.write(frame)
    return read_table(path).frame


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_there_are_no_formulas_to_escape_in_other_formats(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="formulas"):
        formulas_escaped(tmp_path / name, FRAME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_exists_is_kept_unless_forced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="exists"):
        write_table(FRAME, path)
    assert path.read_bytes() == b"old"
    write_table(FRAME, path, FileOptions(force=True))
    assert read_table(path).frame.height == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_whole_or_not_there(tmp_path: Path, name: str) -> None:
    def write_half() -> None:
        with open_sink(tmp_path / name) as sink:
            sink.write(FRAME)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_rows_give_the_same_compressed_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_table(FRAME, tmp_path / f"{name}.csv{suffix}")
    contents = [(tmp_path / f"{name}.csv{suffix}").read_bytes() for name in ("a", "b")]
    assert contents[0] == contents[1] != b"n,s\n1,x\n2,\n"


def write_chunks(path: Path, *chunks: polars.DataFrame) -> None:
    with open_sink(path) as sink:
        for chunk in chunks:
            sink.write(chunk)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_columns_that_change_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="'n' and 's' to 'n'"):
        write_chunks(tmp_path / name, FRAME, FRAME.select("n"))
    assert list(tmp_path.iterdir()) == []


def test_kinds_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_chunks(tmp_path / "a.parquet", polars.DataFrame({"a": [1]}), polars.DataFrame({"a": [[1]]}))
    assert list(tmp_path.iterdir()) == []


def test_what_csv_cannot_hold_is_refused_with_its_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_table(polars.DataFrame({"a": [1], "b": [[1]]}), tmp_path / "a.csv")
    assert caught.value.location is not None
    assert caught.value.location.column == "b"


@pytest.mark.parametrize("chosen", [None, *Format])
def test_standard_output_holds_the_table(
    capsysbinary: pytest.CaptureFixture[bytes], chosen: Format | None, tmp_path: Path
) -> None:
    write_table(FRAME, None, FileOptions(format=chosen))
    suffix = (chosen or Format.CSV).value
    (tmp_path / f"a.{suffix}").write_bytes(capsysbinary.readouterr().out)
    assert read_table(tmp_path / f"a.{suffix}").frame["n"].cast(polars.Int64).to_list() == [1, 2]


def test_a_reader_that_goes_away_is_left_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(Closed()))
    with pytest.raises(BrokenPipeError):
        write_table(FRAME, None)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_table(FRAME, Path("/dev/null"))
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("write", [lambda path: write_table(FRAME, path), lambda path: write_text(path, "x")])
def test_a_device_that_takes_no_more_is_named(write: Callable[[Path], None]) -> None:
    with pytest.raises(NncliError, match="cannot write the file: No space left on device") as caught:
        write(Path("/dev/full"))
    assert caught.value.location == Location(source="/dev/full")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NncliError, match="cannot write"):
        write_table(FRAME, tmp_path / "file" / "a.csv")


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xlsx"):
        write_table(FRAME, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []
