"""A model with its calibration: intervals and sets of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.conformal.calibration_rows import calibration_rows
from nncli.conformal.member_groups import MemberGroups
from nncli.conformal.options import UncertaintyOptions
from nncli.conformal.predictor import ConformalPredictor
from nncli.data.sources.read_table import read_table
from nncli.errors import UsageError
from nncli.runs.run import Run
from tests.cli.support import DATA


def test_one_network_is_calibrated_by_its_validation_rows(line: Path) -> None:
    run = Run.open(line)
    model, rows, table = run.load_model(), calibration_rows(run), read_table(DATA / "linear.csv")
    predictor = ConformalPredictor.of(model, rows, UncertaintyOptions(intervals=(0.9, 0.5)))
    assert predictor.groups.method == "split conformal"
    predicted = predictor.predict(table)
    errors = np.sort(np.abs(rows.y - rows.predictions.values)[:, 0])
    mu, n = model.predict(table).values, len(rows)
    for interval, k in zip(predicted.intervals, (-(-9 * (n + 1) // 10), -(-(n + 1) // 2)), strict=True):
        assert interval.upper.tolist() == (mu + errors[k - 1]).tolist()
        assert interval.lower.tolist() == (mu - errors[k - 1]).tolist()
    assert predicted.frame().columns == ["prediction", "lower_90", "upper_90", "lower_50", "upper_50"]


def test_a_level_that_needs_more_rows_is_refused(line: Path) -> None:
    run = Run.open(line)
    with pytest.raises(UsageError, match="needs 9,999 rows"):
        ConformalPredictor.of(run.load_model(), calibration_rows(run), UncertaintyOptions(intervals=(0.9999,)))


def test_sets_name_the_classes_that_cannot_be_excluded(penguins: Path) -> None:
    run = Run.open(penguins)
    predictor = ConformalPredictor.of(run.load_model(), calibration_rows(run), UncertaintyOptions(sets=(0.9,)))
    table = read_table(DATA / "penguins.csv", missing_values=("", "NA"))
    frame = predictor.predict(table).frame(proba=True)
    assert frame.columns[-1] == "set_90"
    truth = table.frame["species"]
    assert np.mean([label in found for label, found in zip(truth, frame["set_90"], strict=True)]) > 0.85


def test_one_network_has_one_group(penguins: Path) -> None:
    rows = calibration_rows(Run.open(penguins))
    groups = MemberGroups.of(rows)
    assert groups.members == ((0,),)
    assert not groups.group.any()
