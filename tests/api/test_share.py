"""`nncli share`: the copy gives away no more than it says, and predicts as the run does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import polars as pl
import pytest

from nncli import (
    NncliError,
    distill,
    drift,
    evaluate,
    explain,
    export,
    load,
    predict,
    report,
    reproduce,
    share,
    show,
    threshold,
    train,
)
from nncli.api.cross_validate import cross_validation_events
from nncli.api.tune import tune_events
from nncli.base.errors import RunError, UsageError
from nncli.base.findings import FindingCode
from nncli.data.sources.read_table import read_table
from nncli.fitting.train.events import MembersStarted
from nncli.run_directory.run import Run
from nncli.serving.models.served_model import ServedModel
from nncli.tuning.search import SearchStarted
from tests.run_directory.support import marked_table

PRIVATE = (
    b"rarecat",
    b"singlecat",
    b"rareclass",
    b"dropcell",
    b"solo",
    b"markfolder",
    b"marktable",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with rare categories."""
    return marked_table(tmp_path_factory.mktemp("table") / "markfolder")


@pytest.fixture(scope="module", params=(1, 2))
def run(request: pytest.FixtureRequest, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, and an ensemble."""
    changes = ["epochs=3", f"members={request.param}", "data.drop=[MARKDROP]", "class_weight={rareclass: 2}"]
    return train(table, target="MARKTARGET", set=changes, output=tmp_path_factory.mktemp("markfolder") / "run").run


@pytest.fixture(scope="module")
def copy(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory in a shared file."""
    folder = tmp_path_factory.mktemp("copy")
    return unpacked(share(run, folder / "shared.zip").path)


def unpacked(file: Path) -> Path:
    """The run directory in a file, beside it."""
    with ZipFile(file) as archive:
        archive.extractall(file.parent)
    return file.with_suffix("")


@pytest.mark.slow
def test_no_file_has_a_row_a_rare_category_or_a_path(run: Path, copy: Path, table: Path) -> None:
    hashes = [hash_.tobytes() for hash_ in Run(run).load_model().hash_rows(read_table(str(table)))]
    for path in copy.rglob("*.*"):
        content = path.read_bytes()
        assert not [mark for mark in (*PRIVATE, *hashes) if mark in content], path
    assert any(b"commoncat1" in path.read_bytes() for path in copy.rglob("model.json"))
    assert not [*copy.rglob("*_rows.*"), *copy.rglob("held_out.*"), *copy.rglob("checkpoints")]


@pytest.mark.slow
def test_the_copy_predicts_the_same_bits_and_rare_categories_as_unseen_ones(run: Path, copy: Path, table: Path) -> None:
    rows = pl.read_csv(table)
    is_rare = pl.col("MARKCAT").is_in(["rarecat", "singlecat"])
    as_unseen = rows.with_columns(pl.when(is_rare).then(pl.lit("new")).otherwise("MARKCAT").alias("MARKCAT"))
    names = {"proba_rareclass": "proba_rare class 1"}
    expected = predict(run, as_unseen, proba=True).rename(names)
    expected = expected.with_columns(pl.col("prediction").replace("rareclass", "rare class 1"))
    assert predict(copy, rows, proba=True).equals(expected)
    assert predict(copy, as_unseen, proba=True).equals(expected)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["onnx", "mjs", "html", "c", "py"])
def test_the_copy_is_exported_without_a_sign_of_what_was_removed(
    copy: Path, table: Path, tmp_path: Path, suffix: str
) -> None:
    export(copy, tmp_path / f"model.{suffix}", check=str(table) if suffix != "html" else False)
    content = (tmp_path / f"model.{suffix}").read_bytes()
    columns = [
        column
        for spec in copy.rglob("model.json")
        for column in json.loads(spec.read_text()).get("encoder", {}).get("columns", ())
    ]
    removed = {
        text[-32:].encode() for column in columns for text in column.get("categories", ()) if "common" not in text
    }
    assert removed
    assert not [mark for mark in (*PRIVATE, *removed) if mark in content]


