from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from nncli.base.errors import DataError
from nncli.data.formats.streams import ReplayStream, open_input, peek, to_temporary_file


def read(path: Path) -> bytes:
    with open_input(path) as (_, stream):
        return stream.read()


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"a\n1\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "trian.csv")
    assert "train.csv" in str(caught.value.hint)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "nowhere" / "train.csv")
    assert repr(str(tmp_path / "nowhere")) in str(caught.value.hint)


def test_a_folder_is_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder"):
        read(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "secret.csv"
    path.write_bytes(b"a\n1\n")
    path.chmod(0)
    with pytest.raises(DataError, match="permission"):
        read(path)


def test_permission_errors_are_put_into_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="permission"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("damage", [lambda b: b[:-12], lambda b: b[:20] + b"\x00" * 9 + b[29:], lambda b: b[:5]])
def test_a_damaged_gz_is_told(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(os.urandom(1000).hex().encode())
    assert callable(damage)
    path.write_bytes(damage(whole))
    with pytest.raises(DataError, match="damaged"):
        read(path)


def test_compression_is_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"a\n1\n"))
    (tmp_path / "b.csv.gz").write_bytes(b"a\n1\n")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"1\n"))
    assert {read(path) for path in tmp_path.iterdir()} == {b"a\n1\n"}


@pytest.mark.parametrize("length", range(0, 20, 3))
def test_a_stream_is_whole_again_after_a_look_at_its_head(length: int) -> None:
    text = b"abcdefghijklmnopqrst"[:length]
    head, stream = peek(io.BytesIO(text))
    assert head == text[:16]
    assert stream.read() == text


def test_replaying_leaves_the_stream_open() -> None:
    inner = io.BytesIO(b"cd")
    with io.BufferedReader(ReplayStream(b"ab", inner)) as stream:
        assert stream.read() == b"abcd"
    assert not inner.closed


def test_a_spooled_stream_is_a_file_for_a_while() -> None:
    with to_temporary_file(io.BytesIO(b"abc")) as path:
        assert path.read_bytes() == b"abc"
    assert not path.exists()
