"""Numbers: one or several targets, each with its own unit and scale; with a loss of several quantiles also these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import DataError
from nncli.base.spec import DistinctTexts, FiniteFloat, PositiveFloat, Spec, StrictStr
from nncli.base.text import format_number, quote
from nncli.data.columns.hashing import Hashes, hash_numbers
from nncli.data.columns.parsing import (
    CellErrors,
    check_finite_scale,
    numbers_and_errors,
    raise_first,
    safe_scale,
    unit_of,
)
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Precision
from nncli.nn.losses import Loss, MAELoss, MSELoss
from nncli.nn.program.program import OutputColumn
from nncli.nn.program.values import Value, maximum, minimum
from nncli.targets.decision import Decision
from nncli.targets.kind import L, T
from nncli.targets.metrics.amounts import DEVIANCE_NAMES, amount_metrics, deviance_name, deviances
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.metric import Metric, ScoreValues, plugin_metrics, resampled_scores
from nncli.targets.metrics.registry import CRPS, PINBALL, BoundMetric, metric_function, metric_title
from nncli.targets.metrics.regression import (
    REGRESSION_METRICS,
    RegressionResamples,
    crps_metric,
    mean_pinball_metric,
    regression_metrics,
    regression_scores,
)
from nncli.targets.metrics.sums import NumberSums, TrueSums
from nncli.targets.monitoring import Monitoring
from nncli.targets.output_columns import OutputNodes, number_columns
from nncli.targets.scoring import (
    Comparison,
    LinearFit,
    Scoring,
    SelectionLoss,
    number_measure,
    ridge_regression,
)
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, missing_target_error
from nncli.targets.views import (
    ActualByPredicted,
    Amounts,
    IntegralTransform,
    Intervals,
    QuantileShare,
    QuantileShares,
    Residuals,
    View,
    Views,
)

if TYPE_CHECKING:
    from nncli.targets.conformal import ConformalMethod

DEVIANCE = "_deviance"
NAMED_POWERS = {name: power for power, name in DEVIANCE_NAMES.items()}
ABSOLUTE_ERRORS = ("mae", "median_absolute_error", "mape")
MAX_SHOWN = 4
"""Targets of a row that reports show."""


class Rates(Spec):
    """That numbers are relative to a context, with the range of the relative ones of the training rows if clipped."""

    lowest: FiniteFloat | None = None
    highest: FiniteFloat | None = None

    @classmethod
    def of(cls, relative: Floats) -> Self:
        """The range of relative numbers (rows,)."""
        return cls(lowest=float(relative.min()), highest=float(relative.max()))


class NumericTarget(TargetBase):
    """One or several numeric targets. The network learns (y - center) / scale; predictions are in the units of y.

    With `lowest` and `highest`, the training range, predictions are clipped to it. Of a target with a context the
    relative numbers are clipped to the `rates` instead; models of older versions have none. `units` are removed from
    cells of text, None for a target without; see spellings.py. Predictions have no unit.
    """

    names: DistinctTexts
    centers: tuple[FiniteFloat, ...]
    scales: tuple[PositiveFloat, ...]
    lowest: tuple[FiniteFloat, ...] | None = None
    highest: tuple[FiniteFloat, ...] | None = None
    units: tuple[StrictStr | None, ...] | None = None
    rates: Rates | None = None

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """Fit center and scale: mean and standard deviation, 0 and the mean, or 0 and 1 with `none`.

        A constant column, or one of mean 0, has scale 1.

        Raises:
            DataError: a target is missing or not a number, or so large that the spread is not a finite number.
        """
        scaling, clip = options.scaling, options.clip
        inferred = tuple(unit_of(table, name) for name in names)
        units = inferred if any(inferred) else None
        Y = cls._read(table, names, units) if clip or scaling != "none" else np.empty((0, len(names)))
        w = options.weights if options.weights is not None and options.weights.any() else None
        counts = np.ones(len(Y), np.bool_) if w is None or not len(Y) else w > 0.0
        ends: dict[str, Any] = {}
        if (context := options.context) is not None:
            relative = context.relative(Y) if len(Y) else Y
            ends = {"rates": Rates.of(relative[counts, 0]) if clip and len(Y) else Rates()}
            Y = context.learned(Y) if len(Y) else Y
        elif clip and len(Y):
            ends = {"lowest": tuple(Y[counts].min(0).tolist()), "highest": tuple(Y[counts].max(0).tolist())}
        if scaling == "none":
            return cls(names=names, centers=(0.0,) * len(names), scales=(1.0,) * len(names), units=units, **ends)
        centers, scales = [], []
        for name, y in zip(names, Y.T, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                center = float(np.average(y, weights=w))
                scale = float(y.std() if w is None else np.sqrt(np.average((y - center) ** 2, weights=w)))
            check_finite_scale(table, name, y, center, scale)
            centers.append(0.0 if scaling == "mean" else center)
            scales.append((abs(center) or 1.0) if scaling == "mean" else safe_scale(center, scale))
        return cls(names=names, centers=tuple(centers), scales=tuple(scales), units=units, **ends)

    cell_kind: ClassVar[ColumnType | None] = ColumnType.NUMERIC

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        return (np.abs(signal) + 0.1,)

    @classmethod
    def example_predictions(cls, rng: np.random.Generator, rows: int) -> tuple[npt.NDArray[Any], Floats]:
        y = np.abs(rng.normal(size=rows)) + 0.1
        return y, y + 0.1 * rng.normal(size=rows)

    @classmethod
    def number_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    @classmethod
    def compared_columns(cls, columns: Sequence[T]) -> Sequence[T]:
        return columns

    def uncertainty(self) -> ConformalMethod | None:
        from nncli.targets.conformal import IntervalMethod

        return IntervalMethod()

    @classmethod
    def check_columns(cls, table: Table, names: tuple[str, ...], kinds: Mapping[str, ColumnType], loss: str) -> None:
        if any((kinds.get(name) or infer_kind(table, name)).needs_text for name in names):
            cell = table.column(names[0]).drop_nulls()[0]
            message = f"the loss {loss} needs numbers, and the target holds {quote(cell)}"
            hint = "Leave loss out or use cross_entropy for classes."
            raise DataError(message, location=table.location(column=names[0]), hint=hint)

    @classmethod
    def joint_loss(cls, losses: Sequence[L]) -> L | None:
        first, *others = losses
        return first if all(loss == first for loss in others) else None

    @staticmethod
    def _read(table: Table, names: tuple[str, ...], units: tuple[str | None, ...] | None) -> Floats:
        y = np.empty((len(table), len(names)))
        for j, name in enumerate(names):
            y[:, j], errors = numbers_and_errors(table, name, None if units is None else units[j], alternatives=True)
            raise_first(table, name, errors)
            missing = np.isnan(y[:, j])
            if missing.any():
                raise missing_target_error(table, name, int(missing.argmax()))
        return y

    def read(self, table: Table) -> Floats:
        """The targets in their original units (rows, targets)."""
        return self._read(table, self.names, self.units)

    def views(self, loss: Loss) -> Views:
        return NumberViews(self, loss)

    def monitoring(self) -> Monitoring:
        return NumberMonitoring(self)

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each number (rows,), for each target."""
        return [hash_numbers(y) for y in self.read(table).T]

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        """The cells of each target that are not numbers."""
        return [(name, errors) for name, (_, errors) in zip(self.names, self.cells(table), strict=True)]

    def cells(self, table: Table) -> list[tuple[Floats, list[CellErrors]]]:
        """The numbers (rows,) of each target, NaN where there is none, and the cells that are not numbers."""
        columns = zip(self.names, self.units or (None,) * len(self.names), strict=True)
        return [numbers_and_errors(table, name, unit, alternatives=True) for name, unit in columns]

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        """Scale targets for the network."""
        return np.asarray((y - np.array(self.centers)) / np.array(self.scales)).astype(precision)

    def loss_targets(self, y: Truth) -> Truth:
        return y

    def decode(self, y: Floats) -> Floats:
        """Scale the network's output back to the original units, and clip it to the training range if that is kept."""
        scaled = np.asarray(y * np.array(self.scales) + np.array(self.centers))
        return scaled if self.lowest is None or self.highest is None else scaled.clip(self.lowest, self.highest)

    def lower_decode(self, y: Value, repeats: int = 1) -> Value:
        """The operations of `decode` for y (rows, targets · repeats), with adjacent columns of each target."""
        scaled = y * np.repeat(self.scales, repeats) + np.repeat(self.centers, repeats)
        if self.lowest is None or self.highest is None:
            return scaled
        return minimum(maximum(scaled, np.repeat(self.lowest, repeats)), np.repeat(self.highest, repeats))

    @property
    def is_relative(self) -> bool:
        return self.rates is not None

    def clip_relative(self, values: Floats) -> Floats:
        if self.rates is None or self.rates.lowest is None:
            return values
        return values.clip(self.rates.lowest, self.rates.highest)

    def clip_relative_vjp(self, values: Floats, d: Floats) -> Floats:
        return np.where(self.clip_relative(values) == values, d, 0.0)

    def lower_clip_relative(self, values: Value) -> Value:
        if self.rates is None or self.rates.lowest is None or self.rates.highest is None:
            return values
        return minimum(maximum(values, self.rates.lowest), self.rates.highest)

    def lower_standard_deviations(self, loss: Loss, quantiles: Value) -> Value | None:
        return loss.lower_standard_deviations(quantiles) if loss.has_distribution else None

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        return number_columns(self.names, nodes)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def removed_units(self) -> list[tuple[str, str | None]]:
        return [] if self.units is None else [*zip(self.names, self.units, strict=True)]

    @property
    def scale(self) -> Floats:
        return np.array(self.scales)

    def decode_vjp(self, values: Floats, d: Floats) -> Floats:
        d = d * np.array(self.scales)
        if self.lowest is not None and self.highest is not None:
            scaled = values * np.array(self.scales) + np.array(self.centers)
            d[(scaled < np.array(self.lowest)) | (scaled > np.array(self.highest))] = 0.0
        return d

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """Those of the outputs of a program: `prediction`, or `prediction_TARGET`, then `quantile_05` and `sd`."""
        arrays, nodes = [self.shown(predictions.values)], OutputNodes(0, 0)
        if predictions.quantiles is not None:
            width = len(self.names) * len(predictions.levels)
            arrays.append(self.shown(predictions.quantiles).reshape(-1, width))
            nodes = replace(nodes, quantiles=1, levels=predictions.levels)
        if predictions.standard_deviations is not None:
            nodes = replace(nodes, standard_deviations=len(arrays))
            arrays.append(predictions.standard_deviations)
        return {column.title: pl.Series(arrays[column.node][:, column.place]) for column in self.program_outputs(nodes)}

    def is_same(self, other: TargetBase) -> bool:
        """Numbers are in their own units, whatever their scaling."""
        return self.accepts(other)

    def joint(self, targets: Sequence[TargetBase], positive: str | None) -> Self:
        """The target without scaling and clipping, since members predict in its own units."""
        n, rates = len(self.names), Rates() if all(target.is_relative for target in targets) else None
        return type(self)(names=self.names, centers=(0.0,) * n, scales=(1.0,) * n, units=self.units, rates=rates)

    @property
    def is_whole(self) -> bool:
        parts = (self.centers, self.scales, self.lowest, self.highest)
        both = (self.lowest is None) == (self.highest is None)
        if self.rates is not None:
            both = both and len(self.names) == 1 and (self.rates.lowest is None) == (self.rates.highest is None)
        return both and all(part is None or len(part) == len(self.names) for part in parts)

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        metric = metric_function(name, self.family)

        def mean(y: Truth, values: Floats, weights: Floats | None) -> float:
            return float(np.mean([metric(y[:, j], values[:, j], weights) for j in range(y.shape[1])]))

        return mean

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> tuple[ScoreValues, ...]:
        with np.errstate(over="ignore", invalid="ignore"):  # errors beyond measure sum up to infinity
            return tuple(
                regression_scores(name, y[:, j], predictions.values[:, j], weights, _metrics(predictions, y, loss, j))
                for j, name in enumerate(self.names)
            )

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        drawn = []
        for j, (actual, predicted) in enumerate(zip(y.T, predictions.values.T, strict=True)):
            metrics = tuple(metric for metric in _metrics(predictions, y, loss, j) if metric.name in names)
            drawn.append(resampled_scores(metrics, RegressionResamples(actual, predicted, W), actual, predicted, W))
        return drawn

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        """The mean."""
        return np.asarray(np.average(y, axis=0, weights=weights))

    def row_losses(self, loss: Loss, predicted: Floats, y: Truth, scale: Floats | float) -> Floats:
        """With one target in its units; with several, each in its own standard deviations."""
        scales = np.broadcast_to(scale, len(self.names))
        unit = scales if len(self.names) > 1 else np.ones(1)
        if predicted.ndim == 3:
            return loss.per_row(predicted / unit[:, None], y / unit)
        return loss.per_row(predicted / unit, y / unit, scale=scales / unit)

    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        """The absolute error; of several targets, the mean of them in standard deviations of the actual values."""
        with np.errstate(all="ignore"):
            error = np.abs(y - predictions.values)
            if error.shape[1] == 1:
                return np.asarray(error[:, 0]), "mean absolute error"
            spread = y.std(axis=0)
            relative = (error / np.where(spread > 0, spread, 1)).mean(axis=1)
            return np.asarray(relative), "mean absolute error in standard deviations"

    def signs(self, truths: Iterable[Truth]) -> tuple[int, ...]:
        """For each target 1 if no number is below 0, -1 if none is above, else 0."""
        lowest, highest = (np.stack([end(y, axis=0) for y in truths if len(y)]) for end in (np.min, np.max))
        return tuple(np.where((lowest >= 0).all(0), 1, np.where((highest <= 0).all(0), -1, 0)).tolist())

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        if loss.has_distribution:
            return CRPS
        if loss.per_row_name == "pinball_loss":
            return PINBALL
        if loss.deviance_power is not None:
            return deviance_name(loss.deviance_power)
        return "mae" if isinstance(loss, MAELoss) else "rmse"

    def scoring(self, loss: Loss) -> Scoring:
        return NumberScoring(loss)

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """The squared or absolute error, of several targets in units of their spread, or the pinball loss."""
        spread = y.std(axis=0)
        unit = np.where(spread > 0, spread, 1.0) if y.shape[1] > 1 else np.ones(1)
        with np.errstate(all="ignore"):
            if metric.endswith(DEVIANCE):
                power = NAMED_POWERS.get(metric, loss.deviance_power or 1.0)
                return np.asarray(deviances(y, predictions.values, power).mean(axis=1))
            if metric in (PINBALL, CRPS):
                units = unit if predictions.quantiles is None else unit[:, None]
                return loss.per_row(predictions.points / units, y / unit)
            measure = MAELoss() if metric in ABSOLUTE_ERRORS else MSELoss()
            return measure.per_row(predictions.values / unit, y / unit)

    @classmethod
    def difference(cls, metric: str, loss: Loss, other: Loss) -> str | None:
        if metric == PINBALL and loss.quantile_levels != other.quantile_levels:
            return "other quantiles are predicted than trials are compared by"
        if metric == CRPS and (loss.type, loss.quantile_levels) != (other.type, other.quantile_levels):
            return "the CRPS is of another kind of distribution, or of other levels"
        return None

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        if metric in (PINBALL, CRPS) or metric.endswith(DEVIANCE):
            return metric_title(metric)
        return "absolute error" if metric in ABSOLUTE_ERRORS else "squared error"

    def is_mean_of_rows(self, metric: str) -> bool:
        return (
            metric in (PINBALL, CRPS)
            or metric.endswith(DEVIANCE)
            or (metric in ("rmse", "mae") and len(self.names) == 1)
        )

    def view(
        self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None
    ) -> ActualByPredicted:
        """The first target, with the outermost predicted quantiles where there are no other intervals."""
        if intervals is None and predictions.quantiles is not None and len(predictions.levels) > 1:
            low, high = np.argmin(predictions.levels), np.argmax(predictions.levels)
            level = predictions.levels[high] - predictions.levels[low]
            intervals = Intervals(predictions.quantiles[:, :, low], predictions.quantiles[:, :, high], level)
        first = None if intervals is None else Intervals(intervals.lower[:, 0], intervals.upper[:, 0], intervals.level)
        return ActualByPredicted(self.names[0], y[:, 0], predictions.values[:, 0], first)

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        actual, predicted = (
            ", ".join(form(float(value)) for value in values[row, :MAX_SHOWN]) for values in (y, predictions.values)
        )
        return actual, predicted, form(error)


