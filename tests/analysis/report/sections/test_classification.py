"""Confusion matrix and curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import FigureBlock, Gallery
from nncli.analysis.report.run_page import view_sections
from nncli.models.predictions import Predictions
from nncli.targets.classes import ClassificationTarget
from tests.analysis.report.support import flat


def with_classes(held_out: HeldOutPredictions, n: int, shift: int) -> HeldOutPredictions:
    """The rows with n classes in turn, `shift` of which are predicted as the next class."""
    y = np.arange(len(held_out)) % n
    predicted = np.where(y < shift, (y + 1) % n, y)
    target = ClassificationTarget(name="t", labels=tuple(f"c{k}" for k in range(n)))
    predictions = Predictions(target, np.eye(n)[predicted] * 0.9 + 0.1 / n)
    return replace(held_out, y=y, predictions=predictions, weights=None)


def test_a_regression_has_no_such_sections(line: Path) -> None:
    names = [section.name for section in view_sections(predict_held_out(line))]
    assert names == ["residuals"]


@pytest.mark.slow
def test_the_matrix_of_two_classes_counts_rows_by_actual_and_predicted_class(penguins: Path) -> None:
    held_out = with_classes(predict_held_out(penguins), 2, 1)
    matrix, curves, *_ = view_sections(held_out)
    assert (matrix.name, curves.name) == ("classes", "calibration")
    chart = flat(matrix.parts)[0]
    assert isinstance(chart, FigureBlock)
    assert chart.table.columns == ("actual class", "predicted c0", "predicted c1")
    n = int((held_out.y == 0).sum())
    assert chart.table.rows[0] == ("c0", "0 (0 %)", f"{n} (100 %)")
    (gallery,) = curves.parts
    assert isinstance(gallery, Gallery)
    assert [figure.title for figure in gallery.figures] == ["ROC curve", "Precision-recall curve", "Calibration curve"]


@pytest.mark.slow
def test_the_matrix_of_more_classes_is_the_picture_of_the_report_and_no_part_of_a_section(penguins: Path) -> None:
    by_class, _ = view_sections(with_classes(predict_held_out(penguins), 20, 2))
    assert [part.kind for part in flat(by_class.parts)] == ["table", "paragraph"]
