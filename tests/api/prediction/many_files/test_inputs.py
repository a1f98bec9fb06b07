"""Which files are predicted, and the names that are refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nncli.api.prediction.many_files.inputs import input_files
from nncli.base.errors import DataError, UsageError
from nncli.data.sources.table_source import TableSource
from tests.assertions import raises


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    for name in ("in/a.csv", "in/b.parquet", "in/more/a.csv", "other/a.csv", "in/answers/a.csv"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    return here


def answers(*paths: str, output: str = "out") -> dict[str, str]:
    files = input_files([TableSource(path=path) for path in paths], Path(output), None)
    return {file.name: file.answer for file in files}


def test_folders_below_the_fixed_one_are_kept() -> None:
    assert answers("in", output="in/answers") == {
        "in/a.csv": "a.csv",
        "in/b.parquet": "b.parquet",
        "in/more/a.csv": "more/a.csv",
    }
    assert answers("in/more/*.csv") == {"in/more/a.csv": "a.csv"}


def test_a_file_that_is_named_twice_is_predicted_once() -> None:
    assert list(answers("in/*.csv", "in/a.csv", "in/../in/a.csv").values()) == ["a.csv"]


def test_two_answers_of_one_name_are_refused() -> None:
    with raises(UsageError, mentions="other/a.csv") as caught:
        answers("in/a.csv", "other/a.csv")
    assert "in/a.csv" in str(caught.value)
    Path("in/a.tsv.zip").touch()
    Path("in/a.tsv").touch()
    with raises(UsageError, mentions="a.tsv"):
        answers("in/a.tsv", "in/a.tsv.zip")


@pytest.mark.parametrize(("paths", "output"), [(["in"], "in"), (["in/a.csv"], "in"), (["other/*.csv"], ".")])
def test_answers_among_the_inputs_are_refused(paths: list[str], output: str) -> None:
    if output == ".":
        Path("other/other").mkdir()
        Path("other/other/a.csv").touch()
        paths = ["other"]
    with raises(UsageError, mentions="-o"):
        answers(*paths, output=output)


def test_answers_of_an_earlier_call_are_no_inputs() -> None:
    Path("only/answers").mkdir(parents=True)
    Path("only/answers/a.csv").touch()
    with raises(DataError, file="only"):
        answers("only", output="only/answers")


@pytest.mark.parametrize(
    ("path", "error", "mentions"),
    [
        ("in/a.cvs", DataError, "a.csv"),
        ("in/*.xyz", DataError, ""),
        ("-", UsageError, "-o"),
        ("postgresql://host/db", UsageError, "-o"),
        ("notes.md", UsageError, ".csv"),
        ("pipe", UsageError, "-o"),
    ],
)
def test_what_is_no_file_with_a_table_is_refused(path: str, error: type[DataError], mentions: str) -> None:
    Path("notes.md").touch()
    os.mkfifo("pipe")
    with raises(error, mentions=mentions):
        answers(path)
