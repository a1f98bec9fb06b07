from __future__ import annotations

import hashlib
import itertools
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError, NncliError, UsageError
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.column_alignment import FilesPass
from nncli.data.sources.files.partition import PartitionFile
from nncli.data.sources.files.several_files import FilesReader
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import as_source
from nncli.fitting.prepare.load import load_table

FRAME = pl.DataFrame({"x": [0.5, 1.5, 2.5, 3.5], "s": ["a", "b", "c", "d"]})
WRITE: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".arrow": pl.DataFrame.write_ipc,
    ".arrows": pl.DataFrame.write_ipc_stream,
    ".avro": pl.DataFrame.write_avro,
    ".jsonl": pl.DataFrame.write_ndjson,
    ".csv": pl.DataFrame.write_csv,
}


def write(folder: Path, *frames: pl.DataFrame, suffix: str = ".parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        WRITE[suffix](frame, folder / f"{i}{suffix}")
    return folder


def write_text(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def refused(path: Path | str) -> NncliError:
    with pytest.raises(NncliError) as caught:
        for _ in read_chunks(path):
            pass
    return caught.value


def source_of(error: NncliError) -> str | None:
    return error.location.source if error.location else None


@pytest.mark.parametrize("suffix", WRITE)
def test_files_of_every_format_are_one_table(tmp_path: Path, suffix: str) -> None:
    folder = write(tmp_path / "t", FRAME[:1], FRAME[1:3], FRAME[3:], suffix=suffix)
    whole = read_table(write(tmp_path / "one", FRAME, suffix=suffix) / f"0{suffix}")
    for path in (folder, tmp_path / "t" / f"*{suffix}", tmp_path / "**" / f"t/?{suffix}"):
        table = read_table(path)
        assert table.frame.equals(whole.frame)
        assert table.source == str(path)


@pytest.mark.slow
@given(cuts=st.lists(st.integers(0, 30), max_size=4), rows=st.integers(1, 40), n=st.integers(0, 30))
def test_chunks_number_the_rows_through(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], rows: int, n: int
) -> None:
    frame = pl.DataFrame({"x": range(n)}, schema={"x": pl.Int64})
    places = [0, *sorted(min(cut, n) for cut in cuts), n]
    folder = write(tmp_path_factory.mktemp("t"), *(frame[a:b] for a, b in itertools.pairwise(places)))
    chunks = [*read_chunks(folder, rows=rows)]
    assert pl.concat([chunk.frame for chunk in chunks]).equals(frame)
    numbers = [int(number) for chunk in chunks for number in chunk.row_numbers]
    assert numbers == [*range(1, n + 1)]
    for chunk in chunks:
        for i in range(len(chunk)):
            place = chunk.location(row=i)
            start = places[int(Path(str(place.source)).stem)]
            assert place.row is not None
            assert start + place.row - 1 == chunk.frame["x"][i]


def test_files_are_read_in_the_order_of_their_names_without_hidden_ones(tmp_path: Path) -> None:
    folder = write_text(tmp_path, b="x\n2\n", a="x\n1\n", _temporary="x\n9\n")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".a.csv.crc").write_bytes(b"\0")
    write_text(tmp_path / "c", a="x\n3\n")
    assert read_table(folder).frame["x"].to_list() == ["1", "2", "3"]


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    write_text(tmp_path, **{"data[1]": "x\n1\n", "data1": "x\n2\n"})
    assert read_table(tmp_path / "data[1].csv").frame["x"].to_list() == ["1"]


def test_a_key_of_the_folders_is_a_column(tmp_path: Path) -> None:
    for year, place in ((2024, "a"), (2025, "b")):
        write(tmp_path / f"year={year}" / f"place={place}", FRAME[:1])
    frame = read_table(tmp_path).frame
    assert frame.schema == {**FRAME.schema, "year": pl.Int64, "place": pl.String}
    assert frame[:, 2:].rows() == [(2024, "a"), (2025, "b")]


def test_a_key_that_is_spelled_as_a_missing_value_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "k=NA", FRAME[:1])
    assert read_table(tmp_path, missing_values=["NA"]).frame["k"].to_list() == [None]


def test_integers_are_floats_if_another_file_has_floats(tmp_path: Path) -> None:
    folder = write(tmp_path, pl.DataFrame({"x": [1]}), pl.DataFrame({"x": [0.5]}), pl.DataFrame({"x": [2]}))
    assert [chunk.frame["x"].to_list() for chunk in read_chunks(folder)] == [[1.0], [0.5], [2.0]]
    assert {chunk.frame["x"].dtype for chunk in read_chunks(folder)} == {pl.Float64()}


def test_types_that_do_not_go_together_are_refused_before_a_row_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path, pl.DataFrame({"x": [1]}), pl.DataFrame({"x": ["a"]}))
    with pytest.raises(DataError) as caught:
        next(iter(read_chunks(folder)))
    assert source_of(caught.value) == str(tmp_path / "1.parquet")


