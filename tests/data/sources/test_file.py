from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.sources.file import FileReader
from nncli.errors import UsageError


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
