"""A table of ordered classes through every operation: the ranks stay in order, and the same everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest

from nncli import (
    check,
    cross_validate,
    distill,
    evaluate,
    export,
    init,
    load,
    predict,
    report,
    share,
    show,
    threshold,
    train,
)
from nncli.api.threshold import clear_threshold
from nncli.api.train import train_events
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.base.findings import Finding, FindingCode
from nncli.fitting.table_summary import summarize_table
from nncli.models.scores import headlines
from nncli.run_directory.run import Run
from nncli.sklearn import NNClassifier
from nncli.targets.decision import RankCuts
from nncli.targets.ordinal import OrdinalTarget

LABELS = ["tiny", "mid", "vast"]
QUICK = ["layers=[8]", "epochs=20", "learning_rate=0.02"]
ORDER = "data.order=[tiny, mid, vast]"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 240))
    rank = np.searchsorted([-0.7, 0.7], x + 0.3 * rng.logistic(size=240))
    path = tmp_path_factory.mktemp("table") / "t.csv"
    grade = np.array(["low", "medium", "high"])[rank]
    pl.DataFrame({"x": x, "z": z, "size": np.array(LABELS)[rank], "grade": grade}).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "run"
    return train(table, target="size", set=[*QUICK, ORDER, "members=3", "data.drop=[grade]"], output=output).run


def test_an_order_sets_the_loss_and_the_order_of_the_columns(run: Path, table: Path) -> None:
    summary = show(run)
    assert (summary.task, summary.loss, list(summary.classes)) == ("ordinal", "ordinal", LABELS)
    predicted = predict(run, table, proba=True, prediction_set=0.8)
    assert predicted.columns[:4] == ["prediction", *(f"proba_{label}" for label in LABELS)]
    P = predicted.select(pl.col("^proba_.*$")).to_numpy().astype(np.float64)
    median = (P.cumsum(axis=1)[:, :-1] < 0.5).sum(axis=1)
    assert predicted["prediction"].to_list() == [LABELS[k] for k in median]


def test_sets_are_ranges_that_cover_the_level(run: Path, table: Path) -> None:
    sets = predict(run, table, prediction_set=0.8)["set_80"].to_list()
    ranks = [[LABELS.index(label) for label in members] for members in sets]
    assert all(each == list(range(each[0], each[-1] + 1)) for each in ranks if each)
    actual = pl.read_csv(table)["size"].to_list()
    assert np.mean([label in members for label, members in zip(actual, sets, strict=True)]) >= 0.75


def test_scores_and_the_report_have_the_metrics_of_ranks(run: Path, table: Path) -> None:
    names = [name for name, _ in headlines(evaluate(run, table).scores)]
    assert names[:2] == ["rank_mae", "quadratic_kappa"]
    page = report(run).html.read_text(encoding="utf-8")
    assert "quadratic weighted kappa" in page


def test_a_grade_of_words_needs_no_order(table: Path, tmp_path: Path) -> None:
    drafted = init(table, "grade", output=tmp_path / "c.yaml")
    assert "# loss: ordinal" in drafted
    assert "'low' < 'medium' < 'high'" in drafted
    finished = train(
        table, target="grade", set=[*QUICK, "loss=ordinal", "metric=quadratic_kappa"], output=tmp_path / "r"
    )
    target = Run.open(finished.run).load_model().spec.target
    assert isinstance(target, OrdinalTarget)
    assert target.labels == ("low", "medium", "high")


def orders(findings: Iterable[Finding]) -> list[tuple[str, str | None]]:
    return [(f.level, f.location.column) for f in findings if f.code is FindingCode.CLASS_ORDER and DATES in f.message]


DATES = "'Q4 2022' < 'Q1 2023' < 'Q3 2023'"


@pytest.mark.parametrize("members", [1, 2])
def test_every_training_says_the_order_before_it_begins(tmp_path: Path, members: int) -> None:
    rng = np.random.default_rng(1)
    rank = np.arange(90) % 3
    names = np.array(["Q4 2022", "Q1 2023", "Q3 2023"])[rank]
    table = tmp_path / "t.csv"
    pl.DataFrame({"x": rank + rng.normal(size=90), "z": rng.normal(size=90), "quarter": names}).write_csv(table)
    assignments = [*QUICK, "loss=ordinal", f"members={members}"]
    expected = [("note", "quarter")]
    assert orders(summarize_table(table, ["quarter"], ["loss=ordinal"]).findings) == expected
    assert orders(check(table, target="quarter", set=assignments).findings) == expected
    events = train_events(table, target="quarter", set=assignments, output=tmp_path / "run")
    said = [finding for event in events for finding in getattr(event, "findings", ())]
    assert orders(said)[:1] == expected
    assert DATES in dict(show(tmp_path / "run").facts())["target"]


def test_words_without_an_order_are_refused_until_it_is_given(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        train(table, target="size", set=[*QUICK, "loss=ordinal"], output=tmp_path / "r")
    assert "data.order" in str(caught.value.hint)
    drafted = summarize_table(table, ["size"], ["loss=ordinal"]).findings
    assert [f.level for f in drafted if f.hint == caught.value.hint] == ["warning"]
    with pytest.raises(ConfigError) as refused:
        train(table, target="size", set=[*QUICK, "loss=cross_entropy", ORDER], output=tmp_path / "r")
    assert refused.value.issues[0].location.key == "data.order"


def test_a_class_that_an_order_has_twice_is_refused_at_its_key(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        train(table, target="size", set=[*QUICK, "data.order=[tiny, mid, mid, vast]"], output=tmp_path / "twice")
    assert refused.value.issues[0].location.key == "data.order"


def test_a_training_is_resumed_with_its_order(run: Path) -> None:
    copy = Path(shutil.copytree(run, run.parent / "copy"))
    resumed = train(resume=copy, set=["epochs=24"]).run
    assert list(show(resumed).classes) == LABELS


def test_a_student_learns_the_ranks(run: Path, table: Path, tmp_path: Path) -> None:
    student = distill(run, output=tmp_path / "student", set=["epochs=4"]).run
    assert show(student).loss == "ordinal"
    agreement = predict(run, table)["prediction"] == predict(student, table)["prediction"]
    assert agreement.sum() > 0.8 * len(agreement)


def test_folds_are_scored_in_ranks(table: Path, tmp_path: Path) -> None:
    result = cross_validate(
        table, target="grade", set=[*QUICK, "loss=ordinal", "data.drop=[size]"], folds=3, output=tmp_path / "cv"
    )
    assert "quadratic_kappa" in str(result)


@pytest.mark.parametrize("kind", ["python", "onnx"])
def test_an_export_predicts_the_same_ranks(run: Path, tmp_path: Path, kind: str) -> None:
    exported = export(run, tmp_path / f"model.{kind}", to=kind)
    assert exported.comparison is not None
    assert exported.comparison.n_classes == 0


def test_cuts_with_the_highest_kappa_are_chosen_saved_and_exported(run: Path, table: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    analysis = threshold(copy, kappa=True, save=True)
    kappas = [{f.name: f.value for f in figures} for figures in (analysis.most_probable, analysis.achieved)]
    assert kappas[1]["quadratic_kappa"] >= kappas[0]["quadratic_kappa"] - 0.02
    predicted = predict(copy, table, proba=True)
    P = predicted.select(pl.col("^proba_.*$")).to_numpy().astype(np.float64)
    assert isinstance(analysis.decision, RankCuts)
    codes = (np.array(analysis.decision.cuts)[:, None] <= P @ [0.0, 1.0, 2.0]).sum(axis=0)
    assert predicted["prediction"].to_list() == [LABELS[k] for k in codes]
    exported = export(copy, tmp_path / "model.py")
    assert exported.comparison is not None
    assert exported.comparison.n_classes == 0
    assert clear_threshold(copy) == analysis.decision


def test_cuts_need_an_order_and_no_other_goal(run: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        threshold(run, kappa=True, f1=True)
    unordered = train(table, target="grade", set=[*QUICK, "validation=0.3"], output=tmp_path / "r").run
    with pytest.raises(UsageError) as caught:
        threshold(unordered, kappa=True)
    assert "ordinal" in str(caught.value.hint)


def test_a_private_copy_keeps_the_order(run: Path, table: Path, tmp_path: Path) -> None:
    with ZipFile(share(run, tmp_path / "copy.zip").path) as archive:
        archive.extractall(tmp_path)
    copy = next(path.parent for path in tmp_path.glob("**/model.json") if path.parent.parent.name != "members")
    assert predict(copy, table)["prediction"].equals(predict(run, table)["prediction"])


def test_an_estimator_predicts_the_median_rank_as_the_command_does(table: Path) -> None:
    frame = pl.read_csv(table)
    X, y = frame.select("x", "z"), frame["size"]
    estimator = NNClassifier(layers=[8], epochs=20, random_state=0, config={"data": {"order": LABELS}}).fit(X, y)
    columns = np.array([np.flatnonzero(estimator.classes_ == label)[0] for label in LABELS])
    P = estimator.predict_proba(X)[:, columns]
    assert estimator.predict(X).tolist() == [LABELS[k] for k in (P.cumsum(axis=1)[:, :-1] < 0.5).sum(axis=1)]
    ordered = NNClassifier(layers=[8], epochs=5, loss="ordinal").fit(X, frame["grade"])
    assert ordered.predict_set(X, 0.8).shape == (240, 3)


def test_a_loaded_run_explains_its_classes_in_order(run: Path) -> None:
    assert list(load(run).classes or ()) == LABELS