@dataclass(frozen=True)
class NumberScoring(Scoring):
    """Numbers are compared by the loss that runs share, or else by the squared and the absolute error."""

    loss: Loss

    @property
    def linear(self) -> LinearFit | None:
        return ridge_regression

    def comparison(self, decision: Decision | None) -> Comparison:
        if isinstance(self.loss, MSELoss):
            return Comparison((number_measure(self.loss),), beside=number_measure(MAELoss()))
        return Comparison((number_measure(self.loss),)) if self.loss.is_comparison_measure else self.in_common

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        """By the pinball loss or the CRPS of a loss of quantiles, else by the squared or the absolute error.

        Of several targets, each is divided by its standard deviation.
        """
        loss, spread = self.loss, y.std(axis=0) if y.shape[1] > 1 else np.ones(1)
        unit = np.where(spread > 0.0, spread, 1.0)
        truth, values = y / unit, points / (unit[:, None] if points.ndim == 4 else unit)
        if loss.quantile is not None or loss.quantile_levels:
            measure = "CRPS" if loss.has_distribution else "pinball loss"
            return SelectionLoss(values, lambda z, rows: loss.per_row(z, truth[rows]), measure)
        if metric in ABSOLUTE_ERRORS:
            return SelectionLoss(values, lambda z, rows: np.abs(z - truth[rows]).mean(axis=1), "absolute error")
        return SelectionLoss(values, lambda z, rows: np.square(z - truth[rows]).mean(axis=1), "squared error")


