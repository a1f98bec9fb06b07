"""What a report shows of predicted numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.model import Predictions
from nncli.nn.losses import Quantile
from nncli.reporting.page import Gallery, Part
from nncli.reporting.sections import regression as module
from nncli.reporting.sections.regression import numbers


def parts_of(judged: HeldOutPredictions) -> tuple[Part, ...]:
    section = numbers(judged)
    assert section is not None
    return section.parts


def said(judged: HeldOutPredictions, values: np.ndarray) -> HeldOutPredictions:
    return replace(judged, predictions=Predictions(judged.predictions.target, values))


def test_classes_have_no_such_section(penguins: Path) -> None:
    assert numbers(predict_held_out(penguins)) is None


def test_rows_beyond_measure_are_counted_and_left_out_of_the_charts(line: Path) -> None:
    judged = predict_held_out(line)
    values = judged.predictions.values.copy()
    values[:2] = np.inf
    counted, gallery = parts_of(said(judged, values))
    assert "2 rows are left out of the charts" in str(counted)
    assert isinstance(gallery, Gallery)
    assert len(gallery.figures) == 3
    assert "inf" not in str(gallery.figures[0].table.rows)


def test_where_nothing_can_be_drawn_that_is_said(line: Path) -> None:
    judged = predict_held_out(line)
    (only,) = parts_of(said(judged, np.full_like(judged.predictions.values, np.inf)))
    assert "beyond measure" in str(only)


def test_a_quantile_is_held_against_the_share_that_is_not_above_it(line: Path) -> None:
    judged = predict_held_out(line)
    values = judged.y.astype(np.float64) - 1.0
    values[: len(values) // 4] += 2.0
    told = str(parts_of(replace(said(judged, values), loss=Quantile(q=0.25)))[0])
    share = (len(values) // 4) / len(values)
    assert f"the quantile 0.25: {100 * share:.1f} % of the truth is not above it" in told


def test_of_many_targets_the_first_are_shown(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TARGETS", 1)
    parts = parts_of(predict_held_out(pair))
    assert [part.kind for part in parts] == ["heading", "gallery", "paragraph"]
    assert "The first 1 of 2 targets" in str(parts[-1])
