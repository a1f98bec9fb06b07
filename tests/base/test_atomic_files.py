"""A file is whole or not there, and nothing is overwritten unasked."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from nncli.base.atomic_files import (
    atomic_writer,
    batched_fsync,
    check_overwrite,
    clear_leftovers,
    temporary_folder,
    write_bytes,
    write_text,
)
from nncli.base.errors import NncliError, UsageError


def test_what_is_written_is_there_byte_for_byte(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\x00\xff\r\n")
    write_text(tmp_path / "b", "ü\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff\r\n"
    assert (tmp_path / "b").read_bytes() == b"\xc3\xbc\n"


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c", "x")
    assert (tmp_path / "a" / "b" / "c").read_text() == "x"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, BrokenPipeError])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def fail() -> None:
        with atomic_writer(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_is_taken_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with atomic_writer(path) as file:
        file.write(b"x")
        assert not path.exists()
    assert path.exists()


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NncliError, match="cannot write") as caught:
        write_text(tmp_path / "file" / "inside", "x")
    assert caught.value.exit_code == 1


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far" / "file")
    write_text(link, "x")
    assert link.is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "x"


def test_an_existing_file_is_refused_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    check_overwrite(path, force=False)
    path.write_text("")
    with pytest.raises(UsageError, match="exists already") as caught:
        check_overwrite(path, force=False)
    assert "force=True" in str(caught.value)
    check_overwrite(path, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_refused_even_when_forced(tmp_path: Path, force: bool) -> None:
    with pytest.raises(UsageError, match="folder"):
        check_overwrite(tmp_path, force=force)


def test_a_device_need_not_be_forced() -> None:
    check_overwrite(Path(os.devnull), force=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_named_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as thread:
        read = thread.submit(pipe.read_bytes)
        write_text(pipe, "all of it")
        assert read.result() == b"all of it"
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_together_each_folder_is_synced_once_when_all_files_have_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            synced.append(sorted(path.name for path in tmp_path.iterdir()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    with batched_fsync():
        write_text(tmp_path / "a", "1")
        write_text(tmp_path / "b", "2")
        assert not synced
    assert synced == [["a", "b"]]
    write_text(tmp_path / "c", "3")
    assert synced == [["a", "b"], ["a", "b", "c"]]
    with batched_fsync():
        with batched_fsync():
            write_text(tmp_path / "d", "4")
        assert len(synced) == 2
    assert synced[2:] == [["a", "b", "c", "d"]]


def test_together_a_folder_that_cannot_be_synced_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def write() -> None:
        with batched_fsync():
            write_text(tmp_path / "a", "1")
            monkeypatch.setattr("nncli.base.atomic_files.sync_folder", refuse)

    with pytest.raises(NncliError, match="cannot write the file: Input/output error") as told:
        write()
    assert told.value.location is not None
    assert told.value.location.source == str(tmp_path)


WRITE = """
import sys, time
from pathlib import Path
from nncli.base.atomic_files import atomic_writer, temporary_folder
path = Path(sys.argv[1])
with temporary_folder(path) as folder, atomic_writer(path) as file:
    (folder / "part").write_bytes(b"half")
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    time.sleep(600)
"""


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has written a half of a file and of a folder, and is killed in the end."""
    with subprocess.Popen([sys.executable, "-c", WRITE, path], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"written\n"
            yield process
        finally:
            process.kill()


needs_locks = pytest.mark.skipif(os.name == "nt", reason="Windows has other locks")


@needs_locks
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path: Path) -> None:
    with writing(tmp_path / "a") as process:
        pass
    assert process.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "b", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@needs_locks
def test_what_a_process_is_writing_stays_until_it_is_killed(tmp_path: Path) -> None:
    with writing(tmp_path / "a"):
        before = sorted(tmp_path.iterdir())
        for path in before:
            os.utime(path, (0, 0))  # an age says nothing
        clear_leftovers(tmp_path)
        assert sorted(tmp_path.iterdir()) == before
    clear_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


@needs_locks
def test_what_this_process_is_writing_stays(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "a") as folder, atomic_writer(tmp_path / "a") as file:
        clear_leftovers(tmp_path)
        assert folder.exists()
        file.write(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@needs_locks
@pytest.mark.parametrize("name", [".a.nncli-tmp", "a.01234567.nncli-tmp", ".a.0123456.nncli-tmp", ".a.01234567.tmp"])
def test_files_of_other_names_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@needs_locks
def test_links_and_special_files_and_folders_without_a_lock_stay(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / ".lock").touch()
    (far / "file").touch()
    (tmp_path / ".a.00000000.nncli-tmp").symlink_to(far / "file")
    (tmp_path / ".a.11111111.nncli-tmp").symlink_to(far)
    os.mkfifo(tmp_path / ".a.22222222.nncli-tmp")
    for name, lock in (("3", "lock"), ("4", ".lock")):
        folder = tmp_path / f".a.{name * 8}.nncli-tmp"
        folder.mkdir()
        (folder / lock).symlink_to(far / "file")
    before = sorted(tmp_path.rglob("*"))
    clear_leftovers(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@needs_locks
def test_many_that_clear_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(seed: int) -> None:
        generator = random.Random(seed)
        for n in range(20):
            (tmp_path / f".left.{generator.getrandbits(32):08x}.nncli-tmp").touch()
            clear_leftovers(tmp_path)
            with temporary_folder(tmp_path / f"{seed}-{n}") as folder:
                write_text(folder / "file", "x")
                clear_leftovers(tmp_path)
                folder.rename(tmp_path / f"{seed}-{n}")
            write_text(tmp_path / f"{seed}-{n}.txt", "x")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [None] * 8
    clear_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{seed}-{n}{suffix}" for seed in range(8) for n in range(20) for suffix in ("", ".txt")
    )
    assert all((tmp_path / f"{seed}-{n}" / "file").exists() for seed in range(8) for n in range(20))


@needs_locks
def test_without_locks_everything_is_written_and_nothing_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    left = tmp_path / ".a.01234567.nncli-tmp"
    left.touch()
    write_text(tmp_path / "a", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([left.name, "a"])
