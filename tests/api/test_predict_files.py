"""`predict_files`: each file as `predict` answers it alone, in whichever process, and what is done stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from nncli import predict, predict_files
from nncli.api.prediction.many_files import file_task as tasks
from nncli.api.prediction.many_files.record import FilesProgress
from nncli.base.errors import DataError, NncliError, RunError, UsageError
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from tests.assertions import raises
from tests.cli.support import DATA, Cli

TABLE = pl.read_csv(DATA / "penguins.csv", null_values=["NA"])
NAMES = ("a.csv", "deep/b.parquet", "c.jsonl")


@pytest.fixture
def inputs(here: Path) -> Path:
    """A folder `in` with three files of different kinds."""
    (here / "in/deep").mkdir(parents=True)
    TABLE[:100].write_csv("in/a.csv")
    TABLE[100:200].write_parquet("in/deep/b.parquet")
    TABLE[200:].write_ndjson("in/c.jsonl")
    return Path("in")


def content(folder: str) -> dict[str, bytes]:
    return {name: Path(folder, name).read_bytes() for name in NAMES}


def names(files: object) -> list[str]:
    return [file.name for file in files]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_each_file_has_the_bytes_of_its_own_prediction_with_one_and_two_workers(
    nncli: Cli, penguins: Path, inputs: Path
) -> None:
    seen: list[FilesProgress] = []
    here = predict_files(penguins, "in", "one", proba=True, keep=["species"], workers=1, on_progress=seen.append)
    assert names(here.done) == ["in/a.csv", "in/c.jsonl", "in/deep/b.parquet"]
    assert [file.rows for file in here.done] == [100, 144, 100]
    assert here.summary.rows == seen[-1].rows == 344
    assert [progress.done for progress in seen] == [0, 1, 2, 3]
    predict_files(
        penguins, ["in/a.csv", "in/**/*.parquet", "in/c.jsonl"], "two", proba=True, keep=["species"], workers=2
    )
    for name in NAMES:
        nncli("predict", penguins, f"in/{name}", "-o", f"alone/{name}", "--proba", "--keep", "species").check()
    assert content("one") == content("two") == content("alone")


@pytest.mark.slow
def test_a_second_start_does_what_failed_and_no_more(penguins: Path, inputs: Path) -> None:
    whole = (inputs / "c.jsonl").read_bytes()
    (inputs / "c.jsonl").write_bytes(whole[:-9])
    (inputs / "empty.csv").touch()
    first = predict_files(penguins, "in", "out/", workers=1)
    assert names(first.failed) == ["in/c.jsonl", "in/empty.csv"]
    assert {type(file.error) for file in first.failed} == {DataError}
    assert not Path("out/c.jsonl").exists()
    (inputs / "c.jsonl").write_bytes(whole)
    (inputs / "empty.csv").unlink()
    before = {file.answer: file.answer.stat().st_mtime_ns for file in first.done}
    second = predict_files(penguins, "in", "out/", workers=1)
    assert names(second.done) == ["in/c.jsonl"]
    assert names(second.skipped) == ["in/a.csv", "in/deep/b.parquet"]
    assert {file.answer: file.answer.stat().st_mtime_ns for file in second.skipped} == before
    assert predict_files(penguins, "in", "out/").done == ()
    assert len(predict_files(penguins, "in", "out/", workers=1, force=True).done) == 3


def test_the_answers_may_be_in_the_folder_of_the_inputs(penguins: Path, inputs: Path) -> None:
    assert len(predict_files(penguins, "in", "in/answers", workers=1).done) == 3
    assert len(predict_files(penguins, "in", "in/answers").skipped) == 3


@pytest.mark.slow
def test_the_invalid_cells_of_all_files_are_in_one_table(penguins: Path, inputs: Path) -> None:
    for name, row in (("a.csv", 3), ("e.csv", 2)):
        cells = TABLE[:100].with_columns(pl.col("body_mass_g").cast(pl.String))
        cells[row - 1, "body_mass_g"] = "heavy"
        cells.write_csv(inputs / name)
    notes: list[str] = []
    with raises(UsageError, mentions="on_error"):
        predict_files(penguins, "in", "out", errors="bad.csv")
    options = {"on_error": "missing", "errors": "bad.csv", "on_note": notes.append}
    predict_files(penguins, "in", "out", workers=1, **options)  # type: ignore[arg-type]
    bad = pl.read_csv("bad.csv")
    assert bad.select("file", "row", "column", "value").rows() == [
        ("in/a.csv", 3, "body_mass_g", "heavy"),
        ("in/e.csv", 2, "body_mass_g", "heavy"),
    ]
    assert sum("2 cells" in note for note in notes) == 1
    Path("out/e.csv").unlink()
    predict_files(penguins, "in", "out", workers=1, **options)  # type: ignore[arg-type]
    assert pl.read_csv("bad.csv").equals(bad)  # the other files' cells are kept


def test_folders_that_name_a_column_are_columns_of_each_file(penguins: Path, here: Path) -> None:
    for island in TABLE["island"].unique():
        Path(f"in/island={island}").mkdir(parents=True)
        TABLE.filter(island=island).drop("island").write_csv(f"in/island={island}/a.csv")
    result = predict_files(penguins, "in", "out", keep=["island"], workers=1)
    assert [file.error for file in result.failed] == []
    answers = pl.read_csv("out/island=Dream/a.csv")
    assert answers["island"].unique().to_list() == ["Dream"]
    expected = predict(penguins, TABLE.filter(island="Dream"))
    assert answers["prediction"].to_list() == expected["prediction"].to_list()


def test_a_file_that_changes_while_it_is_predicted_fails(
    penguins: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = tasks.load_model

    def change(run: str, checksum: str, options: UncertaintyOptions) -> object:
        (inputs / "a.csv").write_bytes((inputs / "a.csv").read_bytes() + b"\n")
        return load(run, checksum, options)

    monkeypatch.setattr(tasks, "load_model", change)
    result = predict_files(penguins, "in", "out", workers=1)
    assert names(result.failed) == ["in/a.csv"]
    assert not Path("out/a.csv").exists()


def test_what_cannot_be_done_is_refused_before_any_work(line: Path, penguins: Path, inputs: Path) -> None:
    with raises(UsageError, mentions="proba"):
        predict_files(line, "in", "out", proba=True)
    with raises(UsageError, mentions="escape_formulas"):
        predict_files(penguins, "in", "out", escape_formulas=True)
    with raises(UsageError, mentions="parquet"):
        predict_files(penguins, "in", "out", format="avro")
    with raises(UsageError, file="a.csv"):
        predict_files(penguins, "in", "in/a.csv")
    with raises(UsageError, file="a.csv", mentions="errors"):
        predict_files(penguins, "in", "out", errors="in/a.csv", on_error="skip", force=True)
    with raises(RunError):
        predict_files("nothing", "in", "out")
    assert not Path("out").exists()


def test_a_full_disk_ends_the_command_and_keeps_what_is_done(penguins: Path, inputs: Path) -> None:
    Path("out").mkdir()
    Path("out/deep").touch()  # where a folder has to be
    with pytest.raises(NncliError) as caught:
        predict_files(penguins, "in", "out", workers=1)
    assert caught.value.exit_code == 1
    Path("out/deep").unlink()
    assert len(predict_files(penguins, "in", "out", workers=1).failed) == 0


@pytest.mark.parametrize("name", ["a.csv", ".nncli-predict/a.csv.parquet"])
def test_leftovers_of_killed_processes_are_removed(penguins: Path, inputs: Path, name: str) -> None:
    file = Path("out", name)
    file.parent.mkdir(parents=True)
    left = file.with_name(f".{file.name}.01234567.nncli-tmp")
    left.touch()
    predict_files(penguins, "in", "out", workers=1)
    assert not left.exists()


def test_a_run_that_changed_is_refused_by_a_worker(penguins: Path, here: Path) -> None:
    shutil.copytree(penguins, "run")
    with raises(RunError):
        tasks.load_model(str(Path("run").absolute()), "another checksum", UncertaintyOptions())
