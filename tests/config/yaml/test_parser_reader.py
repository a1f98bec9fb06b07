"""A file or standard input is read as UTF-8 of limited size."""

from __future__ import annotations

import io
import os
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.config.yaml.parser import read
from tests.config.support import at


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    for start in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(start + "a: é\n".encode())
        document = read(file)
        assert document.value == {"a": "é"}
        assert document.source == str(file)
        assert document.location(("a",), "value") == Location(str(file), 1, 4, "a")


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a: 1\n")))
    document = read("-")
    assert document.value == {"a": 1}
    assert document.source == "<stdin>"


@pytest.mark.parametrize("name", ["t.csv", "t x.parquet", "t.csv.gz"])
def test_a_table_is_answered_with_the_command_that_writes_its_configuration(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    issue = refusal(tmp_path / name)
    assert issue.message == "this is a table, not a configuration"
    assert f"nncli init {shlex.quote(str(tmp_path / name))} --target COLUMN -o config.yaml" in (issue.hint or "")


def refusal(path: Path) -> ConfigIssue:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return caught.value.issues[0]


def test_bytes_that_are_not_utf_8_are_an_error_at_their_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes("a: 1\nb: é".encode() + b"\xff\n")
    issue = refusal(file)
    assert at(issue) == (2, 5)
    assert "0xFF" in issue.message
    file.write_bytes("a: 1".encode("utf-16"))
    assert "UTF-8" in refusal(file).message


def test_a_missing_file_is_answered_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text("a: 1")
    (tmp_path / "churm.csv").write_text("a")
    issue = refusal(tmp_path / "chrun.yaml")
    assert issue.location.source == str(tmp_path / "chrun.yaml")
    assert "churn.yaml" in (issue.hint or "")
    assert "churn.yaml" in (refusal(tmp_path / "zzzzzzzzzz").hint or "")
    assert refusal(tmp_path / "nowhere" / "c.yaml").hint is None


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text("a: 1")
    issue = refusal(tmp_path)
    assert "folder" in issue.message
    assert "churn.yaml" in (issue.hint or "")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: 1")
    file.chmod(0)
    assert "Permission denied" in refusal(file).message


def test_an_invalid_file_name_is_an_error() -> None:
    issue = refusal(Path("a\0b"))
    assert "file name" in issue.message
    assert "\0" not in str(issue)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse
    assert "64 MiB" in refusal(file).message
