from __future__ import annotations

import gzip
import hashlib
import io
import os
import threading
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.columns.parsing import read_numbers
from nncli.data.dialect import CsvDialect
from nncli.data.formats.registry import Format, format_of
from nncli.data.formats.streams import digest
from nncli.data.sources.local_copies import local_copies
from nncli.data.sources.open import open_original
from nncli.data.sources.read_table import read_chunks, read_table
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table

CSV = b"id,city\n007,Oslo\n008,\n009,NA\n"
TYPED = polars.DataFrame({"n": [1, 2, 3], "s": ["NA", "", None], "x": [0.5, None, 1.5]})


def rows(tables: list[Table]) -> list[tuple[Any, ...]]:
    return [row for table in tables for row in table.frame.rows()]


def to_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def parquet(frame: polars.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("missing", "city"),
    [
        ((), ["Oslo", "", "NA"]),
        (("",), ["Oslo", None, "NA"]),
        (("NA",), ["Oslo", "", None]),
        (("NA", ""), ["Oslo", None, None]),
        (("na", "O"), ["Oslo", "", "NA"]),
    ],
)
def test_words_for_missing_become_null_exactly(
    tmp_path: Path, missing: tuple[str, ...], city: list[str | None]
) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    table = read_table(tmp_path / "a.csv", missing_values=missing)
    assert table.frame.to_dict(as_series=False) == {"id": ["007", "008", "009"], "city": city}
    assert table.frame.dtypes == [polars.String, polars.String]
    assert (table.source, table.first_row) == (str(tmp_path / "a.csv"), 1)


def test_a_quoted_cell_is_missing_when_its_text_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'a,b\n"NA",""\n"say ""x""",1\n')
    frame = read_table(tmp_path / "a.csv", missing_values=["NA", "", 'say "x"']).frame
    assert frame.rows() == [(None, None), (None, "1")]


def test_typed_tables_keep_their_types_and_lose_words_for_missing(tmp_path: Path) -> None:
    frame = TYPED.with_columns(
        c=polars.Series(["NA", "x", None], dtype=polars.Categorical), l=polars.Series([[1], [], None])
    )
    frame.write_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", missing_values=["NA"]).frame
    assert read.schema == frame.schema
    assert read.to_dict(as_series=False) == {
        "n": [1, 2, 3],
        "s": [None, "", None],
        "x": [0.5, None, 1.5],
        "c": [None, "x", None],
        "l": [[1], [], None],
    }


def test_a_column_of_nulls_is_one_of_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"a": null, "b": 1}\n')
    assert read_table(tmp_path / "a.jsonl").frame.schema == {"a": polars.String, "b": polars.Int64}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.txt", "a.parquet", "a.jsonl", "a.ndjson.gz"])
@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_chunks_of_any_format_put_together_are_the_table(tmp_path: Path, name: str, count: int) -> None:
    path = tmp_path / name
    frame = polars.DataFrame({"n": range(7), "s": list("abcdefg")})
    if format_of(path) is Format.PARQUET:
        data = parquet(frame)
    elif format_of(path) is Format.JSONL:
        data = frame.write_ndjson().encode()
    else:
        data = frame.write_csv(separator="\t" if name == "a.tsv" else ",").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    chunks = list(read_chunks(path, rows=count, block_bytes=20))
    assert rows(chunks) == read_table(path).frame.rows()
    assert all(chunk.frame.height <= count for chunk in chunks)
    assert [chunk.first_row for chunk in chunks] == [
        1 + sum(chunk.frame.height for chunk in chunks[:index]) for index in range(len(chunks))
    ]


@pytest.mark.slow
@given(st.lists(st.tuples(*[st.sampled_from(["", "NA", "7", "a,b", '"', "x\ny", "é"])] * 2), max_size=9), st.data())
def test_chunks_miss_the_same_words_as_the_whole(cells: list[tuple[str, str]], data: st.DataObject) -> None:
    text = polars.DataFrame(cells, schema=["a", "b"], orient="row", schema_overrides={"a": polars.String}).write_csv()
    missing = data.draw(st.lists(st.sampled_from(["", "NA", "7", '"']), unique=True))
    with pytest.MonkeyPatch.context() as patch:
        to_standard_input(patch, text.encode())
        chunks = list(read_chunks(None, missing_values=missing, rows=data.draw(st.integers(1, 4)), block_bytes=5))
    assert rows(chunks) == [tuple(None if cell in missing else cell for cell in row) for row in cells]


@pytest.mark.parametrize("frame", [TYPED.clear(), TYPED])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_there_is_always_a_chunk_that_says_the_columns(tmp_path: Path, name: str, frame: polars.DataFrame) -> None:
    (tmp_path / name).write_bytes(parquet(frame) if name == "a.parquet" else frame.write_csv().encode())
    chunks = list(read_chunks(tmp_path / name))
    assert len(chunks) == 1
    assert chunks[0].frame.columns == ["n", "s", "x"]
    assert read_table(tmp_path / name).frame.height == frame.height


