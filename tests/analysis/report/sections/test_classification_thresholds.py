"""Decisions by threshold, and lift."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import FigureBlock, TableBlock
from nncli.analysis.report.run_page import view_sections
from nncli.models.predictions import Predictions
from tests.analysis.report.support import flat, full_rows, section_of, trained_on


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> HeldOutPredictions:
    """Ten held-out rows of two classes with known probabilities."""
    frame = pl.DataFrame({"x": [0.5 * i for i in range(50)], "label": ["no", "yes"] * 25})
    held_out = predict_held_out(trained_on(tmp_path_factory.mktemp("two"), frame, "label"))
    p = np.array([0.95, 0.9, 0.6, 0.6, 0.45, 0.3, 0.2, 0.1, 0.02, 0.01])
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    predictions = Predictions(held_out.predictions.target, np.stack([1 - p, p], axis=1))
    return replace(held_out, predictions=predictions, y=y, weights=None)


@pytest.mark.slow
def test_precision_and_recall_at_each_threshold(two_classes: HeldOutPredictions) -> None:
    section = section_of(two_classes, "thresholds")
    (table,) = (part for part in flat(section.parts) if isinstance(part, TableBlock))
    rows = {row[0]: row[1:] for row in full_rows(table)}
    assert rows["0.5"] == ["40.0 %", "75.0 %", "75.0 %", "0.75"]
    assert rows["0.9"] == ["20.0 %", "100 %", "50.0 %", "0.6667"]
    assert rows["0.95"][:3] == ["10.0 %", "100 %", "25.0 %"]


@pytest.mark.slow
def test_lift_is_the_share_of_the_class_among_the_first_rows(two_classes: HeldOutPredictions) -> None:
    section = section_of(two_classes, "thresholds")
    _, lift = (part for part in flat(section.parts) if isinstance(part, FigureBlock))
    rows = {row[0]: row[1:] for row in lift.table.rows}
    assert rows["20.0 %"] == ("50.0 %", "2.5")
    assert rows["30.0 %"] == ("62.5 %", "2.083")  # one of two rows of equal probability
    assert rows["100 %"] == ("100 %", "1")


def test_no_row_above_a_threshold_has_no_precision(two_classes: HeldOutPredictions) -> None:
    flat_p = np.full((10, 2), 0.5)
    held_out = replace(two_classes, predictions=Predictions(two_classes.predictions.target, flat_p))
    section = section_of(held_out, "thresholds")
    (table,) = (part for part in flat(section.parts) if isinstance(part, TableBlock))
    assert table.rows[-1] == ("0.95", "0 %", "–", "0 %", "–")


def test_other_targets_have_no_threshold(penguins: Path, pair: Path, two_classes: HeldOutPredictions) -> None:
    of_one_class = replace(two_classes, y=np.zeros(10, np.int64))
    for held_out in (predict_held_out(penguins), predict_held_out(pair), of_one_class):
        assert "thresholds" not in [section.name for section in view_sections(held_out)]
