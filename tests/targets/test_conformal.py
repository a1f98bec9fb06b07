"""A kind of its own gives a conformal method of its own, which other rooms calibrate, score and print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.uncertainty import CoverageEvaluation, UncertaintyScores
from nncli.base.errors import UsageError
from nncli.cli.evaluate import uncertainty_text
from nncli.models.conformal.calibration import ConformalCalibration, cross_regions
from nncli.models.conformal.groups import OutOfFoldGroups, Partition
from nncli.models.conformal.predictor import guarantee
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Floats
from nncli.targets.conformal import CalibrationRows, ConformalMethod, Region
from nncli.targets.metrics.coverage import Coverage, CoverageFigure, CoverageScores
from nncli.targets.metrics.sorted_scores import SortedScores
from nncli.targets.target_base import Predicted, TargetBase, Truth
from tests.kinds.angle import Angle, AngleLoss, degrees_of, nearest
from tests.models.conformal.support import held_out

N = 400


@dataclass(frozen=True)
class ArcScores(CoverageScores):
    name, title = "arcs", "prediction arcs"

    @property
    def figures(self) -> dict[str, CoverageFigure]:
        return {"mean_arc": CoverageFigure("mean arc", self.coverage.size)}

    @property
    def parts(self) -> dict[str, tuple[Coverage, ...]]:
        return {}


@dataclass(frozen=True)
class Arcs(Region):
    """As many degrees on both sides of the predicted angle."""

    points: Floats
    degrees: Floats

    def columns(self, target: TargetBase) -> Mapping[str, pl.Series]:
        return {"arc": pl.Series(self.degrees)}

    def coverage(self, target: TargetBase, rows: CalibrationRows) -> dict[str | None, CoverageScores]:
        covered = np.abs(nearest(self.points, rows.y) - rows.y[:, 0]) <= self.degrees
        share = Coverage("all", len(covered), float(covered.mean()), None, float(self.degrees.mean()))
        return {target.names[0]: ArcScores(self.level, share)}


class ArcMethod(ConformalMethod):
    """The score of a row is by how many degrees it is off."""

    option = "interval"
    noun = "arc"

    def scores(self, predictions: Predicted, y: Truth) -> Floats:
        return np.abs(nearest(predictions.values, y) - y[:, 0])[:, None]

    def region(
        self, level: float, of_groups: Sequence[Predicted], scores: Sequence[Sequence[SortedScores]], parts: Codes
    ) -> Arcs:
        degrees = [np.quantile(of_part[0].ascending(0), level, method="higher") for of_part in scores]
        return Arcs(level, of_groups[0].values, np.array(degrees)[parts[:, 0]])

    def region_within(self, level: float, predictions: Predicted, bounds: Floats) -> Arcs:
        return Arcs(level, predictions.values, bounds[:, 0])


class Wind(Angle):
    def uncertainty(self) -> ConformalMethod:
        return ArcMethod()


def wind(seed: int) -> tuple[Predictions, Floats]:
    rng = np.random.default_rng(seed)
    radians, noise = rng.uniform(0.0, 2.0 * np.pi, N), rng.normal(size=(N, 2))
    points = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    target: Any = Wind(names=("wind",))
    return Predictions(target, points), degrees_of(points + 0.2 * noise)[:, None]


def scores_of(region: Region, y: Floats) -> CoverageScores:
    return region.coverage(Wind(names=("wind",)), CalibrationRows(y, None, None))["wind"]


def test_it_is_calibrated_by_held_out_rows() -> None:
    (predictions, y), (new, new_y) = wind(0), wind(1)
    rows = replace(held_out(np.ones((1, N), bool)), predictions=predictions, y=y)
    groups, method = OutOfFoldGroups.of(rows), new.target.uncertainty()
    assert method is not None
    calibration = ConformalCalibration.of(0.9, method, Partition.whole(N), rows, groups, AngleLoss())
    region = calibration.predict([new], np.zeros(N, np.int64))
    assert region.columns(new.target).keys() == {"arc"}
    assert region.intervals is None
    assert scores_of(region, new_y).coverage.share == pytest.approx(0.9, abs=0.05)
    crossed = cross_regions(method, predictions, y, np.arange(N) % 5, 0.9, AngleLoss())
    assert scores_of(crossed, y).coverage.share == pytest.approx(0.9, abs=0.03)


def test_its_option_is_taken_and_that_of_others_refused() -> None:
    target: Any = Wind(names=("wind",))
    UncertaintyOptions(interval=0.9).check(target)
    with pytest.raises(UsageError) as caught:
        UncertaintyOptions(prediction_set=0.9).check(target)
    assert "--interval 0.9" in str(caught.value.hint)
    assert Angle(names=("wind",)).uncertainty() is None


def test_its_scores_are_printed_with_their_titles() -> None:
    predictions, y = wind(0)
    scores = scores_of(Arcs(0.9, predictions.values, np.full(N, 30.0)), y)
    stated = guarantee(None, type(predictions.target), "split conformal", 0.9, N, 1)
    text = uncertainty_text(UncertaintyScores((CoverageEvaluation("wind", scores, stated),)))
    assert text.startswith("prediction arcs\n")
    assert "mean arc" in text
