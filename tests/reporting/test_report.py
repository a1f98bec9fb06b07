"""A report from end to end: what is in it, whatever the run, and that nothing of a table gets out of its text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.commands.train import train_events
from nncli.errors import RunError, UsageError
from nncli.pipeline.train.events import Finished
from nncli.reporting.report import ReportFiles, report
from nncli.runs.manifest import HISTORY, MANIFEST, MODEL
from tests.reporting.support import hostile_run

SMALL = "layers: [4]\nepochs: 2\n"
VOID = {"meta", "link", "br", "path", "use"}


class Outline(HTMLParser):
    """The elements of a page, all of which must be closed in order; its ids, and what refers to them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        for name in ("aria-labelledby", "aria-describedby"):
            self.wanted |= set(given.get(name, "").split())
        if given.get("href", "").startswith("#"):
            self.wanted.add(given["href"][1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def outline(run: Path) -> Outline:
    return parsed(report(run, force=True))


def parsed(written: ReportFiles) -> Outline:
    found = Outline(written.html.read_text("utf-8"))
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert found.wanted <= set(found.ids)
    return found


def trained(folder: Path, frame: pl.DataFrame, target: str, text: str = SMALL, data: str = "") -> Path:
    frame.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: {target}{data}}}\n{text}")
    return train(folder / "c.yaml", output=folder / "run").run


@pytest.fixture(scope="module")
def of_penguins(penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return report(penguins, tmp_path_factory.mktemp("report") / "r.html")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return report(hostile_run(tmp_path_factory.mktemp("hostile")))


def test_hostile_names_are_text(hostile: ReportFiles) -> None:
    found = parsed(hostile)
    assert not found.tags & {"script", "img", "i", "b", "iframe"}
    assert "<script>alert(1)</script>" in found.text
    assert "two\\nlines" in found.text
    assert "{{ 7*7 }}" in found.text
    assert "\u202e" not in found.text


def test_the_card_shows_hostile_names_as_text(hostile: ReportFiles) -> None:
    card = hostile.card.read_text("utf-8")
    assert "\\<script\\>" in card
    assert "\u202e" not in card
    assert not re.search(r"(?<!\\)<(?!!-- A model card)", card)
    assert "n" * 61 not in card


def test_the_same_run_gives_the_same_bytes(penguins: Path, of_penguins: ReportFiles, tmp_path: Path) -> None:
    again = report(penguins, tmp_path / "r.html")
    assert again.html.read_bytes() == of_penguins.html.read_bytes()
    assert again.card.read_bytes() == of_penguins.card.read_bytes()
    assert len(again.html.read_bytes()) < 1_000_000


def test_a_page_needs_nothing_and_runs_nothing(of_penguins: ReportFiles) -> None:
    text = of_penguins.html.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|@import|url\((?!#)|src=|javascript:", text)
    assert re.findall(r'href="(?!#)([^"]*)"', text) == ["data:,"]


def test_classes_have_their_sections_and_scores(penguins: Path, of_penguins: ReportFiles) -> None:
    found = parsed(of_penguins)
    for title in ("How good it is", "Which classes are taken for which", "What it leans on", "The data check"):
        assert title in found.text
    metrics = json.loads((penguins / "metrics.json").read_text())["validation"]
    assert f"{metrics['metrics']['log_loss']:.4g}" in found.text
    assert f"{metrics['baseline']['log_loss']:.4g}" in found.text
    assert "always saying “Adelie”" in found.text
    assert "ROC curve" in found.text


def test_the_card_says_what_the_report_says(of_penguins: ReportFiles) -> None:
    card = of_penguins.card.read_text("utf-8")
    for title in ("# Model card", "## Intended use", "## Model and data", "## Scores", "## Limits", "## Predict"):
        assert f"{title}" in card
    assert "always saying “Adelie”" in card
    assert "| accuracy | " in card
    assert "nncli predict RUN new.csv" in card


def test_several_numbers_have_their_charts(pair: Path) -> None:
    text = outline(pair).text
    assert "Predicted against true" in text
    assert text.count("Histogram of the residuals") >= 2
    assert "rmse, x2" in text
    assert "Which classes" not in text


def test_an_ensemble_has_a_line_for_each_member(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=60), "label": ["a", "b"] * 30})
    text = outline(trained(tmp_path, frame, "label", SMALL + "members: 3\nworkers: 1")).text
    assert "3 neural networks, averaged, tell which" in text
    assert "each by the mean of those networks that were not trained on it" in text
    assert "each network at its best" in text


def test_one_row_of_validation_is_shown_with_a_warning(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(12)], "y": [0.1 + i for i in range(12)]})
    text = outline(trained(tmp_path, frame, "y", SMALL + "validation: 0.05")).text
    assert "There is only 1 row to judge by" in text