@pytest.mark.slow
def test_the_copy_is_served(copy: Path) -> None:
    served = ServedModel.load("copy", copy)
    served.warm_up()
    (field,) = [column for column in served.schema.features if column.name == "MARKCAT"]
    assert [value for value in field.categories if "common" not in value] == []


def test_the_copy_is_shown_and_shared_again(copy: Path, tmp_path: Path) -> None:
    assert show(copy).private
    again = share(copy, tmp_path / "again.zip")
    assert again.rare == {}
    rows = pl.DataFrame({"MARKNUM": [1.0], "MARKCAT": ["commoncat1"], "MARKTEXT": ["a"]})
    assert predict(unpacked(again.path), rows, proba=True).equals(predict(copy, rows, proba=True))


REFUSED: dict[str, Callable[[Path, Path], object]] = {
    "resume": lambda copy, _: train(resume=copy),
    "reproduce": lambda copy, _: reproduce(copy),
    "distill": lambda copy, _: distill(copy),
    "explain without a table": lambda copy, _: explain(copy),
    "drift": lambda copy, table: drift(copy, table),
    "prediction sets": lambda copy, table: predict(copy, table, prediction_set=0.9),
    "threshold": lambda copy, _: threshold(copy),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_removed_files_says_so_at_the_run(copy: Path, table: Path, name: str) -> None:
    with pytest.raises(RunError, match="private") as raised:
        REFUSED[name](copy, table)
    assert raised.value.location is not None
    assert raised.value.location.source == str(copy)


@pytest.mark.slow
def test_a_report_a_score_and_an_explanation_of_a_table_need_none_of_them(
    copy: Path, table: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known.csv"
    pl.read_csv(table).filter(pl.col("MARKTARGET") != "rareclass").write_csv(known)
    assert evaluate(copy, known).training_rows is None
    assert explain(copy, known, permutations=1).rows == 234
    assert report(copy, tmp_path / "report.html").html.exists()


def test_a_rare_class_that_is_a_number_becomes_a_negative_one(tmp_path: Path) -> None:
    rows = pl.DataFrame({"x": range(60), "y": [7 if i < 4 else 8 + i % 2 for i in range(60)]})
    rows.write_parquet(tmp_path / "table.parquet")
    run = train(
        tmp_path / "table.parquet",
        target="y",
        set=["epochs=1", "members=1", "layers=[4]", "loss=cross_entropy"],
        output=tmp_path / "run",
    )
    copy = unpacked(share(run.run, tmp_path / "copy.zip").path)
    assert load(copy).model.spec.target.labels == ("-1", "8", "9")
    assert predict(copy, rows)["prediction"].dtype == pl.Int64


@pytest.mark.slow
def test_a_saved_decision_stays(run: Path, tmp_path: Path) -> None:
    rows = pl.DataFrame({"x": range(60), "y": ["a" if i % 3 else "b" for i in range(60)]})
    rows.write_csv(tmp_path / "table.csv")
    trained = train(
        tmp_path / "table.csv", target="y", set=["epochs=1", "members=1", "layers=[4]"], output=tmp_path / "r"
    )
    threshold(trained.run, at=0.3, save=True)
    copy = unpacked(share(trained.run, tmp_path / "copy.zip").path)
    assert show(copy).decision == show(trained.run).decision
    assert predict(copy, rows).equals(predict(trained.run, rows))


def test_what_cannot_be_shared_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        share(run, tmp_path / "copy.tar")
    (tmp_path / "copy.zip").write_text("")
    with pytest.raises(UsageError):
        share(run, tmp_path / "copy.zip")
    share(run, tmp_path / "copy.zip", force=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NncliError):
        share(tmp_path / "empty", tmp_path / "other.zip")
    if (run / "members").exists():
        with pytest.raises(RunError, match="member"):
            share(run / "members" / "1", tmp_path / "other.zip")
    assert not (tmp_path / "other.zip").exists()


def test_the_file_tells_neither_user_nor_time_of_packing(run: Path, tmp_path: Path) -> None:
    with ZipFile(share(run, tmp_path / "copy.zip").path) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert json.loads(archive.read("copy/manifest.json"))["command"] == []


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_private_training_leaves_what_would_be_shared_and_keyed_hashes(
    table: Path, tmp_path: Path, members: int
) -> None:
    changes = ["epochs=2", f"members={members}", "data.drop=[MARKDROP]"]
    finished = train(table, target="MARKTARGET", set=changes, output=tmp_path / "run", private=True)
    run = finished.run
    assert [finding.code for finding in finished.findings if finding.code == FindingCode.PRIVATE]
    key = run / "training_rows.key"
    hashes = [hash_.tobytes() for hash_ in Run(run).load_model().hash_rows(read_table(str(table)))]
    for path in run.rglob("*.*"):
        content = path.read_bytes()
        assert not [mark for mark in (*PRIVATE, *hashes) if mark in content], path
    assert key.stat().st_mode & 0o777 == 0o600
    shared = share(run, tmp_path / "copy.zip")
    assert not [name for name in shared.files if "training_rows" in name]
    known = pl.read_csv(table).filter(pl.col("MARKTARGET") != "rareclass").head(60)
    known.write_csv(tmp_path / "known.csv")
    matches = evaluate(run, tmp_path / "known.csv").training_rows
    assert matches is not None
    assert matches.trained_rows == 60
    key.unlink()
    assert evaluate(run, tmp_path / "known.csv").training_rows is None
    with pytest.raises(RunError, match="private"):
        train(resume=run)


@pytest.mark.slow
def test_a_stopped_private_training_says_that_it_keeps_rows_until_it_is_finished(table: Path, tmp_path: Path) -> None:
    changes = ["epochs=3", "members=1", "layers=[4]", "data.drop=[MARKDROP]"]
    calls = iter(range(1000))
    stopped = train(
        table, target="MARKTARGET", set=changes, output=tmp_path / "run", private=True, stop=lambda: next(calls) > 10
    )
    assert stopped.status == "stopped"
    assert stopped.findings[-1].code == FindingCode.PRIVATE
    assert not Run(stopped.run).load_manifest().private
    assert train(resume=stopped.run).status == "done"
    assert Run(stopped.run).load_manifest().private


@pytest.mark.slow
def test_the_key_private_is_the_same_as_the_option_and_a_student_may_be_private(table: Path, tmp_path: Path) -> None:
    changes = ["epochs=2", "members=1", "layers=[4]", "data.drop=[MARKDROP]"]
    private = train(table, target="MARKTARGET", set=[*changes, "private=true"], output=tmp_path / "private").run
    assert Run(private).load_manifest().private
    teacher = train(table, target="MARKTARGET", set=changes, output=tmp_path / "teacher").run
    student = distill(teacher, set=["epochs=2"], output=tmp_path / "student", private=True).run
    assert (Run(teacher).load_manifest().private, Run(student).load_manifest().private) == (False, True)
    for path in student.rglob("*.*"):
        assert not [mark for mark in PRIVATE if mark in path.read_bytes()], path


@pytest.mark.slow
def test_a_search_and_a_cross_validation_say_that_they_keep_rows(table: Path, tmp_path: Path) -> None:
    changes = ["epochs=1", "members=1", "layers=[4]", "data.drop=[MARKDROP]"]
    given: dict[str, Any] = {"target": "MARKTARGET", "set": changes, "private": True}
    for events in (
        tune_events(table, **given, search=["epochs=1,2"], trials=1, folds="holdout", output=tmp_path / "search"),
        cross_validation_events(table, **given, folds=2, output=tmp_path / "folds"),
    ):
        started = next(event for event in events if isinstance(event, SearchStarted | MembersStarted))
        assert FindingCode.PRIVATE in [finding.code for finding in started.findings]
        events.close()
