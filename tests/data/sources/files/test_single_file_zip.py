from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from nncli.base.errors import DataError, NncliError, UsageError
from nncli.data.sources.open import open_reader
from nncli.data.sources.read_table import read_table
from nncli.data.sources.table_source import as_source

TEXT = "a;b\n1;x\n2;y\n"


def write(path: Path, members: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["a.zip", "a.csv.ZIP"])
def test_the_one_table_is_read(tmp_path: Path, name: str, method: int) -> None:
    path = write(tmp_path / name, {"data/": b"", "data/t.csv": TEXT, "__MACOSX/data/._t.csv": b"\0"}, method)
    table = read_table(path)
    assert table.frame.rows() == [("1", "x"), ("2", "y")]
    assert table.source == f"{path}/data/t.csv"


def test_files_that_are_no_tables_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"README.txt": "Some text.", "license.pdf": b"%PDF", "t.csv": TEXT})
    assert read_table(path).frame.height == 2


def test_the_format_is_that_of_the_member(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, 2]})
    frame.write_parquet(content := io.BytesIO())
    path = write(tmp_path / "a.zip", {"t.parquet": content.getvalue()})
    assert read_table(path).frame.equals(frame)
    assert open_reader(as_source(path)).is_columnar
    assert dict(read_table(path).details)["format"] == "parquet"


def test_a_compressed_member_is_read(tmp_path: Path) -> None:
    import gzip

    path = write(tmp_path / "a.zip", {"t.csv.gz": gzip.compress(TEXT.encode())})
    assert read_table(path).frame.height == 2


@pytest.mark.parametrize(
    ("members", "error", "names"),
    [
        ({"a.csv": TEXT, "b.csv": TEXT}, UsageError, ["a.csv", "b.csv"]),
        ({"a.pdf": TEXT, "b.md": TEXT}, DataError, ["a.pdf", "b.md"]),
        ({}, DataError, ["empty"]),
    ],
)
def test_several_tables_or_none_are_refused_with_the_names(
    tmp_path: Path, members: dict[str, str | bytes], error: type[NncliError], names: list[str]
) -> None:
    with pytest.raises(error) as caught:
        read_table(write(tmp_path / "a.zip", members))
    assert all(name in str(caught.value) for name in names)


def test_an_encrypted_table_is_refused(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a.zip", {"t.csv": TEXT}, zipfile.ZIP_STORED).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        read_table(tmp_path / "a.zip")


def test_a_damaged_or_truncated_file_is_refused_by_its_name(tmp_path: Path) -> None:
    content = write(tmp_path / "a.zip", {"t.csv": "".join(f"{i},{i * i}\n" for i in range(3000))}).read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle], content[:middle] + b"????????" + content[middle + 8 :], b"", b"a,b\n1,2\n"):
        (tmp_path / "a.zip").write_bytes(damaged)
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / "a.zip")
        assert caught.value.location is not None
        assert caught.value.location.source == str(tmp_path / "a.zip")


@pytest.mark.slow
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_table_that_grows_absurdly_is_refused(tmp_path: Path, method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.data.formats.compression.FREE_BYTES", 1 << 20)
    monkeypatch.setattr("nncli.data.formats.compression.MAX_RATIO", 300)
    path = write(tmp_path / "a.zip", {"t.csv": "a,b\n" + "1,2\n" * 1_000_000}, method)
    with pytest.raises(DataError, match="300 times"):
        read_table(path)


def test_standard_input_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(write(tmp_path / "a.zip", {"t.csv": TEXT}).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    table = read_table(None)
    assert table.frame.height == 2
    assert table.source == "standard input/t.csv"


def test_the_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"t.csv": TEXT})
    before = open_reader(as_source(path)).checksum()
    write(path, {"t.csv": TEXT + "3;z\n"})
    assert open_reader(as_source(path)).checksum().sha256 != before.sha256


def test_a_member_without_a_name_is_no_member(tmp_path: Path) -> None:
    path = write(tmp_path / "t.zip", {"t.csv": "a\n1\n"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), "")
    assert read_table(path).frame["a"].to_list() == ["1"]
    path = write(tmp_path / "u.zip", {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), "")
    with pytest.raises(DataError, match="empty"):
        read_table(path)