@pytest.mark.parametrize(
    "data",
    [
        CSV,
        gzip.compress(CSV, mtime=0),
        b"id\tcity\n007\tOslo\n008\t\n009\tNA\n",
        b'{"id":"007","city":"Oslo"}\n{"id":"008","city":""}\n{"id":"009","city":"NA"}\n',
    ],
)
def test_standard_input_is_read_for_what_it_is(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    to_standard_input(monkeypatch, data)
    tables = list(read_chunks(None))
    assert rows(tables) == [("007", "Oslo"), ("008", ""), ("009", "NA")]
    assert tables[0].source == "standard input"
    to_standard_input(monkeypatch, data)
    assert read_table(None).frame.rows() == rows(tables)


def test_parquet_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    to_standard_input(monkeypatch, parquet(TYPED))
    assert rows(list(read_chunks(None, rows=2))) == TYPED.rows()


def test_a_given_format_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    to_standard_input(monkeypatch, b"{a},b\n1,2\n")
    assert read_table(None, format=Format.CSV).frame.columns == ["{a}", "b"]
    to_standard_input(monkeypatch, b"a,b\n1,2\n")
    with pytest.raises(DataError, match=r"not a Parquet file"):
        read_table(None, format=Format.PARQUET)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_needs_no_suffix(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CSV,))
    writer.start()
    assert read_table(pipe).frame.columns == ["id", "city"]
    writer.join()


@pytest.mark.parametrize("data", [CSV, b"", gzip.compress(CSV, mtime=0), b"PAR1 and no more"])
def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(DataError, match=r"not a Parquet file|empty|damaged"):
        read_table(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"not a Parquet file|empty|damaged"):
        list(read_chunks(tmp_path / "a.parquet"))


def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(TYPED)[:-30])
    with pytest.raises(DataError, match="damaged"):
        read_table(tmp_path / "a.parquet")


def test_a_name_is_a_name_and_not_a_pattern(tmp_path: Path) -> None:
    for folder in (tmp_path / "k=1", tmp_path / "[ab]*"):
        folder.mkdir()
        TYPED.write_parquet(folder / "*.parquet")
        assert read_table(folder / "*.parquet").frame.equals(TYPED)


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet", "gone.jsonl.gz"])
def test_a_missing_file_is_refused_in_every_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="folder"):
        list(read_chunks(tmp_path / name))


def test_chunks_before_a_mistake_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n3,4\n5\n")
    chunks = read_chunks(tmp_path / "a.csv", block_bytes=4)
    assert next(chunks).frame.rows() == [("1", "2")]
    with pytest.raises(DataError, match="row 3"):
        list(chunks)


def test_the_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    assert digest(tmp_path / "a.csv") == hashlib.sha256(CSV).hexdigest()
    with pytest.raises(DataError, match="no such file"):
        digest(tmp_path / "b.csv")


def test_numbers_in_the_text_of_typed_tables_are_spelled_as_told_or_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"x": "1,5"}\n')
    comma = CsvDialect(decimal=",")
    assert read_numbers(read_table(tmp_path / "a.jsonl", dialect=comma), "x").tolist() == [1.5]
    assert read_numbers(read_table(tmp_path / "a.jsonl", training_dialect=comma), "x").tolist() == [1.5]
    assert read_numbers(read_table(tmp_path / "a.jsonl"), "x").tolist() == [1.5]  # a mark of its own
    (tmp_path / "b.jsonl").write_bytes(b'{"x": "1,500"}\n')
    with pytest.raises(DataError, match="not a number"):
        read_numbers(read_table(tmp_path / "b.jsonl"), "x")


@pytest.mark.slow
@given(
    st.lists(st.tuples(*[st.decimals(-(10**6), 10**6, places=3)] * 2), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(".,"),
    st.sampled_from(["", " ", "'", ",", "."]),
    st.sampled_from(["utf-8", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_numbers_in_any_dialect_are_read_as_the_same_or_refused(
    numbers: list[tuple[Any, ...]], separator: str, decimal: str, group: str, encoding: str, end: str, told: bool
) -> None:
    if group == decimal:
        return
    marks = str.maketrans({",": group, ".": decimal})
    lines = [[f"{x:,f}".translate(marks) for x in row] for row in numbers]
    text = f'"a"{separator}"b"{end}' + "".join(separator.join(f'"{cell}"' for cell in line) + end for line in lines)
    settings = {"separator": separator, "decimal": decimal} | ({"thousands": group} if group else {})
    dialect = CsvDialect.model_validate(settings if told else {})
    with pytest.MonkeyPatch.context() as patch:
        to_standard_input(patch, text.encode(encoding))
        try:
            table = read_table(None, dialect=dialect)
            read = [read_numbers(table, name).tolist() for name in table.names]
        except DataError:
            assert not told
            return
    assert list(zip(*read, strict=True)) == [tuple(map(float, row)) for row in numbers]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
@pytest.mark.parametrize("suffix", ["", ".csv", ".csv.gz", ".jsonl", ".parquet", ".arrow", ".avro", ".xlsx", ".zip"])
def test_a_device_that_never_ends_is_refused_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    endless = tmp_path / f"table{suffix}"
    endless.symlink_to("/dev/zero")

    with pytest.raises(DataError) as caught:
        read_table(str(endless))

    assert caught.value.location is not None
    assert caught.value.location.source == str(endless)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_not_copied_for_a_training(tmp_path: Path) -> None:
    with pytest.raises(DataError), local_copies([TableSource(path="/dev/zero")], open_original, tmp_path):
        pass
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) == 0
