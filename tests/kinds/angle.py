"""A kind of answer that nncli does not have: an angle in degrees, which the network predicts as a point of the plane.

The mean of angles is that of their points, so that 359 and 1 degree have the mean 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl

from nncli.extend import (
    REGRESSION_METRICS,
    UNSCALED,
    ActualByPredicted,
    BoundMetric,
    CellErrors,
    Comparison,
    Decision,
    DistinctTexts,
    FitOptions,
    Floats,
    Hashes,
    Intervals,
    Loss,
    Measure,
    MSELoss,
    Precision,
    Predicted,
    RegressionResamples,
    Samples,
    ScoreValues,
    Scoring,
    SelectionLoss,
    Table,
    TargetBase,
    Truth,
    UsageError,
    View,
    format_number,
    hash_numbers,
    metric_function,
    missing_target_error,
    numbers_and_errors,
    raise_first,
    regression_scores,
    resampled_scores,
)

METRIC_NAMES = ("rmse", "mae", "median_absolute_error")
METRICS = tuple(metric for metric in REGRESSION_METRICS if metric.name in METRIC_NAMES)
"""Those of the difference of two angles alone; the R² and the relative error of angles depend on where 0 is."""


class AngleLoss(MSELoss):
    """The squared distance of a point from that of the angle on the unit circle."""

    type: Literal["angle"] = "angle"  # type: ignore[assignment]  # a name of its own
    task: ClassVar[str] = "angle"


class Angle(TargetBase):
    """An angle in degrees."""

    task: Literal["angle"] = "angle"
    noun: ClassVar[str] = "angle"
    error_title: ClassVar[str] = "degrees off"
    names: DistinctTexts

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("cos", "sin")

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        return cls(names=names)

    def read(self, table: Table) -> Floats:
        degrees, errors = numbers_and_errors(table, self.names[0], None)
        raise_first(table, self.names[0], errors)
        if (missing := np.isnan(degrees)).any():
            raise missing_target_error(table, self.names[0], int(missing.argmax()))
        return degrees[:, None]

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        return [(self.names[0], numbers_and_errors(table, self.names[0], None)[1])]

    def hash_cells(self, table: Table) -> list[Hashes]:
        return [hash_numbers(self.read(table)[:, 0])]

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        radians = np.radians(y[:, 0])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(precision)

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        return {"prediction": pl.Series(degrees_of(predictions.values))}

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[Floats, ...]:
        return (np.degrees(signal) % 360.0,)

    def joint(self, targets: Sequence[TargetBase], positive: str | None) -> Self:
        return self

    def scoring(self, loss: Loss) -> Scoring:
        return AngleScoring()

    @classmethod
    def metric_names(cls) -> tuple[str, ...]:
        return METRIC_NAMES

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        if name not in self.metric_names():
            raise UsageError(f"an angle has no metric {name!r}", hint=f"Use one of {', '.join(METRIC_NAMES)}.")
        metric = metric_function(name, self.family)
        return lambda y, values, weights: metric(y[:, 0], nearest(values, y), weights)

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> tuple[ScoreValues, ...]:
        predicted = nearest(predictions.values, y)
        return (regression_scores(self.names[0], y[:, 0], predicted, weights, METRICS),)

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        actual, predicted = y[:, 0], nearest(predictions.values, y)
        metrics = tuple(metric for metric in METRICS if metric.name in names)
        return [resampled_scores(metrics, RegressionResamples(actual, predicted, W), actual, predicted, W)]

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        return np.asarray(np.average(self.encode(y), axis=0, weights=weights))

    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        return np.abs(nearest(predictions.values, y) - y[:, 0]), "absolute error"

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        return "rmse"

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        return squared_distance(predictions.values, y)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return "squared distance"

    def is_mean_of_rows(self, metric: str) -> bool:
        return False

    def view(self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None) -> View:
        return ActualByPredicted(self.names[0], y[:, 0], nearest(predictions.values, y), None)

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        return form(float(y[row, 0])), form(float(degrees_of(predictions.values)[row])), form(error)


@dataclass(frozen=True)
class AngleScoring(Scoring):
    """Models are compared by the squared distance of their points."""

    @property
    def in_common(self) -> Comparison:
        return Comparison(
            (Measure("squared distance", lambda predictions, y: squared_distance(predictions.values, y)),)
        )

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        return SelectionLoss(points, lambda values, rows: squared_distance(values, y[rows]), "squared distance")


def degrees_of(points: Floats) -> Floats:
    """The angles (rows,) from 0 to 360 degrees of points (rows, 2)."""
    return np.asarray(np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360.0)


def nearest(points: Floats, y: Truth) -> Floats:
    """The angles (rows,) of points (rows, 2), by whole turns the nearest to y (rows, 1)."""
    return np.asarray(y[:, 0] + (degrees_of(points) - y[:, 0] + 180.0) % 360.0 - 180.0)


def squared_distance(points: Floats, y: Truth) -> Floats:
    """The squared distance (rows,) of points (rows, 2) from those of the angles y (rows, 1)."""
    radians = np.radians(y[:, 0])
    return np.asarray(np.square(points - np.stack([np.cos(radians), np.sin(radians)], axis=1)).sum(axis=1))