def test_json_may_lack_a_key_and_types_are_checked_as_they_come(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1, "s": "a"}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 0.5}\n')
    (tmp_path / "c.jsonl").write_text('{"x": null, "s": "b"}\n')
    assert read_table(tmp_path).frame.rows() == [(1.0, "a"), (0.5, None), (None, "b")]
    (tmp_path / "d.jsonl").write_text('{"x": "many", "s": "b"}\n')
    assert source_of(refused(tmp_path)) == str(tmp_path / "d.jsonl")


@pytest.mark.parametrize("header", ["x,z", "x", "x,y,z", "1,2"])
def test_other_columns_are_refused_by_the_name_of_the_file(tmp_path: Path, header: str) -> None:
    cells = ",".join("5" for _ in header.split(","))
    folder = write_text(tmp_path, a="x,y\n1,2\n3,4\n", b=f"{header}\n{cells}\n{cells}\n")
    assert source_of(refused(folder)) == str(tmp_path / "b.csv")


def test_the_same_columns_in_another_order_are_one_table(tmp_path: Path) -> None:
    folder = write_text(tmp_path, a="x,y\n1,2\n", b="y,x\n4,3\n")
    assert read_table(folder).frame.rows() == [("1", "2"), ("3", "4")]


def test_the_first_file_decides_what_the_others_leave_open(tmp_path: Path) -> None:
    folder = write_text(tmp_path, a="x;y\n1,5;a\n2,5;b\n", b="x;y\n1,234;a\n")
    table = read_table(folder)
    assert (table.dialect.separator, table.dialect.decimal) == (";", ",")
    assert table.frame.height == 3


@pytest.mark.parametrize("text", ["x;y\n1.5;a\n2.5;b\n", "x,y\n1,a\n2,b\n"])
def test_a_file_that_contradicts_the_first_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    folder = write_text(tmp_path, a="x;y\n1,5;a\n2,5;b\n", b=text)
    assert source_of(refused(folder)) == str(tmp_path / "b.csv")


def test_an_error_has_the_row_within_its_file(tmp_path: Path) -> None:
    folder = write_text(tmp_path, a="x,y\n1,2\n3,4\n", b="x,y\n1,2\n3,4,5\n")
    error = refused(folder)
    assert error.location is not None
    assert (error.location.source, error.location.row) == (str(tmp_path / "b.csv"), 2)


def test_a_note_that_all_files_have_is_told_once_and_counted(tmp_path: Path) -> None:
    folder = write_text(tmp_path, **dict.fromkeys("abcd", "x;y\n1;a\n2;b\n"))
    notes = read_table(folder).notes
    assert len(notes) == 2
    assert "3 more" in notes[1]


def test_an_empty_file_is_refused_and_one_of_no_rows_is_read(tmp_path: Path) -> None:
    folder = write_text(tmp_path, a="x,y\n", b="x,y\n1,2\n", c="x,y\n")
    assert [len(chunk) for chunk in read_chunks(folder)] == [1]
    write_text(tmp_path, d="")
    assert source_of(refused(folder)) == str(tmp_path / "d.csv")


def test_files_of_no_rows_are_a_table_of_no_rows(tmp_path: Path) -> None:
    folder = write_text(tmp_path, a="x,y\n", b="y,x\n")
    (chunk,) = read_chunks(folder)
    assert chunk.frame.schema == {"x": pl.String, "y": pl.String}


def test_several_formats_are_refused_with_a_file_of_each(tmp_path: Path) -> None:
    write(write_text(tmp_path, a="x\n1\n"), FRAME)
    (tmp_path / "notes.md").touch()
    with pytest.raises(UsageError) as caught:
        open_reader(as_source(tmp_path))
    assert all(name in str(caught.value) for name in ("a.csv", "0.parquet", "notes.md"))


