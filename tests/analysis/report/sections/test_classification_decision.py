"""The saved decision in a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import FigureBlock, TableBlock
from nncli.analysis.report.sections.classification import decision
from nncli.analysis.report.sections.scores import overview_facts
from nncli.models.predictions import Predictions
from nncli.targets.decision import CostMatrix, Decision, Threshold
from nncli.targets.threshold_goals import FixedThreshold, LowestCost
from tests.analysis.report.support import flat, section_of, trained_on


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> HeldOutPredictions:
    """Ten held-out rows of two classes with known probabilities."""
    frame = pl.DataFrame({"x": [0.5 * i for i in range(50)], "label": ["no", "yes"] * 25})
    held_out = predict_held_out(trained_on(tmp_path_factory.mktemp("two"), frame, "label"))
    p = np.array([0.95, 0.9, 0.6, 0.6, 0.45, 0.3, 0.2, 0.1, 0.02, 0.01])
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    predictions = Predictions(held_out.predictions.target, np.stack([1 - p, p], axis=1))
    return replace(held_out, predictions=predictions, y=y, weights=None)


def decided(held_out: HeldOutPredictions, saved: Decision) -> HeldOutPredictions:
    return replace(held_out, predictions=replace(held_out.predictions, decision=saved))


def test_without_a_decision_there_is_no_section(two_classes: HeldOutPredictions) -> None:
    assert decision(two_classes) is None


@pytest.mark.slow
def test_a_threshold_shows_what_it_achieves_and_the_curve_of_its_costs(two_classes: HeldOutPredictions) -> None:
    goal = LowestCost(false_positive=1.0, false_negative=2.0)
    held_out = decided(two_classes, Threshold(positive="yes", threshold=0.4, goal=goal))
    section = decision(held_out)
    assert section is not None
    parts = [*flat(section.parts)]
    (figures,) = (part for part in parts if isinstance(part, TableBlock))
    assert [row[0] for row in figures.rows][-1] == "cost per row"
    assert {str(row[0]): row[3] for row in figures.rows}["recall"] == "0.75"  # of the most probable class
    (curve,) = (part for part in parts if isinstance(part, FigureBlock))
    assert curve.title == "Cost by threshold"
    assert (held_out.predictions.classes == (held_out.predictions.values[:, 1] >= 0.4)).all()
    assert held_out.predictions.target.row_errors(held_out.predictions, held_out.y)[0].sum() == 1.0
    text = section_of(held_out, "thresholds")
    assert "which is 0.5" not in str(text.parts[0])


def test_a_given_threshold_is_not_corrected(two_classes: HeldOutPredictions) -> None:
    section = decision(
        decided(two_classes, Threshold(positive="no", threshold=0.8, goal=FixedThreshold(threshold=0.8)))
    )
    assert section is not None
    assert "chosen again" not in str(section.parts)
    (figures,) = (part for part in flat(section.parts) if isinstance(part, TableBlock))
    assert {str(row[0]): row[1] for row in figures.rows}["recall"] == "0.6667"


def test_costs_of_classes_show_the_mean_cost(two_classes: HeldOutPredictions) -> None:
    saved = CostMatrix(labels=("no", "yes"), costs=((0.0, 1.0), (2.0, 0.0)))
    section = decision(decided(two_classes, saved))
    assert section is not None
    (table,) = (part for part in flat(section.parts) if isinstance(part, TableBlock))
    assert [row[1] for row in table.rows] == ["0.1", "0.3"]


def test_rows_of_one_class_say_nothing_about_a_threshold(two_classes: HeldOutPredictions) -> None:
    held_out = replace(two_classes, y=np.zeros(10, np.int64))
    section = decision(decided(held_out, Threshold(positive="yes", threshold=0.4, goal=FixedThreshold(threshold=0.4))))
    assert section is not None
    assert "one class" in str(section.parts[-1])


@pytest.mark.slow
def test_a_report_of_a_saved_decision_is_written(tmp_path: Path) -> None:
    from nncli import threshold
    from nncli.analysis.evaluation.run_summary import summarize_run
    from nncli.api.report import report

    frame = pl.DataFrame({"x": [0.5 * i for i in range(60)], "label": (["no"] * 2 + ["yes"]) * 20})
    run = trained_on(tmp_path, frame, "label")
    threshold(run, cost=(1, 5), save=True)
    page = report(run).html.read_text()
    assert "Saved decision" in page
    assert "Cost by threshold" in page
    assert "decision" in dict(overview_facts(summarize_run(run)))
