"""Regular files of a bounded size are read; links, pipes, devices and others are refused at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.base import plugins
from nncli.base.errors import UsageError
from nncli.base.regular_files import NotRegularError, open_regular, read_regular


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 34)


def linked(path: Path) -> None:
    path.with_name("other").write_bytes(b"outside")
    path.symlink_to("other")


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "a named pipe": lambda path: os.mkfifo(path),
    "a link": linked,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a huge file": sparse,
}


@pytest.mark.parametrize("make", IRREGULAR.values(), ids=IRREGULAR)
def test_what_is_no_regular_file_of_the_size_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")

    with pytest.raises(NotRegularError):
        read_regular(tmp_path / "file", 1 << 20)


def test_a_folder_and_a_missing_file_say_what_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", 10)
    with pytest.raises(NotRegularError):
        read_regular(Path("/dev/zero"), 10)


def test_a_regular_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")

    assert read_regular(tmp_path / "file", 10) == b"0123456789"
    with pytest.raises(NotRegularError):
        read_regular(tmp_path / "file", 9)


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"outside")
    file.write_bytes(b"inside")
    is_over = threading.Event()

    def exchange() -> None:
        while not is_over.is_set():
            (tmp_path / "link").symlink_to(other)
            (tmp_path / "link").replace(file)
            (tmp_path / "new").write_bytes(b"inside")
            (tmp_path / "new").replace(file)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for _ in range(2000):
            try:
                with open_regular(file) as opened:
                    assert opened.read() == b"inside"
            except NotRegularError:
                pass
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("make", [IRREGULAR["a named pipe"], IRREGULAR["a link to a device"], sparse])
def test_a_file_of_code_is_regular_and_small(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "code.py")

    with pytest.raises(UsageError):
        plugins.load_file(tmp_path / "code.py")
