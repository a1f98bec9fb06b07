"""A report from end to end: its sections for every kind of run, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.api.report import ReportFiles, report
from nncli.api.train import train, train_events
from nncli.base.errors import RunError, UsageError
from nncli.fitting.train.events import Finished
from nncli.run_directory.manifest import HISTORY, MANIFEST, MODEL
from tests.analysis.report.support import SMALL, hostile_run, outline, parsed, trained_on
from tests.assertions import raises
from tests.run_directory.support import change_manifest, changed


def titles(files: ReportFiles) -> list[str]:
    return [section["title"] for section in files.content["sections"]]


@pytest.mark.slow
def test_the_sections_of_a_classification_in_order(penguins_report: ReportFiles) -> None:
    assert titles(penguins_report) == [
        "Scores",
        "Feature importance",
        "Scores by class",
        "ROC and calibration curves",
        "Prediction sets",
        "Data slices",
        "Largest errors",
        "Data",
        "Learning curves",
        "Health of the training",
        "Model and data",
        "Intended use and limitations",
        "Provenance",
    ]
    names = [section["name"] for section in penguins_report.content["sections"]]
    assert names[:4] == ["scores", "feature-importance", "classes", "calibration"]


@pytest.mark.slow
def test_the_sections_of_a_regression(pair: Path, tmp_path: Path) -> None:
    found = titles(report(pair, tmp_path / "r.html"))
    assert found[:4] == ["Scores", "Feature importance", "Residuals", "Prediction intervals"]
    assert "Scores by class" not in found


@pytest.mark.slow
def test_an_exposure_is_no_feature_and_the_baseline_is_proportional_to_it(tmp_path: Path) -> None:
    exposure = np.tile([0.5, 1.0, 2.0], 20)
    frame = pl.DataFrame({"age": np.arange(60.0), "years": exposure, "claims": np.arange(60) % 4})
    config = "data: {path: t.csv, target: claims, exposure: years}\nlayers: [2]\nepochs: 2\nloss: poisson\n"
    frame.write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text(config)
    files = report(train(tmp_path / "c.yaml", output=tmp_path / "run").run)
    card = files.card.read_text()
    assert "features: “age”\n" in card
    assert "exposure: “years”" in card
    assert "the mean rate times the exposure" in card


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(penguins: Path, penguins_report: ReportFiles, tmp_path: Path) -> None:
    again = report(penguins, tmp_path / "r.html")
    assert again.html.read_bytes() == penguins_report.html.read_bytes()
    assert again.card.read_bytes() == penguins_report.card.read_bytes()
    assert len(again.html.read_bytes()) < 1_000_000


@pytest.mark.slow
def test_the_page_has_the_recorded_scores(penguins: Path, penguins_report: ReportFiles) -> None:
    text = penguins_report.html.read_text("utf-8")
    metrics = json.loads((penguins / "metrics.json").read_text())["validation"]
    assert f"{metrics['metrics']['log_loss']:.4g}" in text
    assert f"{metrics['baseline']['log_loss']:.4g}" in text
    assert "“Adelie”" in penguins_report.content["summary"]


@pytest.mark.slow
def test_hundreds_of_classes_and_columns_are_cut_to_a_page_of_two_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {f"c{j}": rng.normal(size=400) for j in range(120)}
    frame = pl.DataFrame({**columns, "label": [f"class {i % 80}" for i in range(400)]})
    run = trained_on(tmp_path, frame, "label", "layers: [4]\nepochs: 1\nloss: cross_entropy")
    text = outline(run).text
    assert "80 classes" in text
    assert "100 of 120 columns" in text
    assert (run / "report.html").stat().st_size < 2_000_000


@pytest.mark.slow
def test_enormous_errors_are_shown(tmp_path: Path) -> None:
    x = [float(i) for i in range(40)]
    frame = pl.DataFrame({"x": x, "y": [v * 1e120 for v in x]})
    files = report(trained_on(tmp_path, frame, "y", SMALL + "precision: float64"))
    assert "Residuals" in titles(files)
    parsed(files)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_without_the_table_the_rest_is_shown(tmp_path: Path, fault: str) -> None:
    run = hostile_run(tmp_path)
    if fault == "missing":
        (tmp_path / "t.csv").unlink()
    else:
        (tmp_path / "t.csv").write_text("x\n1\n")
    files = report(run)
    assert titles(files) == [
        "Scores",
        "Learning curves",
        "Health of the training",
        "Model and data",
        "Intended use and limitations",
        "Provenance",
    ]
    assert [notice["level"] for notice in files.content["notices"]] == ["warning"]
    assert "config.yaml" in parsed(files).text


@pytest.mark.slow
def test_a_missing_part_is_a_warning_and_the_rest_is_shown(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (run / HISTORY).unlink()
    (run / MODEL).unlink()
    files = report(run)
    texts = [notice["text"] for notice in files.content["notices"]]
    assert any("training history" in text and "Restore the directory from a copy" in text for text in texts)
    assert "Scores" in titles(files)


@pytest.mark.slow
def test_a_run_that_never_ended_is_reported_as_unfinished(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    change_manifest(run, changed(status="running", files={}))
    (tmp_path / "t.csv").unlink()
    files = report(run)
    assert files.content["status"] == "running"
    assert any("not finished" in notice["text"] for notice in files.content["notices"])


@pytest.mark.slow
def test_a_stopped_training_is_reported_up_to_where_it_stopped(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    frame.write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: label}\nlayers: [4]\nepochs: 50\n")
    events = train_events(tmp_path / "c.yaml", output=tmp_path / "run", stop=iter([False] * 9 + [True] * 99).__next__)
    assert next(event for event in events if isinstance(event, Finished)).status == "stopped"
    files = report(tmp_path / "run")
    assert any("not finished" in notice["text"] for notice in files.content["notices"])
    assert {"Scores", "Learning curves"} <= {*titles(files)}


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (run / MANIFEST).write_text("{}")
    with pytest.raises(RunError):
        report(run)


@pytest.mark.slow
def test_only_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (tmp_path / "t.csv").unlink()  # for speed
    first = report(run)
    assert report(run) == first
    first.card.write_text("mine")
    with raises(UsageError, file="report.md"):
        report(run)
    assert first.card.read_text() == "mine"
    elsewhere = tmp_path / "r.html"
    first.html.rename(elsewhere)
    with raises(UsageError, file="r.html"):
        report(run, elsewhere)


@pytest.mark.parametrize("name", ["report.md", "report.pdf", "report", "report.html.gz"])
def test_other_suffixes_are_refused_before_any_work(penguins: Path, tmp_path: Path, name: str) -> None:
    with raises(UsageError):
        report(penguins, tmp_path / name, force=True)
    assert list(tmp_path.iterdir()) == []


def test_durations_are_formatted_alike_in_all_sections(penguins: Path, penguins_report: ReportFiles) -> None:
    seconds = json.loads((penguins / MANIFEST).read_text())["seconds"]
    sections = {section["name"]: section for section in penguins_report.content["sections"]}
    (overview,) = sections["model"]["parts"]
    assert f", in {seconds:.1f} s, done after" in dict(overview["pairs"])["trained"]
    assert dict(sections["provenance"]["parts"][0]["parts"][0]["pairs"])["duration"] == f"{seconds:.1f} s"
