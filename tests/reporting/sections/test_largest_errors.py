"""The rows with the largest errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nncli.evaluation.held_out import predict_held_out
from nncli.reporting.page import Table
from nncli.reporting.sections.feature_importance import compute_importance
from nncli.reporting.sections.largest_errors import MAX_ROWS, largest_errors
from nncli.reporting.statistics import row_log_loss


def table_of(run: Path) -> Table:
    held_out = predict_held_out(run)
    (table,) = (p for p in largest_errors(held_out, compute_importance(held_out)).parts if isinstance(p, Table))
    return table


def test_rows_come_by_the_log_loss_of_their_class(penguins: Path) -> None:
    held_out, table = predict_held_out(penguins), table_of(penguins)
    errors = row_log_loss(held_out.y, held_out.predictions.values)
    order = held_out.numbers[np.argsort(-errors, kind="stable")[:MAX_ROWS]]
    assert [row[0] for row in table.rows] == [f"{number:,}" for number in order]
    assert table.columns[:3] == ("row", "actual", "predicted")
    assert table.columns[-2:] == ("attributions", "features")
    assert all("bill_length_mm " in str(row[-1]) for row in table.rows)


def test_rows_of_a_regression_come_by_their_absolute_error(line: Path) -> None:
    errors = [float(str(row[3]).replace(",", "")) for row in table_of(line).rows]
    assert errors == sorted(errors, reverse=True)
