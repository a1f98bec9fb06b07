"""The scores section: intervals, baseline, improvement, and warnings about few rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.evaluation.linear_model import LinearModel, linear_benchmark
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import Cell, Notice, Paragraph, Section, TableBlock
from nncli.analysis.report.sections.scores import format_interval, held_out_scores, metric_cell, recorded_scores
from nncli.base.text import format_number
from nncli.models.predictions import Predictions
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from tests.analysis.report.support import SMALL, flat, full_rows, trained_on


def section_of(run: Path) -> Section:
    held_out = predict_held_out(run)
    return held_out_scores(held_out, held_out.scores_with_intervals(), summarize_run(run).metrics)


def tables(section: Section) -> list[TableBlock]:
    return [part for part in flat(section.parts) if isinstance(part, TableBlock)]


def test_scores_have_intervals_and_training_scores_are_beside_them(penguins: Path) -> None:
    validation, training = tables(section_of(penguins))
    assert validation.columns == ("metric", "model", "95 % CI", "baseline", "improvement (95 % CI)")
    rows = {row[0]: row for row in full_rows(validation)}
    low, high = map(float, rows["log_loss"][2].split("–"))
    assert low < float(rows["log_loss"][1]) < high
    assert rows["calibration_error"][2:5] == ["–", "–", "–"]
    assert training.columns == ("metric", "model", "baseline")


def test_a_single_row_is_a_warning(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(12)], "y": [0.1 + i for i in range(12)]})
    section = section_of(trained_on(tmp_path, frame, "y", SMALL + "validation: 0.05"))
    (notice,) = (part for part in section.parts if isinstance(part, Notice))
    assert notice.level == "warning"
    assert notice.text.startswith("Only 1 row is scored")


def test_groups_are_resampled_as_a_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=80), "g": [i // 4 for i in range(80)], "y": ["a", "b"] * 40})
    section = section_of(trained_on(tmp_path, frame, "y", data=", group: g"))
    assert "whole groups" in str(section.parts[-1])


def test_no_misclassified_row_is_a_note_with_a_bound(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    exact = np.eye(held_out.predictions.values.shape[1])[held_out.y]
    held_out = replace(held_out, predictions=Predictions(held_out.predictions.target, exact))
    section = held_out_scores(held_out, held_out.scores_with_intervals(), None)
    assert [part.level for part in section.parts if isinstance(part, Notice)] == ["note"]


def test_recorded_scores_have_no_intervals(penguins: Path) -> None:
    metrics = summarize_run(penguins).metrics
    assert metrics is not None
    validation, training = tables(recorded_scores(metrics, "out-of-fold"))
    assert "\n" not in str(validation.rows)
    assert len(validation.rows) == len(training.rows) == 7


@pytest.mark.parametrize(("interval", "text"), [(None, "–"), (ConfidenceInterval(0.12, 0.18), "0.12–0.18")])
def test_intervals_as_text(interval: ConfidenceInterval | None, text: str) -> None:
    assert format_interval(interval) == text


def test_a_metric_of_several_targets_names_its_target() -> None:
    assert metric_cell("rmse", None) == Cell("RMSE", "rmse")
    assert metric_cell("log_loss", "x2") == Cell("Log loss, x2", "log_loss, x2")


def test_the_linear_model_is_scored_on_the_same_rows(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    linear = linear_benchmark(held_out)
    section = held_out_scores(held_out, held_out.scores_with_intervals(), None, linear)
    (table,) = tables(section)
    assert table.columns[-2:] == ("linear model", "improvement over it (95 % CI)")
    rows = {row[0]: row for row in full_rows(table)}
    assert linear.scores is not None
    assert rows["log_loss"][5] == format_number(linear.scores.find("log_loss").baseline)
    assert rows["calibration_error"][5:] == ["–", "–"]


def test_why_there_is_no_linear_model_is_said(penguins: Path) -> None:
    held_out = predict_held_out(penguins)
    linear = LinearModel("ridge regression", None, "no rows are held out")
    section = held_out_scores(held_out, held_out.scores_with_intervals(), None, linear)
    assert any("no rows are held out" in part.text for part in flat(section.parts) if isinstance(part, Paragraph))
    assert full_rows(tables(section)[0])[0][-2:] == ["–", "–"]