@dataclass(frozen=True)
class NumberMonitoring(Monitoring):
    """Of numbers the errors are summed, in the units of their target."""

    target: NumericTarget

    def truth(self, table: Table) -> Truth | None:
        if not {*self.target.names} <= {*table.names}:
            return None
        return np.column_stack([numbers for numbers, _ in self.target.cells(table)])

    def errors(self, predictions: Predicted, truth: Truth, rows: slice | Codes) -> TrueSums:
        scales = np.broadcast_to(self.target.scale, len(self.target.names)).tolist()
        return NumberSums.of(self.target.names, tuple(scales), predictions.values[rows] - truth[rows])


@dataclass(frozen=True)
class NumberViews(Views):
    """The residuals, and what a loss of quantiles, distributions, counts or amounts tells besides."""

    loss: Loss

    def of_rows(
        self, predictions: Predicted, y: Truth, weights: Floats | None, baseline: Predicted
    ) -> tuple[View, ...]:
        names, values, loss, of_all = self.target.names, predictions.values, self.loss, list[View]()
        if loss.quantile is not None:
            of_all.append(QuantileShare(loss.quantile, float((y <= values).mean())))
        if predictions.quantiles is not None:
            shares = np.average(y[:, :, None] <= predictions.points, axis=0, weights=weights)
            of_all.append(QuantileShares(names, predictions.levels, shares))

        def of_target(j: int) -> tuple[View, ...]:
            views = list[View]()
            if loss.has_distribution:
                views.append(IntegralTransform(names[j], loss.cdf(predictions.points[:, [j]], y[:, [j]])[:, 0]))
            if loss.deviance_power is not None:
                columns = (y[:, j], values[:, j], baseline.values[:, j])
                views.append(Amounts(names[j], *columns, weights, predictions.exposure))
            return tuple(views)

        return (Residuals(names, y, values, tuple(of_all), of_target),)


