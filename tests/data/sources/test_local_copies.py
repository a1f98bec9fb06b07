from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from nncli.base.errors import NncliError
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile
from nncli.data.sources.files.single_file import FileReader
from nncli.data.sources.local_copies import copies_in_use, local_copies
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table
from tests.cli.support import ROOT


@dataclass
class DistantTable(TableReader):
    """A table that is copied before it is read more than once."""

    copied: int = 0
    needs_copy: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "far://t.csv"

    def read(self, options: ReadOptions) -> Generator[Table]:
        raise AssertionError("the copy is read")
        yield

    def checksum(self) -> Checksum:
        raise AssertionError("the copy is read")

    def copy_to(self, folder: Path) -> TableReader:
        self.copied += 1
        (folder / "t.csv").write_text(f"x\n{self.copied}\n")
        return FileReader(InputFile(folder / "t.csv", self.name))


@dataclass
class Store:
    """Opens the one distant table."""

    table: DistantTable

    def open(self, source: TableSource) -> TableReader:
        return self.table if source.path == "far://t.csv" else open_reader(source)


SOURCE = TableSource(path="far://t.csv")


def test_a_source_is_read_from_one_copy_within_the_block_and_the_copy_is_removed(tmp_path: Path) -> None:
    store = Store(DistantTable())
    with local_copies([SOURCE, SOURCE], store.open, tmp_path):
        for _ in range(2):
            (table,) = open_reader(SOURCE).read(ReadOptions())
            assert (table.source, table.frame["x"].to_list()) == ("far://t.csv", ["1"])
        with local_copies([SOURCE], store.open, tmp_path):  # within another block the copy is kept
            assert store.table.copied == 1
        assert open_reader(SOURCE).checksum().sha256 is not None
    assert not list(tmp_path.iterdir())
    assert not copies_in_use().readers


def test_copies_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with local_copies([SOURCE], Store(DistantTable()).open, tmp_path):
        sent = pickle.dumps(copies_in_use())
        assert pickle.loads(sent) == copies_in_use()


def test_blocks_may_end_in_another_order_than_they_began(tmp_path: Path) -> None:
    other = TableSource(path="far://t.csv", sheet="other")
    first = local_copies([SOURCE], lambda _: DistantTable(), tmp_path)
    second = local_copies([other], lambda _: DistantTable(), tmp_path)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(copies_in_use().readers) == {other}
    second.__exit__(None, None, None)
    assert not copies_in_use().readers


def test_a_copy_stays_until_the_last_block_that_reads_it_ends(tmp_path: Path) -> None:
    store = Store(DistantTable())
    first, second = (local_copies([SOURCE], store.open, tmp_path) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    (table,) = open_reader(SOURCE).read(ReadOptions())
    assert table.frame["x"].to_list() == ["1"]
    second.__exit__(None, None, None)
    assert not copies_in_use().readers
    assert not list(tmp_path.iterdir())


def test_local_files_are_not_copied(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_csv(tmp_path / "t.csv")
    source = TableSource(path=str(tmp_path / "t.csv"))
    with local_copies([source], open_reader, tmp_path):
        assert not copies_in_use().readers


def test_a_table_that_cannot_be_copied_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(DistantTable):
        def copy_to(self, folder: Path) -> TableReader:
            (folder / "half").write_text("x")
            raise OSError

    with pytest.raises(OSError), local_copies([SOURCE], lambda _: Broken(), tmp_path):  # noqa: PT011
        pass
    assert not list(tmp_path.iterdir())


HOLDER = """
import sys
from pathlib import Path
from nncli.data.sources.local_copies import local_copies
from tests.data.sources.test_local_copies import SOURCE, DistantTable
with local_copies([SOURCE], lambda _: DistantTable(), Path(sys.argv[1])):
    print("copied", flush=True)
    sys.stdin.read()
"""


def age(folder: Path) -> None:
    """Make what is in a folder an hour older."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)


@pytest.mark.slow
def test_the_copies_of_a_killed_process_are_removed_by_the_next_and_those_of_a_running_one_are_not(
    tmp_path: Path,
) -> None:
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(2)
    ]
    for holder in holders:
        assert holder.stdout
        assert holder.stdout.readline() == b"copied\n"
    age(tmp_path)
    assert len([*tmp_path.iterdir()]) == 2
    killed, running = holders
    killed.kill()
    killed.communicate()
    with local_copies([SOURCE], lambda _: DistantTable(), tmp_path):
        assert len([*tmp_path.iterdir()]) == 2  # that of the running process, and that of this one
    running.communicate()
    assert running.returncode == 0
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(NncliError) as info, local_copies([SOURCE], lambda _: DistantTable(), tmp_path / "none"):
        pass
    assert info.value.location is not None
    assert info.value.location.source == str(tmp_path / "none")
