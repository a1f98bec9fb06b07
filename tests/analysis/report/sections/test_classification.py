"""Confusion matrix and curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.report.page import Cell, Gallery, Paragraph, Table
from nncli.analysis.report.sections.classification import classification
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
    assert classification(predict_held_out(line)) == ()


def test_the_matrix_counts_rows_by_actual_and_predicted_class(penguins: Path) -> None:
    held_out = with_classes(predict_held_out(penguins), 3, 1)
    matrix, curves = classification(held_out)
    assert (matrix.name, curves.name) == ("confusion-matrix", "calibration")
    table = flat(matrix.parts)[0]
    assert isinstance(table, Table)
    assert table.columns == ("actual class", "predicted c0", "predicted c1", "predicted c2")
    n = int((held_out.y == 0).sum())
    assert table.rows[0] == ("c0", Cell("0\n0 %", 0.0), Cell(f"{n}\n100 %", 1.0), Cell("0\n0 %", 0.0))
    (gallery,) = curves.parts
    assert isinstance(gallery, Gallery)
    assert [figure.title for figure in gallery.figures] == ["ROC curve", "Precision-recall curve", "Calibration curve"]


@pytest.mark.parametrize(("shift", "kinds"), [(2, ["paragraph", "table", "table"]), (0, ["paragraph", "table"])])
def test_many_classes_are_a_list_of_confused_pairs(penguins: Path, shift: int, kinds: list[str]) -> None:
    matrix, _ = classification(with_classes(predict_held_out(penguins), 20, shift))
    parts = flat(matrix.parts)
    assert [part.kind for part in parts] == kinds
    assert isinstance(parts[0], Paragraph)
    if shift:
        assert isinstance(parts[1], Table)
        assert [row[:2] for row in parts[1].rows] == [("c0", "c1"), ("c1", "c2")]
