"""Several targets of any kind, for training one network on all of them; each has a run of its own kind afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NoReturn, Self, cast

import numpy as np
import polars as pl
from pydantic import Field

from nncli.base.errors import UsageError
from nncli.base.spec import Calibration, FiniteFloat, Shorthand, Task, unchanged
from nncli.base.text import format_number, join_quoted
from nncli.data.columns.hashing import Hashes, hash_numbers, hash_texts
from nncli.data.columns.parsing import CellErrors, read_text
from nncli.data.sample_weights import read_weights
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask, Precision, RowIndices
from nncli.nn.losses import MEDIAN, Loss, LossBase, MultiTargetLoss, fit_losses
from nncli.targets.classes import ClassificationTarget, ClassTarget
from nncli.targets.decision import Decision
from nncli.targets.kind import L, Refusal, T, check_weighted
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.classification import one_hot
from nncli.targets.metrics.classification_resamples import log_loss_per_row
from nncli.targets.metrics.metric import ScoreValues
from nncli.targets.metrics.registry import RELATIVE_LOSS, BoundMetric, metric_function
from nncli.targets.monitoring import Monitoring, Tracked
from nncli.targets.number import RegressionTarget
from nncli.targets.ordinal import OrdinalTarget
from nncli.targets.scoring import Scoring, SelectionLoss
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, rows_with_target
from nncli.targets.training import MemberSum, MemberValues
from nncli.targets.views import Intervals

OneTarget = Annotated[
    RegressionTarget | ClassificationTarget | OrdinalTarget,
    Field(discriminator="task"),
    Shorthand(unchanged, discriminator="task"),
]


@dataclass(frozen=True)
class TargetPart:
    """One of several targets, at position `j`, whose predicted values are those of a `span`, quantiles of `levels`."""

    target: OneTarget
    j: int
    span: slice
    levels: tuple[float, ...]

    def truth(self, y: Truth) -> tuple[Mask, Truth]:
        """Which of the rows of y (rows, targets) have the target, and its values there."""
        has = ~np.isnan(y[:, self.j])
        return has, y[has, self.j].astype(np.int64) if isinstance(self.target, ClassTarget) else y[has, self.j, None]


class MultiTarget(TargetBase):
    """Several targets, each of its kind. y is (rows, targets): numbers, codes of classes, NaN where a row has no value.

    Predicted values are those of the parts side by side; a part of quantiles has one for each of its `levels`.
    """

    task: Literal["several"] = "several"
    noun: ClassVar[str] = "several targets"
    family: ClassVar[Task] = "several"
    default_metric: ClassVar[str] = RELATIVE_LOSS.name
    peak_learning_rate: ClassVar[float] = 0.07  # between those of numbers and classes

    targets: Annotated[tuple[OneTarget, ...], Field(min_length=2)]
    levels: tuple[tuple[FiniteFloat, ...], ...]

    @property
    def parts(self) -> tuple[TargetPart, ...]:
        each = zip(self.targets, self.spans, self.levels, strict=True)
        return tuple(TargetPart(target, j, span, levels) for j, (target, span, levels) in enumerate(each))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the target columns."""
        return tuple(part.names[0] for part in self.targets)

    @property
    def labels(self) -> tuple[str, ...]:
        """None: those of the classes are in the parts."""
        return ()

    @property
    def spans(self) -> list[slice]:
        """The columns of the predicted values of each part."""
        ends = np.cumsum([self._width(j) for j in range(len(self.targets))]).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def _width(self, j: int) -> int:
        return len(self.levels[j]) or self.targets[j].n_outputs

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(
            name if name == part.names[0] else f"{part.names[0]} {name}"
            for part, levels in zip(self.targets, self.levels, strict=True)
            for name in (tuple(map(str, levels)) or part.output_names)
        )

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        raise NotImplementedError("each part is fitted by itself, see fitting/prepare/fit.py")

    @classmethod
    def fit_parts(cls, loss: LossBase, fit: Callable[[str, LossBase], TargetBase]) -> Self:
        """Several targets, fitted side by side."""
        fitted = (fit(*part) for part in zip(loss.named_targets, loss.parts, strict=True))
        targets = tuple(cast("OneTarget", target) for target in fitted)
        return cls(targets=targets, levels=tuple(part.quantile_levels for part in loss.parts))

    def fit_loss(
        self, loss: L, read: Callable[[Sequence[str]], Table], weight: str | None, importance: Mapping[str, float]
    ) -> L:
        """The losses with their baselines, and the shares of the targets in the training rows."""
        table = read(self.names)
        y = np.asarray(self.read(table), np.float64)
        weights = read_weights(read([weight]), weight) if weight else None
        for j, name in enumerate(self.names):
            check_weighted(table, name, None if weights is None else weights[~np.isnan(y[:, j])])
        encoded, scales = np.asarray(self.encode(y), np.float64), np.ravel(self.scale).tolist()
        targets = [
            (of_part.outputs(part.n_outputs), self._width(j), encoded[:, j], y[:, j])
            for j, (part, of_part) in enumerate(zip(self.targets, loss.parts, strict=True))
        ]
        each = [importance.get(name, 1.0) for name in self.names]
        return cast("L", fit_losses(cast("MultiTargetLoss", loss), targets, weights, each, scales))

    @classmethod
    def compared_columns(cls, columns: Sequence[T]) -> Sequence[T]:
        """All: some of the targets may be numbers, whose runs have the rows of this one."""
        return columns

    @classmethod
    def rows_with_target(cls, table: Table, names: tuple[str, ...], *, every: bool = True) -> RowIndices:
        return rows_with_target(table, names, every=False)

    def _pairs(self, other: MultiTarget) -> Iterator[tuple[TargetBase, TargetBase]]:
        return zip(self.targets, other.targets, strict=True)

    # Cells

    def read(self, table: Table) -> Truth:
        y = np.full((len(table), len(self.targets)), np.nan)
        for j, part in enumerate(self.targets):
            rows = rows_with_target(table, part.names)
            y[rows, j] = part.read(table.take(rows)).reshape(len(rows))
        return y

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        return [errors for part in self.targets for errors in part.cell_errors(table)]

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each cell; a missing number is NaN."""
        y = self.read(table)
        return [
            hash_texts(read_text(table, part.names[0])) if isinstance(part, ClassTarget) else hash_numbers(y[:, j])
            for j, part in enumerate(self.targets)
        ]

    @property
    def removed_units(self) -> list[tuple[str, str | None]]:
        return [unit for part in self.targets for unit in part.removed_units]

    @property
    def class_orders(self) -> list[tuple[str, tuple[str, ...]]]:
        return [order for part in self.targets for order in part.class_orders]

    # Outputs of the network, and predictions

    @property
    def scale(self) -> Floats:
        return np.array([float(np.squeeze(part.scale)) for part in self.targets])

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        columns = [
            y[:, j] if isinstance(part, ClassTarget) else part.encode(y[:, j, None])[:, 0]
            for j, part in enumerate(self.targets)
        ]
        return np.column_stack(columns).astype(precision)

    def loss_targets(self, y: Truth) -> Truth:
        return y

    def decode(self, values: Floats) -> Floats:
        parts = zip(self.targets, self.spans, strict=True)
        return np.concatenate([part.decode(values[:, span]) for part, span in parts], axis=1)

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """None: the run of each target has its own."""
        return {}

    def no_temperature(self, *, is_monotone: bool, has_validation: bool) -> Refusal | None:
        """None: each target is calibrated by itself."""
        return None

    def resolved_calibration(
        self, configured: Calibration, *, is_monotone: bool = False, has_validation: bool = True
    ) -> Calibration:
        return configured

    def calibrates(self, resolved: Calibration) -> bool:
        return False

    def averaging_factors(
        self, members: MemberValues, total: MemberSum, counts: Codes, scored: tuple[Floats, Truth, Floats | None]
    ) -> tuple[float, ...]:
        return ()

    def monitoring(self) -> Monitoring:
        return SeveralMonitoring(self)

    def _of_one(self, what: str) -> UsageError:
        return UsageError(f"{what} are those of one target; there are {join_quoted(self.names)}")

    # Members of an ensemble, folds and students

    def accepts(self, member: TargetBase) -> bool:
        return isinstance(member, MultiTarget) and (
            self.names == member.names
            and self.levels == member.levels
            and all(part.accepts(other) for part, other in self._pairs(member))
        )

    def is_same(self, other: TargetBase) -> bool:
        return self.accepts(other) and isinstance(other, MultiTarget) and other.accepts(self)

    def align(self, values: Floats, source: TargetBase) -> Floats:
        if not isinstance(source, MultiTarget):
            return values
        spans = zip(self._pairs(source), source.spans, strict=True)
        return np.concatenate([part.align(values[:, span], other) for (part, other), span in spans], axis=1)

    def joint(self, targets: Sequence[TargetBase], positive: str | None) -> Self:
        of_parts = zip(*(target.targets for target in targets if isinstance(target, MultiTarget)), strict=True)
        parts = tuple(part.joint(others, positive) for part, others in zip(self.targets, of_parts, strict=True))
        return self.model_copy(update={"targets": parts})

    @property
    def is_whole(self) -> bool:
        return len(self.levels) == len(self.targets) and all(part.is_whole for part in self.targets)

    def check_truth(self, y: Truth, rows: int) -> None:
        super().check_truth(y, rows)
        for part in self.parts:
            has, of_part = part.truth(y)
            part.target.check_truth(of_part, int(has.sum()))

    # Scores

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        metric_function(name, self.family)

        def relative_loss(y: Truth, values: Floats, weights: Floats | None) -> float:
            W = np.ones((1, len(y))) if weights is None else weights[None, :]
            return float(self._relative_losses(y, values, W)[0])

        return relative_loss

    def _relative_losses(self, y: Truth, values: Floats, W: Samples) -> Samples:
        """The mean over the targets, for every row of weights in `W` (resamples, rows); NaN without a row of one.

        That of a target is its squared error or log loss, divided by that of the best constant for the weighted rows; 1
        for a target that is the same in all of them.
        """
        ratios = np.empty((len(self.targets), len(W)))
        for j, part in enumerate(self.parts):
            has, actual = part.truth(y)
            if not has.any():
                ratios[j] = np.nan
                continue
            w, predicted = W[:, has], values[has, part.span]
            with np.errstate(all="ignore"):
                w = w / w.sum(axis=1, keepdims=True)
                if isinstance(part.target, ClassTarget):
                    shares = w @ one_hot(actual, part.target.n_outputs)
                    best = -(shares * np.log(np.where(shares > 0.0, shares, 1.0))).sum(axis=1)
                    loss = w @ log_loss_per_row(actual, predicted)
                else:
                    numbers = predicted[:, part.levels.index(MEDIAN) if part.levels else 0]
                    distance = actual[:, 0] - actual.mean()
                    best = w @ distance**2 - (w @ distance) ** 2
                    loss = w @ (actual[:, 0] - numbers) ** 2
                ratios[j] = np.where(best > 0.0, loss / best, np.where(np.isnan(best), np.nan, 1.0))
        return np.asarray(ratios.mean(axis=0))

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> tuple[ScoreValues, ...]:
        value = self.metric(RELATIVE_LOSS.name)(y, predictions.values, weights)
        return (ScoreValues(((RELATIVE_LOSS.name, value if np.isfinite(value) else None),)),)

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        return [self._relative_losses(y, predictions.values, W)[:, None]]

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        values = []
        for part in self.parts:
            has, of_part = part.truth(y)
            w = None if weights is None else weights[has]
            values.append(np.repeat(part.target.baseline(of_part, w), max(1, len(part.levels))))
        return np.concatenate(values)

    def row_losses(self, loss: Loss, predicted: Floats, y: Truth, scale: Floats | float) -> Floats:
        return loss.per_row(predicted, y, scale=scale)

    def row_errors(self, predictions: Predicted, y: Truth) -> NoReturn:
        raise self._of_one("errors of rows")

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        return RELATIVE_LOSS.name

    @classmethod
    def verdict_metric(cls, loss: Loss) -> str:
        return RELATIVE_LOSS.name

    def scoring(self, loss: Loss) -> Scoring:
        return SeveralScoring(self)

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        return loss.per_row(predictions.values, y, scale=self.scale)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return "relative loss"

    def is_mean_of_rows(self, metric: str) -> bool:
        return False

    def view(self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None) -> NoReturn:
        raise self._of_one("pictures of predictions")

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> NoReturn:
        raise self._of_one("outcomes of rows")


@dataclass(frozen=True)
class SeveralScoring(Scoring):
    """The run of each target has its own."""

    target: MultiTarget

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        message = "networks of several trials are averaged for one target, and there are"
        hint = "Train the best trial, or search for one target."
        raise UsageError(f"{message} {join_quoted(self.target.names)}", hint=hint)


@dataclass(frozen=True)
class SeveralMonitoring(Monitoring):
    """Nothing is tracked: the run of each target has its own reference."""

    def tracked(self, predictions: Predicted) -> tuple[Tracked, ...]:
        return ()
