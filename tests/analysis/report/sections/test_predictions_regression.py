"""The section on predicted and actual numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import Gallery, Part
from nncli.analysis.report.run_page import view_sections
from nncli.analysis.report.sections import predictions as module
from nncli.models.predictions import Predictions
from nncli.nn.losses import NormalLoss, QuantileLoss
from tests.analysis.report.support import section_of


def parts_of(held_out: HeldOutPredictions) -> tuple[Part, ...]:
    return section_of(held_out, "residuals").parts


def with_predictions(held_out: HeldOutPredictions, values: np.ndarray) -> HeldOutPredictions:
    return replace(held_out, predictions=Predictions(held_out.predictions.target, values))


def test_classes_have_no_such_section(penguins: Path) -> None:
    assert "residuals" not in [section.name for section in view_sections(predict_held_out(penguins))]


def test_rows_with_infinite_residuals_are_counted_and_not_drawn(line: Path) -> None:
    held_out = predict_held_out(line)
    values = held_out.predictions.values.copy()
    values[:2] = np.inf
    counted, gallery = parts_of(with_predictions(held_out, values))
    assert "2 rows" in str(counted)
    assert isinstance(gallery, Gallery)
    assert [figure.title for figure in gallery.figures] == ["Residuals", "Residual histogram"]
    assert "inf" not in str(gallery.figures[0].table.rows)


def test_without_finite_residuals_there_is_a_note(line: Path) -> None:
    held_out = predict_held_out(line)
    (only,) = parts_of(with_predictions(held_out, np.full_like(held_out.predictions.values, np.inf)))
    assert "finite" in str(only)


@pytest.mark.slow
def test_a_quantile_is_compared_with_the_fraction_below_it(line: Path) -> None:
    held_out = predict_held_out(line)
    values = held_out.y.astype(np.float64) - 1.0
    values[: len(values) // 4] += 2.0
    text = str(parts_of(replace(with_predictions(held_out, values), loss=QuantileLoss(q=0.25)))[0])
    share = (len(values) // 4) / len(values)
    assert f"0.25 quantile: {100 * share:.1f} %" in text


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "is_u"), [(0.3, True), (3.0, False)])
def test_the_histogram_of_the_integral_transform_is_a_u_for_narrow_distributions(
    line: Path, spread: float, *, is_u: bool
) -> None:
    held_out, loss = predict_held_out(line), NormalLoss()
    target, n = held_out.predictions.target, len(held_out.y)
    centers = held_out.y + np.random.default_rng(0).normal(size=(n, 1))
    quantiles = centers[:, :, None] + spread * np.array([loss.standard_quantile(q) for q in loss.levels])
    predictions = Predictions(target, quantiles, levels=loss.levels)
    parts = parts_of(replace(held_out, predictions=predictions, loss=loss))
    (figure,) = (
        figure
        for part in parts
        if isinstance(part, Gallery)
        for figure in part.figures
        if figure.title == "Calibration of the distributions"
    )
    counts = [int(str(row[1]).replace(",", "")) for row in figure.table.rows]
    assert sum(counts) == n
    assert (counts[0] + counts[-1] > counts[4] + counts[5]) is is_u


def test_only_the_first_targets_are_shown(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TARGETS", 1)
    parts = parts_of(predict_held_out(pair))
    assert [part.kind for part in parts] == ["heading", "gallery", "paragraph"]
    assert "1 of 2 targets" in str(parts[-1])
