"""Folders and patterns: which files they name, in which order."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from nncli.base.errors import DataError, UsageError
from nncli.data.sources.files import several_files as paths
from nncli.data.sources.files.several_files import find_files, names_several, pattern_of
from tests.assertions import raises

NAMES = ("b.csv", "a.csv", "year=2024/b.csv", "year=2024/a.csv", "year=2025/a.csv", "deep/er/c.csv.gz")


@pytest.fixture
def folder(here: Path) -> Path:
    """A folder `in` with files, folders and what is hidden."""
    for name in (*NAMES, ".hidden.csv", "_SUCCESS", "_temporary/x.csv", ".git/y.csv"):
        file = here / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return Path("in")


def found(path: str) -> list[str]:
    files = find_files(path)
    return [file.relative_to(files.folder).as_posix() for file in files.files]


def test_a_folder_names_all_files_that_are_not_hidden_in_order(folder: Path) -> None:
    assert found("in") == found("in/") == sorted(NAMES)
    assert find_files("in").folder == folder


@pytest.mark.parametrize(
    ("pattern", "fixed", "expected"),
    [
        ("in/*.csv", "in", ["a.csv", "b.csv"]),
        ("in/year=*/a.csv", "in", ["year=2024/a.csv", "year=2025/a.csv"]),
        ("in/year=2024/[a-z].csv", "in/year=2024", ["a.csv", "b.csv"]),
        ("in/year=*", "in", ["year=2024/a.csv", "year=2024/b.csv", "year=2025/a.csv"]),
        ("in/*/", "in", ["deep/er/c.csv.gz", "year=2024/a.csv", "year=2024/b.csv", "year=2025/a.csv"]),
        ("in/**/a.csv", "in", ["a.csv", "year=2024/a.csv", "year=2025/a.csv"]),
        ("in/**", "in", sorted(NAMES)),
        ("in/_S*", "in", ["_SUCCESS"]),
        ("*/?.csv", ".", ["in/a.csv", "in/b.csv"]),
    ],
)
def test_a_pattern_names_what_matches_below_its_fixed_folder(
    folder: Path, pattern: str, fixed: str, expected: list[str]
) -> None:
    assert names_several(pattern)
    assert find_files(pattern).folder == Path(fixed)
    assert found(pattern) == expected


def test_a_file_with_a_wildcard_in_its_name_is_itself(folder: Path) -> None:
    (folder / "[ab].csv").touch()
    assert not names_several("in/[ab].csv")
    assert found("in/[ab].csv") == ["[ab].csv"]
    (folder / "set[1]").mkdir()
    (folder / "set[1]" / "x.csv").touch()
    assert found("in/set[1]") == ["x.csv"]


@pytest.mark.parametrize(
    "name", ["in/a.csv", "in/year=2024/a.csv", "in/[x]/y*.csv", "!.csv", "in/]", "in/_x.csv", "in/.x.csv"]
)
def test_a_pattern_can_name_one_file(folder: Path, name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).touch()
    pattern = pattern_of(name)
    assert names_several(pattern)
    assert find_files(pattern).files == (Path(name),)


def test_a_file_that_does_not_exist_is_found_missing_when_it_is_read(here: Path) -> None:
    assert not names_several("none.csv")
    assert found("none.csv") == ["none.csv"]


def test_a_link_to_a_folder_around_it_is_not_followed_and_others_are(folder: Path) -> None:
    (folder / "year=2024" / "around").symlink_to(folder.resolve())
    (folder / "year=2026").symlink_to((folder / "year=2025").resolve())
    assert found("in") == sorted([*NAMES, "year=2026/a.csv"])


def test_a_pattern_of_files_and_folders_is_refused(folder: Path) -> None:
    with raises(UsageError, file="*", mentions="*.csv"):
        find_files("in/*")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("in/*.cvs", "'*.csv'"),
        ("in/x*.csv", "5 files that end in .csv"),
        ("inn/*.csv", "'in'"),
        ("no/such/*.csv", "no folder 'no/such'"),
        ("empty", "another folder"),
        ("empty/*.csv", "no files in 'empty'"),
    ],
)
def test_what_names_no_file_is_an_error_with_what_is_near(folder: Path, path: str, hint: str) -> None:
    Path("empty").mkdir()
    with raises(DataError, file=Path(path).name, mentions=hint):
        find_files(path)


needs_special_files = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="special files are POSIX")


@needs_special_files
@pytest.mark.parametrize(
    "path", ["/", "//", "/proc", "/sys/", "/dev", "/proc/self/fd", "/../", "link", "link/", "outer", "/pr*c"]
)
def test_a_folder_of_the_system_is_refused(here: Path, path: str) -> None:
    (here / "outer").mkdir()
    for link in ("link", "outer/link"):
        (here / link).symlink_to("/")
    with raises(DataError):
        find_files(path)


@needs_special_files
@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device", "a link that leads nowhere", "no file"])
@pytest.mark.parametrize("path", ["in", "in/*.csv", "in/year=*", "in/**"])
def test_what_is_no_file_is_told_before_anything_is_read(folder: Path, kind: str, path: str) -> None:
    name = folder / "year=2024" / "x.csv" if path == "in/year=*" else folder / "x.csv"
    match kind:
        case "a named pipe":
            os.mkfifo(name)
        case "a socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(name))
        case "a device":
            name.symlink_to("/dev/zero")
        case "a link that leads nowhere":
            name.symlink_to("nothing")
        case _:
            (folder / "x.csv").symlink_to("x.csv/deeper") if path != "in/year=*" else name.symlink_to("x.csv/deeper")
    with raises(DataError) as caught:
        find_files(path)
    assert caught.value.location is not None
    assert caught.value.location.source == str(name)


@needs_special_files
def test_a_single_pipe_is_no_folder_and_may_be_read(here: Path) -> None:
    os.mkfifo("pipe")
    assert find_files("pipe").files == (Path("pipe"),)
    assert find_files("pip[e]").files == (Path("pipe"),)


@pytest.mark.slow
def test_links_in_circles_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [here / "in" / str(i) for i in range(9)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.csv").touch()
    for folder in folders:
        for i, other in enumerate(folders):
            (folder / f"to{i}").symlink_to(other)
    monkeypatch.setattr(paths, "MAX_NAMES", 5000)
    with raises(DataError):
        find_files("in")


def test_more_names_than_can_be_listed_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_NAMES", 10)
    assert len(find_files("in").files) == 6
    monkeypatch.setattr(paths, "MAX_NAMES", 9)
    with raises(DataError):
        find_files("in")