class RegressionTarget(NumericTarget):
    """Numbers that a loss of a regression is for."""

    task: Literal["regression"] = "regression"


def _metrics(predictions: Predicted, y: Truth, loss: Loss, j: int) -> tuple[Metric[RegressionResamples], ...]:
    """The metrics of target `j`, and last those of plugins for its kind."""
    return (*_built_in_metrics(predictions, y, loss, j), *plugin_metrics("regression", loss.task))


def _built_in_metrics(predictions: Predicted, y: Truth, loss: Loss, j: int) -> tuple[Metric[RegressionResamples], ...]:
    """The metrics of target `j`, with the pinball loss of quantiles, the CRPS, or those of counts and amounts."""
    if loss.deviance_power is not None:
        return (*REGRESSION_METRICS, *amount_metrics(loss.deviance_power, predictions.exposure))
    if not loss.quantile_levels:
        return regression_metrics(loss.quantile)
    quantiles = None if predictions.quantiles is None else predictions.quantiles[:, j]
    of_quantiles = (*REGRESSION_METRICS, mean_pinball_metric(loss.quantile_levels, quantiles))
    if not loss.has_distribution:
        return of_quantiles
    losses = None if quantiles is None else loss.per_row(quantiles[:, None], y[:, j : j + 1])
    return (*of_quantiles, crps_metric(losses))
