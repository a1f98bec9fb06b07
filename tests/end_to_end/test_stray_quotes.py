"""A table with two stray quotes, from `head` to `predict`: it is refused everywhere, and read where it is said how."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncli import check, evaluate, head, init, predict, train
from nncli.base.errors import DataError, in_terminal
from nncli.data.sources.table_source import TableSource
from tests.data.formats.csv.test_swallowed_rows import ROWS, STRAY, lines_of

SETTINGS = ["epochs=2", "members=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stray")
    (folder / "good.csv").write_text(lines_of(["size", "kind", "sold"], ROWS), "utf-8")
    (folder / "stray.csv").write_text(STRAY, "utf-8")
    (folder / "stray.csv.gz").write_bytes(gzip.compress(STRAY.encode()))
    with zipfile.ZipFile(folder / "stray.zip", "w") as archive:
        archive.writestr("stray.csv", STRAY)
    train(folder / "good.csv", target="sold", set=SETTINGS, output=folder / "good")
    return folder


READERS: dict[str, Callable[[Path], Any]] = {
    "head": head,
    "init": lambda path: init(path, "sold"),
    "check": lambda path: check(path, target="sold"),
    "train": lambda path: train(path, target="sold", output=path.parent / "never"),
    "predict": lambda path: predict(path.parent / "good", path),
    "evaluate": lambda path: evaluate(path.parent / "good", path),
}


@pytest.mark.parametrize("name", ["stray.csv", "stray.csv.gz", "stray.zip"])
@pytest.mark.parametrize("reader", READERS)
def test_every_command_refuses_the_table_and_names_what_works_there(folder: Path, reader: str, name: str) -> None:
    with pytest.raises(DataError) as caught:
        READERS[reader](folder / name)
    assert caught.value.location is not None
    assert caught.value.location.line == 22
    remedy = "--quote none" if reader in ("predict", "evaluate") else "--set data.quote=none"
    assert remedy in caught.value.on(in_terminal)


def test_a_run_remembers_what_quotes_are(folder: Path) -> None:
    run = train(folder / "stray.csv", target="sold", set=[*SETTINGS, "data.quote=none"], output=folder / "none").run
    assert len(predict(run, folder / "stray.csv")) == 60


def test_a_source_says_what_quotes_are(folder: Path) -> None:
    for quote, rows in [("none", 60), ("double", 40)]:
        source = TableSource(path=str(folder / "stray.csv"), quote=quote)
        assert len(predict(folder / "good", source)) == rows
        assert head(source).rows == rows
    assert head(folder / "stray.csv", set=["data.quote=none"]).kinds["kind"] == "categorical"