def test_without_validation_it_says_loudly_what_it_is_judged_by(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    written = report(trained(tmp_path, frame, "label", SMALL + "validation: 0"))
    assert "No rows were held out" in parsed(written).text
    assert "**Error:** No rows were held out" in written.card.read_text()


def test_weights_and_groups_are_minded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"x": rng.normal(size=80), "w": rng.integers(0, 3, 80), "g": [i // 4 for i in range(80)], "y": ["a", "b"] * 40}
    )
    text = outline(trained(tmp_path, frame, "y", data=", sample_weight: w, group: g")).text
    assert "resamples of whole groups" in text
    assert "Rows count by their weights" in text


def test_hundreds_of_classes_and_columns_are_cut_and_it_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {f"c{j}": rng.normal(size=400) for j in range(120)}
    frame = pl.DataFrame({**columns, "label": [f"class {i % 80}" for i in range(400)]})
    run = trained(tmp_path, frame, "label", "layers: [4]\nepochs: 1\nloss: cross_entropy")
    text = outline(run).text
    assert "80 classes are too many for a table of all pairs" in text
    assert "60 classes of the lowest f1, of 80" in text
    assert "The first 100 of 120 columns" in text
    assert (run / "report.html").stat().st_size < 2_000_000


def test_errors_beyond_measure_are_shown(tmp_path: Path) -> None:
    x = [float(i) for i in range(40)]
    run = trained(tmp_path, pl.DataFrame({"x": x, "y": [v * 1e120 for v in x]}), "y", SMALL + "precision: float64")
    assert "Predicted against true" in outline(run).text


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_what_is_known_without_the_table_is_shown(tmp_path: Path, harm: str) -> None:
    run = hostile_run(tmp_path)
    if harm == "gone":
        (tmp_path / "t.csv").unlink()
    else:
        (tmp_path / "t.csv").write_text("x\n1\n")
    found = outline(run)
    assert "cannot be computed again" in found.text
    assert "where the trivial guess has" in found.text
    assert "How the training went" in found.text
    assert "config.yaml" in found.text


def test_a_damaged_part_is_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (run / HISTORY).write_text("epoch,loss\n1,2\n")
    (run / MODEL).write_text("{}")
    text = outline(run).text
    assert "The course of the training cannot be shown" in text
    assert "Restore the directory from a copy" in text
    assert "How good it is" in text


def test_a_run_that_never_ended_is_shown_as_that(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    document = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps({**document, "status": "running", "files": {}, "checksum": None}))
    (tmp_path / "t.csv").unlink()
    text = outline(run).text
    assert "This training is not done: still running, or killed" in text


def test_a_training_that_was_stopped_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    frame.write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: label}\nlayers: [4]\nepochs: 50\n")
    events = train_events(tmp_path / "c.yaml", output=tmp_path / "run", stop=iter([False] * 9 + [True] * 99).__next__)
    assert next(event for event in events if isinstance(event, Finished)).status == "stopped"
    text = outline(tmp_path / "run").text
    assert "This training is not done: stopped before its end" in text
    assert "How good it is" in text
    assert "How the training went" in text


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (run / MANIFEST).write_text("{}")
    with pytest.raises(RunError):
        report(run)


def test_an_earlier_report_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    run = hostile_run(tmp_path)
    (tmp_path / "t.csv").unlink()  # for speed
    first = report(run)
    assert report(run) == first
    first.card.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        report(run)
    assert first.card.read_text() == "mine"
    elsewhere = tmp_path / "r.html"
    first.html.rename(elsewhere)
    with pytest.raises(UsageError, match="exists already"):
        report(run, elsewhere)


@pytest.mark.parametrize("name", ["report.md", "report.pdf", "report", "report.html.gz"])
def test_a_report_that_is_not_named_as_a_page_is_refused_before_any_work(
    penguins: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="page of HTML"):
        report(penguins, tmp_path / name, force=True)
    assert list(tmp_path.iterdir()) == []


def test_calibration_is_told_without_a_guess_and_without_an_interval(of_penguins: ReportFiles) -> None:
    text = of_penguins.html.read_text("utf-8")
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL)]
    measured, recorded = [row for row in rows if row[:1] == ["calibration_error"]]
    assert float(measured[1]) >= 0  # and no interval beneath it
    assert measured[2:4] == ["–", "–"]
    assert recorded[2] == "–"
    (line,) = [line for line in of_penguins.card.read_text().splitlines() if "calibration" in line]
    assert line.endswith(" | – | – |")
    accuracy = next(row for row in rows if row[:1] == ["accuracy"])
    assert re.fullmatch(r"[\d.]+\n[\d.]+ to [\d.]+", accuracy[1])
    assert "–" not in accuracy


def test_seconds_are_told_alike_everywhere(penguins: Path, of_penguins: ReportFiles) -> None:
    seconds = json.loads((penguins / MANIFEST).read_text())["seconds"]
    text = parsed(of_penguins).text
    assert f", in {seconds:.1f} s, done after" in text
    assert f"took{seconds:.1f} s" in text.replace("\n", "")


def test_the_cells_of_a_row_that_went_wrong_are_told_by_their_names(of_penguins: ReportFiles) -> None:
    text = parsed(of_penguins).text
    assert "its cells" in text
    assert re.search(r"bill_length_mm [\d.]+; ", text)


def test_a_table_of_their_own_is_named_as_that_of_the_rows_it_is_judged_by(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=60), "label": ["a", "b"] * 30})
    frame.write_csv(tmp_path / "held.csv")
    text = outline(trained(tmp_path, frame, "label", SMALL + "validation: {path: held.csv}")).text
    assert "60 rows of a table of their own, " in text
    assert "validation table" in text
    assert "chose the epoch that was kept" not in text
