from __future__ import annotations

import pickle
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.sources.file import FileReader
from nncli.data.sources.local_copies import copies_in_use, local_copies
from nncli.data.sources.open import open_reader
from nncli.data.sources.reader import Checksum, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table


@dataclass
class DistantTable(TableReader):
    """A table that is copied before it is read more than once."""

    copied: int = 0

    @property
    def name(self) -> str:
        return "far://t.csv"

    @property
    def needs_copy(self) -> bool:
        return True

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
