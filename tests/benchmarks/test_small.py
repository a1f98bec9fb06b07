"""The benchmark of small tables: what it measures, and a sample of its trainings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from small import KINDS, Cell, Measured, log_loss, measure, pinball, report
from tests.thorough import every, partly


def cells(kind: str, ratio: float, rows: int = 60, linear: float = np.nan) -> dict[Cell, Measured]:
    return {Cell(kind, 1, rows, 0, "fast"): Measured(ratio, linear, 1.0)}


@pytest.mark.parametrize(
    ("results", "reached"),
    [
        (cells("mse", 1.04), True),
        (cells("mse", 1.06), False),
        (cells("mse", 1.001, rows=400), False),
        (cells("noise", 1.001, rows=400), True),
        (cells("mse", 0.9, rows=400, linear=0.85), True),
        (cells("mse", 0.9, rows=400, linear=0.8), False),
        ({Cell("mse", 1, 60, 0, "fast"): Measured(np.nan, np.nan, 1.0, "the loss became inf")}, False),
    ],
)
def test_goals_are_missed_by_a_failure_and_by_losses_above_those_of_simple_models(
    results: dict[Cell, Measured], reached: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(results) is reached
    assert capsys.readouterr().out


def test_scores_of_quantiles_and_classes_are_those_of_hand_worked_rows() -> None:
    rows = pl.DataFrame({"y": [1.0, 3.0]})
    predicted = pl.DataFrame({"quantile_25": [0.0, 2.0], "quantile_50": [2.0, 2.0]})
    assert pinball((0.25, 0.5))(rows, predicted) == pytest.approx(2.0 * (0.25 + 0.5 + 0.25 + 0.5) / 4.0)
    P = pl.DataFrame({"proba_0": [0.25, 0.5], "proba_1": [0.75, 0.5]})
    assert log_loss(pl.DataFrame({"y": [1, 0]}), P) == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2.0)


@partly
@pytest.mark.parametrize("kind", [*KINDS][:: every(3)])
def test_every_kind_trains_on_a_small_and_narrow_table_and_is_about_as_good_as_a_constant(kind: str) -> None:
    measured = measure(Cell(kind, 1, 60, 0, "fast"))
    assert not measured.error
    assert measured.ratio < 1.1