def test_a_pattern_for_files_that_are_no_tables_is_not_offered(tmp_path: Path) -> None:
    for name in ("a.mjs", "b.csv", "c.jsonl"):
        (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(UsageError) as caught:
        read_table(str(tmp_path))
    assert "*.csv or *.jsonl" in str(caught.value.hint)
    assert "*.mjs" not in str(caught.value.hint)


def test_a_given_format_holds_for_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.data").write_text("x\n1\n")
    (tmp_path / "b.log").write_text("x\n2\n")
    assert read_table(tmp_path, format=Format.CSV).frame["x"].to_list() == ["1", "2"]


def test_a_pattern_that_matches_nothing_is_refused_with_a_near_one(tmp_path: Path) -> None:
    write_text(tmp_path, a="x\n1\n")
    assert "*.csv" in str(refused(tmp_path / "*.cvs").hint)


def test_the_checksum_is_of_all_names_and_contents(tmp_path: Path) -> None:
    reader = open_reader(as_source(write_text(tmp_path, a="x\n1\n", b="x\n2\n")))
    before = reader.checksum()
    assert [file.name for file in before.files] == ["a.csv", "b.csv"]
    assert before.files[0].sha256 == hashlib.sha256(b"x\n1\n").hexdigest()
    (tmp_path / "b.csv").rename(tmp_path / "c.csv")
    assert open_reader(as_source(tmp_path)).checksum().sha256 != before.sha256


def test_rows_are_counted_if_all_files_store_their_number(tmp_path: Path) -> None:
    assert open_reader(as_source(write(tmp_path / "a", FRAME, FRAME[:1]))).count_rows() == 5
    assert open_reader(as_source(write(tmp_path / "b", FRAME, suffix=".csv"))).count_rows() is None


def test_copies_with_other_names_are_read_and_the_reader_can_be_sent(tmp_path: Path) -> None:
    write(tmp_path, FRAME[:2], FRAME[2:])
    parts = tuple(
        PartitionFile(InputFile(tmp_path / f"{i}.parquet", f"s3://b/{i}.parquet"), f"{i}.parquet", {"k": str(i)})
        for i in range(2)
    )
    reader = pickle.loads(pickle.dumps(FilesReader("s3://b/*.parquet", parts)))
    from nncli.data.formats.read_options import ReadOptions

    tables = [*reader.read(ReadOptions())]
    assert pl.concat([table.frame for table in tables]).equals(FRAME.with_columns(k=pl.Series([0, 0, 1, 1])))
    assert tables[1].location(row=0).source == "s3://b/1.parquet"


def test_one_file_in_a_folder_of_a_key_has_the_column_only_if_a_model_needs_it(tmp_path: Path) -> None:
    path = write(tmp_path / "year=2025" / "month=1", FRAME) / "0.parquet"
    assert read_table(path).frame.equals(FRAME)
    table = read_table(path, keys=["year", "x"])
    assert table.frame.equals(FRAME.with_columns(year=pl.lit(2025, pl.Int64)))
    assert (table.source, table.origins) == (str(path), None)
    assert read_table(path.with_name("*.parquet")).frame.columns == ["x", "s", "year", "month"]


HEAD = "id,x\n"
IDS = {"numbers": "7,1\n70,2\n", "zeros": "007,1\n7,2\n", "decimals": "7.0,1\n7,2\n", "missing": ",1\n,2\n"}
IDS |= {"late text": "7,1\n70,2\nA7,3\n", "no rows": ""}


@pytest.mark.slow
@pytest.mark.parametrize("last", [["decimals", "numbers"], ["missing"]], ids=" | ".join)
@pytest.mark.parametrize("kinds", [*itertools.product(IDS, repeat=2)], ids=" | ".join)
def test_ids_keep_their_spelling_in_all_files_whichever_has_the_text(
    tmp_path: Path, kinds: tuple[str, ...], last: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.fitting.prepare.load.FIRST_BYTES", 4)
    texts = [HEAD + IDS[kind] for kind in (*kinds, *last)]
    folder = write_text(tmp_path, **{f"f{i}": text for i, text in enumerate(texts)})
    cells = [line.split(",")[0] for text in texts for line in text.splitlines()[1:]]
    config = Config.model_validate({"data": {"path": str(folder), "target": "x", "missing_values": [""]}})
    with Scratch() as scratch:
        result = load_table(config, config.data, scratch).columns(["id"]).frame["id"]
    if result.dtype == pl.Float64:
        assert not {"zeros", "late text"} & {*kinds}
        result = result.fill_null(float("nan"))
        assert result.to_list() == pytest.approx([float(cell or "nan") for cell in cells], nan_ok=True)
    else:
        assert result.to_list() == [cell or None for cell in cells]


@pytest.mark.parametrize("first", ["1,2\n", ""])
def test_how_a_file_is_read_depends_on_the_first_one_alone(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = list[ReadOptions]()
    options_of_next = FilesPass.options_of_next

    def recorded(self: FilesPass) -> ReadOptions:
        given.append(options_of_next(self))
        return given[-1]

    monkeypatch.setattr(FilesPass, "options_of_next", recorded)
    folder = write_text(tmp_path, a=HEAD + first, **dict.fromkeys("bcde", HEAD + "A7,2\n"))
    options = ReadOptions(missing_values=("",), numeric_columns=NumericColumns.any_except(()), first_bytes=8)
    for _ in open_reader(as_source(folder)).read(options):
        pass
    assert [item.first_file and item.first_file.numeric_names for item in given] == [
        frozenset(["id", "x"] if first else [])
    ] * 4
    assert len({item.first_bytes for item in given}) == 1


def test_an_error_leaves_no_thread_behind(tmp_path: Path) -> None:
    write_text(tmp_path, a="x,y\n1,2\n", b="x,z\n1,2\n", c="x,y\n1,2\n")
    error = refused(tmp_path)
    assert source_of(error) == str(tmp_path / "b.csv")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("nncli-")] == []
