"""Folders and patterns of object stores name what local ones do, and are read as one table."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import obstore
import polars
import pytest
from obstore.store import MemoryStore

from nncli.base.errors import DataError, NncliError, UsageError
from nncli.data.formats.registry import FileOptions
from nncli.data.sources.files.several_files import find_files
from nncli.data.sources.open import open_reader
from nncli.data.sources.output import check_output, open_output
from nncli.data.sources.read_table import read_table
from nncli.data.sources.remote.stored_object import find_objects
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import as_source

NAMES = (
    "a.csv",
    "b.csv",
    "c.parquet",
    "_hidden.csv",
    ".secret.csv",
    "x[1].csv",
    "year=2024/a.csv",
    "year=2025/a.csv",
    "year=2025/month=1/b.csv",
    "year=2025/_tmp/c.csv",
    "deep/er/a.csv",
    "deep/er/b.CSV",
    "10/a.csv",
    "9/a.csv",
)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A store in memory, which stands for every bucket."""
    store = MemoryStore()
    monkeypatch.setattr(ObjectUrl, "open_store", lambda url: store)
    return store


def parquet(frame: polars.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*.csv",
        "?.csv",
        "[ab].csv",
        "x[1].csv",
        "_*.csv",
        "*",
        "**/*.csv",
        "**",
        "year=*/a.csv",
        "year=*/",
        "year=2025/**",
        "year=2025/",
        "deep/*/*.csv",
        "deep/er/",
        "*/a.csv",
        "*.tsv",
        "*.parqet",
    ],
)
def test_a_folder_or_a_pattern_names_what_it_names_in_a_local_folder(
    tmp_path: Path, store: MemoryStore, pattern: str
) -> None:
    for name in NAMES:
        obstore.put(store, f"t/{name}", b"x\n1\n")
        file = tmp_path / "t" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x\n1\n")
    here: list[str] | type[NncliError]
    there: list[str] | type[NncliError]
    try:
        here = [file.relative_to(tmp_path).as_posix() for file in find_files(f"{tmp_path}/t/{pattern}").files]
    except NncliError as error:
        here = type(error)
    try:
        there = list(find_objects(ObjectUrl.parse(f"s3://data/t/{pattern}")).keys)
    except NncliError as error:
        there = type(error)
    assert here == there


def test_objects_are_one_table_with_the_keys_of_their_folders(store: MemoryStore) -> None:
    for year in (2024, 2025):
        for part in range(2):
            frame = polars.DataFrame({"n": [year % 100 * 10 + part]})
            obstore.put(store, f"sales/year={year}/{part}.parquet", parquet(frame))
    obstore.put(store, "sales/_SUCCESS", b"")
    table = read_table("s3://data/sales/")
    assert table.frame.to_dict(as_series=False) == {
        "n": [240, 241, 250, 251],
        "year": [2024, 2024, 2025, 2025],
    }
    assert read_table("s3://data/sales/year=2025/*.parquet").frame["n"].to_list() == [250, 251]


def test_each_object_has_its_checksum(store: MemoryStore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        obstore.put(store, f"in/{name}.csv", f"x\n{name}\n".encode())
        (tmp_path / f"{name}.csv").write_text(f"x\n{name}\n")
    there = open_reader(as_source("s3://data/in/*.csv")).checksum()
    here = open_reader(as_source(f"{tmp_path}/*.csv")).checksum()
    assert there == here
    assert [file.name for file in there.files] == ["a.csv", "b.csv"]


def test_an_error_names_the_object(store: MemoryStore) -> None:
    obstore.put(store, "in/a.csv", b"x,y\n1,2\n")
    obstore.put(store, "in/b.csv", b"x\n1\n")
    with pytest.raises(DataError) as info:
        read_table("s3://data/in/")
    assert "b.csv" in str(info.value)


def test_objects_that_are_no_table_are_refused_before_the_download(store: MemoryStore) -> None:
    obstore.put(store, "in/a.csv", b"x\n1\n")
    obstore.put(store, "in/b.docx", b"x\n1\n")
    with pytest.raises(UsageError, match="docx"):
        read_table("s3://data/in/")


def test_empty_objects_that_stand_for_folders_are_no_files(store: MemoryStore) -> None:
    obstore.put(store, "in/sub", b"")
    obstore.put(store, "in/sub/a.csv", b"x\n1\n")
    obstore.put(store, "in/empty", b"")
    assert find_objects(ObjectUrl.parse("s3://data/in/")).keys == ("in/sub/a.csv",)


def test_what_matches_nothing_has_a_hint(store: MemoryStore) -> None:
    obstore.put(store, "in/a.parquet", b"")
    obstore.put(store, "in/b.parquet", b"x")
    with pytest.raises(DataError) as info:
        read_table("s3://data/in/*.parqet")
    assert info.value.hint == "Did you mean 's3://data/in/*.parquet'?"
    with pytest.raises(DataError, match="no object in the folder"):
        read_table("s3://data/on/")


def test_an_object_that_vanishes_is_an_error(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        obstore.put(store, f"in/{number}.csv", b"x\n1\n")
    get = obstore.get

    def vanished(store: MemoryStore, path: str, **options: object) -> object:
        if path == "in/7.csv":
            raise FileNotFoundError
        return get(store, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "get", vanished)
    with pytest.raises(DataError, match=r"7\.csv"):
        read_table("s3://data/in/")


@pytest.mark.parametrize("url", ["s3://data/a.csv", "gs://data/in/", "az://data/*.csv"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError) as info:
        read_table(url)
    assert info.value.hint == "pip install 'nncli-train[cloud]'"
    with pytest.raises(UsageError, match="not installed"):
        check_output(as_source("s3://data/b.csv"), as_source("a.csv"), FileOptions(force=False))
    with pytest.raises(UsageError, match="not installed"), open_output(as_source("s3://data/b.csv")) as sink:
        sink.write(polars.DataFrame({"a": [1]}))
