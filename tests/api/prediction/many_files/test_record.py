"""The record of a folder: what is done, what has changed, what may be replaced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nncli.api.prediction.many_files.file_task import FileState, FileToPredict
from nncli.api.prediction.many_files.record import AnswersRecord, new_record
from nncli.base.errors import UsageError
from nncli.data.sources.table_source import TableSource
from tests.assertions import raises

OUT = Path("out")
RECORD = OUT / "record.json"


@dataclass
class Folder:
    """Inputs a.csv and b.csv, and an output folder."""

    run: str = "1"
    options: dict[str, Any] | None = None

    def start(self, *names: str, force: bool = False) -> frozenset[str]:
        """Begin a command: check and write the record; the names of the answers that are done."""
        files = [
            FileToPredict(name, TableSource(path=name), FileState.of(name), name)
            for name in names or ("a.csv", "b.csv")
        ]
        record, done = new_record(
            OUT, self.run, self.options or {}, files, AnswersRecord.read(RECORD, force=force), force=force
        )
        record.write(RECORD)
        return done


@pytest.fixture
def folder(here: Path) -> Folder:
    OUT.mkdir()
    for name in ("a.csv", "b.csv"):
        Path(name).write_text(name)
    return Folder()


def answer(name: str, text: str = "answer") -> None:
    (OUT / "temporary").write_text(text)
    (OUT / "temporary").replace(OUT / name)
    os.utime(OUT / name, ns=(0, hash(text) % 10**18))


def test_an_answer_of_an_earlier_start_is_done(folder: Folder) -> None:
    assert folder.start() == set()
    answer("a.csv")
    assert folder.start() == {"a.csv"}
    assert folder.start("b.csv") == set()
    answer("b.csv")
    assert folder.start("a.csv") == {"a.csv"}  # the record still knows the others
    assert folder.start() == {"a.csv", "b.csv"}


def test_a_changed_input_is_refused_once_it_is_predicted(folder: Folder) -> None:
    folder.start()
    answer("a.csv")
    Path("b.csv").write_text("correct now")
    assert folder.start() == {"a.csv"}
    Path("a.csv").write_text("other")
    with raises(UsageError, mentions="force") as caught:
        folder.start()
    assert "'a.csv'" in str(caught.value)
    assert "'b.csv'" not in str(caught.value)


@pytest.mark.parametrize("other", [Folder(run="2"), Folder(options={"proba": True})])
def test_another_run_or_other_options_are_refused_where_there_are_answers(folder: Folder, other: Folder) -> None:
    folder.start()
    assert other.start() == set()
    answer("a.csv")
    with raises(UsageError, file="out", mentions="force"):
        folder.start()
    assert folder.start(force=True) == set()


def test_a_file_of_unknown_origin_is_refused(folder: Folder) -> None:
    answer("b.csv")
    with raises(UsageError, mentions="out/b.csv"):
        folder.start()
    assert not RECORD.exists()


def test_force_predicts_all_again_also_after_it_was_interrupted(folder: Folder) -> None:
    folder.start()
    answer("a.csv")
    answer("b.csv")
    assert folder.start(force=True) == set()
    answer("a.csv", "again")
    assert folder.start() == {"a.csv"}
    answer("b.csv", "again")
    assert folder.start() == {"a.csv", "b.csv"}


def test_a_damaged_record_is_refused(folder: Folder) -> None:
    folder.start()
    RECORD.write_text(RECORD.read_text()[:-9])
    with raises(UsageError, file=RECORD.name, mentions="force"):
        folder.start()
    assert folder.start(force=True) == set()
