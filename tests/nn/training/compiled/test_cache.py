"""The cache of compiled loops: outdated and damaged files are compiled again, by one process at a time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from nncli.nn.training.compiled import cache


class Loop:
    """A loop that is cached in a folder, and fails to load while a damaged file is there."""

    __name__ = "train_batches"

    def __init__(self, folder: Path) -> None:
        self.stats = SimpleNamespace(cache_path=str(folder))
        self.signatures: list[Any] = []
        self.folder, self.calls = folder, 0

    def __call__(self) -> None:
        self.calls += 1
        if any(file.read_bytes() == b"damaged" for file in self.folder.glob("*.nb?")):
            raise EOFError


def write(folder: Path, name: str, content: bytes = b"", age: float = -10.0) -> Path:
    file = folder / name
    file.write_bytes(content)
    changed = max(source.stat().st_mtime for source in cache.SOURCES.glob("*.py"))
    os.utime(file, (changed - age, changed - age))
    return file


LOOP, OTHER, FOREIGN = "kernels.train_batches-9.py311.1.nbc", "activations.relu-8.py311.1.nbi", "other.f-1.py311.1.nbc"


def test_a_loop_is_cached_once_its_file_is_newer_than_every_source(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    assert not cache.is_cached(loop)
    write(tmp_path, OTHER)
    assert not cache.is_cached(loop)
    write(tmp_path, LOOP, age=10.0)
    assert not cache.is_cached(loop)
    write(tmp_path, LOOP)
    assert cache.is_cached(loop)
    assert not cache.is_cached(Loop(tmp_path / "none"))
    loaded = Loop(tmp_path / "none")
    loaded.signatures.append(())
    assert cache.is_cached(loaded)


def test_files_older_than_a_source_are_removed_before_compiling(tmp_path: Path) -> None:
    write(tmp_path, LOOP, age=10.0)
    write(tmp_path, OTHER, age=1.0)
    write(tmp_path, FOREIGN, age=10.0)
    fresh = write(tmp_path, "kernels.sgd-8.py311.1.nbc")
    loop = Loop(tmp_path)
    cache.warm_up(loop, loop)
    assert loop.calls == 1
    assert {file.name for file in tmp_path.glob("*.nb?")} == {FOREIGN, fresh.name}


@pytest.mark.parametrize("age", [-10.0, 10.0])
def test_compiled_loops_that_cannot_be_read_are_removed_and_compiled_anew(tmp_path: Path, age: float) -> None:
    write(tmp_path, LOOP, age=age)
    write(tmp_path, OTHER, b"damaged")
    write(tmp_path, "layers.pyc")
    loop = Loop(tmp_path)
    cache.warm_up(loop, loop)
    assert loop.calls == 2
    assert {file.name for file in tmp_path.iterdir()} - {"nncli.lock"} == {"layers.pyc"}
    cache.warm_up(loop, loop)
    assert loop.calls == 3


def test_errors_of_the_compiled_loops_are_raised(tmp_path: Path) -> None:
    loop = Loop(tmp_path / "none")
    with pytest.raises(ZeroDivisionError):
        cache.warm_up(loop, lambda: 1 / 0)


def test_two_that_begin_together_compile_one_after_the_other(tmp_path: Path) -> None:
    inside, most = [], []

    def compile_slowly() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        write(tmp_path, LOOP)
        inside.pop()

    threads = [Thread(target=cache.warm_up, args=(Loop(tmp_path), compile_slowly)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


def test_a_folder_that_cannot_be_locked_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    loop = Loop(tmp_path / "file" / "folder")
    cache.warm_up(loop, loop)
    assert loop.calls == 1
