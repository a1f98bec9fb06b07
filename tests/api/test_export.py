from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import nncli
from nncli.api.export import MismatchError
from nncli.base.errors import CellError, RunError, UsageError
from nncli.exporters.runtimes.process import ExportedFileError
from tests.cli.support import DATA
from tests.exporters.referee import printed, referee


def test_the_file_is_named_after_the_run_and_checked_with_its_own_rows(
    penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch):
        done = nncli.export(penguins, to="referee")
    assert done.path == Path(f"{penguins.name}.ref")
    assert (here / done.path).read_text() == penguins.name
    assert done.unchecked is None
    assert done.comparison is not None
    assert done.comparison.is_match
    assert 200 < done.comparison.rows < 400
    assert done.bytes == len(penguins.name)
    assert done.constant_bytes == printed[penguins.name].constant_bytes > 0


def test_the_suffix_of_the_file_tells_the_target(penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch):
        assert nncli.export(penguins, "model.REF", check=False).target == "referee"
        assert nncli.export(penguins, "model.bin", to="referee", check=False).path == Path("model.bin")


@pytest.mark.parametrize(
    ("output", "to", "message"),
    [
        (None, None, "neither the target nor a file"),
        ("model.txt", None, "suffix of the file is that of no target"),
        (None, "ONNX", "no target"),
        ("model.js", "c", "suffix of the file is that of another one"),
        ("-", "c", "not written to standard output"),
        ("folder", "c", "folder, not a file"),
    ],
)
def test_targets_and_files_that_do_not_fit_are_refused(
    penguins: Path, here: Path, output: str | None, to: str | None, message: str
) -> None:
    (here / "folder").mkdir()
    with pytest.raises(UsageError, match=message) as caught:
        nncli.export(penguins, output, to=to)
    assert caught.value.hint
    assert [path.name for path in here.iterdir()] == ["folder"]


def test_an_existing_file_is_replaced_only_by_force(
    penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "m.ref").write_text("mine")
    with referee(monkeypatch):
        with pytest.raises(UsageError, match="exists already"):
            nncli.export(penguins, "m.ref")
        assert (here / "m.ref").read_text() == "mine"
        nncli.export(penguins, "m.ref", force=True, check=False)
    assert (here / "m.ref").read_text() == penguins.name


def test_labels_and_probabilities_are_selected(penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch):
        labels = nncli.export(penguins, "labels.ref", labels=True)
        assert {column.role for column in printed[penguins.name].outputs} == {"class"}
        proba = nncli.export(penguins, "proba.ref", proba=True)
        assert {column.role for column in printed[penguins.name].outputs} == {"probability"}
    assert labels.comparison is not None
    assert proba.comparison is not None
    assert labels.comparison.numbers == 0
    assert proba.comparison.numbers == 3 * proba.comparison.rows


def test_intervals_are_computed_by_the_file(line: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch):
        done = nncli.export(line, "line.ref", interval=[0.9, 0.5], check=DATA / "linear.csv")
    outputs = printed[line.name].outputs
    assert [(column.role, column.level) for column in outputs] == [
        ("value", None),
        *(("lower", 0.9), ("upper", 0.9), ("lower", 0.5), ("upper", 0.5)),
    ]
    assert done.comparison is not None
    assert done.comparison.numbers == 5 * done.comparison.rows


@pytest.mark.parametrize(
    "options", [{"labels": True}, {"proba": True}, {"interval": 1.5}, {"labels": True, "proba": True}]
)
def test_outputs_that_a_regression_does_not_have_are_refused(
    line: Path, here: Path, options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch), pytest.raises(UsageError):
        nncli.export(line, "line.ref", **options)  # type: ignore[arg-type]
    assert list(here.iterdir()) == []


def test_intervals_of_classes_are_refused(penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch), pytest.raises(UsageError, match="interval needs a regression"):
        nncli.export(penguins, "p.ref", interval=0.9)


@pytest.mark.parametrize("fault", ["number", "class"])
def test_answers_that_differ_are_an_error_that_keeps_the_comparison(
    penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    with referee(monkeypatch, fault=fault), pytest.raises(MismatchError) as caught:
        nncli.export(penguins, "p.ref", check=DATA / "penguins.csv")
    result = caught.value.export.comparison
    assert result is not None
    assert (result.largest_rows, result.class_rows) == ((("row 3",), ()) if fault == "number" else ((), ("row 4",)))
    assert caught.value.exit_code == 1
    assert list(here.iterdir()) == []


def test_a_file_with_other_columns_is_an_error(penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch, fault="column"), pytest.raises(ExportedFileError, match="'other'") as caught:
        nncli.export(penguins, "p.ref")
    assert caught.value.hint
    assert list(here.iterdir()) == []


def test_without_the_runtime_the_file_is_written_unchecked_unless_a_table_is_given(
    penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch, missing="apt-get install referee"):
        done = nncli.export(penguins, "p.ref")
        assert (done.comparison, done.unchecked) == (None, "the interpreter cannot be used: apt-get install referee")
        with pytest.raises(ExportedFileError, match="Apt-get install referee"):
            nncli.export(penguins, "q.ref", check=DATA / "penguins.csv")
    assert [path.name for path in here.iterdir()] == ["p.ref"]


def test_without_its_training_table_a_run_is_exported_unchecked(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DATA / "xor.csv", tmp_path / "xor.csv")
    (tmp_path / "c.yaml").write_text(f"data: {{path: {tmp_path}/xor.csv, target: label}}\nlayers: [4]\nepochs: 1\n")
    run = nncli.train(tmp_path / "c.yaml", output=tmp_path / "run").run
    (tmp_path / "xor.csv").unlink()
    with referee(monkeypatch):
        done = nncli.export(run, "xor.ref")
        assert done.comparison is None
        assert "xor.csv" in str(done.unchecked)
        checked = nncli.export(run, "xor.ref", check=DATA / "xor.csv", force=True)
    assert checked.comparison is not None


def test_a_cell_that_predict_refuses_is_its_error(penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.read_csv(DATA / "penguins.csv", infer_schema=False)
    name = next(name for name in frame.columns if name.startswith("bill"))
    frame.with_columns(pl.Series(name, ["oops", *frame[name][1:]])).write_csv(here / "new.csv")
    with referee(monkeypatch), pytest.raises(CellError) as caught:
        nncli.export(penguins, "p.ref", check="new.csv")
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (1, name)
    assert [path.name for path in here.iterdir()] == ["new.csv"]


def test_a_run_that_is_not_there_leaves_no_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch), pytest.raises(RunError):
        nncli.export("nowhere", to="referee")
    assert list(here.iterdir()) == []
