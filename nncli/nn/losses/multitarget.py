"""The loss of several targets of any kind: the weighted mean of a loss for each, in units of its constant baseline.

The targets y are (B, targets), codes of classes as numbers, and NaN where a row has no value: the row counts for the
other targets alone. With the weights v (sum 1), the share s_j of the training rows that have target j, and the loss c_j
of its best constant prediction, the value is Σ_j v_j / (s_j c_j) · (1/B) Σ_i m_ij w_i · loss_ij, where m_ij is 1 if row
i has target j. So the loss of a target is a mean over the rows that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from nncli.base.spec import NameShorthand, PositiveFloat, PositiveInt, Spec, StrictStr, Task
from nncli.nn.arrays import Array, Floats, Sign
from nncli.nn.losses.classification import ClassificationLoss, ClassLoss
from nncli.nn.losses.loss import BoundLoss, InvalidTarget, LossBase
from nncli.nn.losses.regression import RegressionLoss

TargetLoss: TypeAlias = Annotated[
    Annotated[RegressionLoss | ClassLoss, Field(discriminator="type")],
    NameShorthand,
]
"""The loss of one target."""

SEARCH_STEPS = 60
"""Steps of the golden-section search for the best constant."""


class FittedLoss(Spec):
    """What the training rows say of the loss of a target: its columns of Z and of predicted values, and its factors.

    `factor` is v / (s c), its weight over its share of rows and its constant loss; `row_factor` is the same for losses
    of rows in the unit of the target.
    """

    outputs: PositiveInt
    values: PositiveInt
    factor: PositiveFloat
    row_factor: PositiveFloat


class MultiTargetLoss(LossBase):
    """L = Σⱼ vⱼ / (sⱼ cⱼ) · 1/B Σᵢ mᵢⱼ wᵢ Lᵢⱼ: losses of several targets, each divided by that of its best constant.

    mᵢⱼ is 1 where row i has target j, and sⱼ the share of such rows; the weights vⱼ have the sum 1. `losses` has the
    loss of each target, `auto` before it is known. What is `fitted` comes from the training rows.
    """

    type: Literal["several"] = "several"
    task: ClassVar[Task] = "several"
    keys: ClassVar[frozenset[str]] = frozenset()
    has_link: ClassVar[bool] = True
    starts_at_mean: ClassVar[bool] = True
    per_row_name: ClassVar[str] = "relative_loss"
    is_comparison_measure: ClassVar[bool] = True
    losses: Annotated[dict[StrictStr, TargetLoss | Literal["auto"]], Field(min_length=1)]
    fitted: tuple[FittedLoss, ...] = ()

    @model_serializer(mode="wrap")
    def _without_unfitted(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        if not self.fitted:
            document.pop("fitted", None)
        return document

    @property
    def parts(self) -> tuple[TargetLoss, ...]:
        """The loss of each target."""
        return tuple(loss for loss in self.losses.values() if not isinstance(loss, str))

    @property
    def named_targets(self) -> tuple[str, ...]:
        return tuple(self.losses)

    def of_target(self, name: str) -> LossBase | None:
        loss = self.losses.get(name)
        return None if isinstance(loss, str) else loss

    def before_fit(self, configured: LossBase | None) -> LossBase:
        return MultiTargetLoss(losses=self.losses)

    @property
    def output_spans(self) -> Sequence[slice]:
        return [outputs for _, _, outputs, _ in self.columns()]

    @property
    def auto_clip_norm(self) -> float | None:
        return min((loss.auto_clip_norm for loss in self.parts if loss.auto_clip_norm is not None), default=None)

    def formulas(self, outputs: int) -> tuple[str, str]:
        return self.formula(), "dZⱼ = vⱼ / (sⱼ cⱼ) · mⱼ dLⱼ/dZⱼ"

    def columns(self) -> Iterator[tuple[TargetLoss, FittedLoss, slice, slice]]:
        """The loss of each target, what is fitted of it, and its columns of Z and of the predicted values."""
        output = value = 0
        for loss, fit in zip(self.parts, self.fitted, strict=True):
            yield loss, fit, slice(output, output + fit.outputs), slice(value, value + fit.values)
            output, value = output + fit.outputs, value + fit.values

    def invalid_target(self, read: Callable[[], Floats]) -> InvalidTarget | None:
        """The first of the targets, NaN where a row has none, that its loss is not for."""
        y = read()
        for j, loss in enumerate(self.parts):
            rows = np.flatnonzero(~np.isnan(y[:, j]))
            invalid = loss.invalid_target(partial(np.take, y[:, j, None], rows, axis=0))
            if invalid is not None:
                return invalid._replace(row=int(rows[invalid.row]), column=j)
        return None

    def outputs(self, count: int) -> int:
        return sum(fit.outputs for fit in self.fitted)

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        return tuple(sign for loss, fit, _, _ in self.columns() for sign in loss.output_signs(fit.outputs))

    def split_targets(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers, and an indicator of each class but the first; the mean where a row has no value."""
        columns: list[Floats] = []
        for y_j, (loss, fit, _, _) in zip(y.T.astype(np.float64), self.columns(), strict=True):
            has, codes = ~np.isnan(y_j), range(1, fit.values)
            numbers = [1.0 * (y_j == code) for code in codes] if isinstance(loss, ClassificationLoss) else [y_j]
            columns += [np.where(has, x, x[has].mean() if has.any() else 0.0) for x in numbers]
        return np.column_stack(columns)

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        start = np.zeros(self.outputs(0))
        for j, (loss, fit, outputs, _) in enumerate(self.columns()):
            has = ~np.isnan(y[:, j])
            values: npt.NDArray[Any] = y[has, j, None]
            weights = None if w is None else w[has]
            if isinstance(loss, ClassificationLoss):  # each class has a row, also one of other rows
                values = np.concatenate([values[:, 0].astype(np.int64), np.arange(fit.values)])
                weights = None if weights is None else np.concatenate([weights, np.ones(fit.values, weights.dtype)])
            start[outputs] = loss.initial_outputs(values, weights)
        return start

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        heads = [
            _bind_part(loss, Z[:, outputs], y[:, j], w, len(Z) if batch is None else batch, fit.factor)
            for j, (loss, fit, outputs, _) in enumerate(self.columns())
        ]
        dZ, spans = np.empty_like(Z), self.output_spans

        def forward() -> float:
            value = 0.0
            for head in heads:
                value += head.forward()
            return value

        def backward() -> Array:
            for head, outputs in zip(heads, spans, strict=True):
                np.copyto(dZ[:, outputs], head.backward())
            return dZ

        return BoundLoss(forward, backward)

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The loss (rows,) of each row in relation to that of the best constants; `predictions` are (rows, values)."""
        total, scales = np.zeros(len(y)), np.broadcast_to(scale, y.shape[1])
        for j, (loss, fit, _, values) in enumerate(self.columns()):
            has = np.flatnonzero(~np.isnan(y[:, j]))
            row_losses = part_row_losses(loss, predictions[has, values], y[has, j], float(scales[j]))
            total[has] += fit.row_factor * row_losses
        return total

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """What the loss of a row takes (B, values): numbers, quantiles of each level, and probabilities."""
        parts: list[Floats] = []
        for loss, _, outputs, _ in self.columns():
            quantiles = loss.quantiles(Z[:, outputs])
            parts.append(loss.inverse_link(Z[:, outputs]) if quantiles is None else quantiles.reshape(len(Z), -1))
        return np.concatenate(parts, axis=1)


def _bind_part(loss: TargetLoss, Z: Array, y: Array, w: Array | None, batch: int, factor: float) -> BoundLoss:
    """Bind the loss of a target to its columns of Z and its values y (B,), NaN where a row has none."""
    columns, values, missing = np.empty_like(Z, order="C"), np.empty(y.shape, Z.dtype), np.empty(y.shape, bool)
    codes, weights, unit = np.empty(y.shape, np.int64), np.empty(y.shape, Z.dtype), np.array(factor, Z.dtype)
    is_class = isinstance(loss, ClassificationLoss)
    head = loss.bind(columns, codes if is_class else values[:, None], weights, batch=batch)

    def forward() -> float:
        np.copyto(columns, Z)
        np.copyto(values, y)
        np.isnan(values, out=missing)
        np.copyto(values, 1.0, where=missing)  # a value that every loss takes
        if is_class:
            np.copyto(codes, values, casting="unsafe")
        if w is None:
            weights.fill(unit)
        else:
            np.multiply(w, unit, out=weights)
        np.copyto(weights, 0.0, where=missing)
        return head.forward()

    return BoundLoss(forward, head.backward)


def part_row_losses(loss: TargetLoss, values: Floats, y: Floats, scale: float = 1.0) -> Floats:
    """The loss of each row (rows,) of one target, from its predicted values (rows, values) and y (rows,)."""
    if isinstance(loss, ClassificationLoss):
        return loss.per_row(values, y.astype(np.int64))
    return loss.per_row(values[:, None] if loss.quantile_levels else values, y[:, None], scale=np.array([scale]))


def constant_loss(loss: TargetLoss, y: Floats, weights: Floats | None, scale: float = 1.0) -> float:
    """The mean loss of the best constant prediction for targets y (rows,), above that of perfect predictions.

    The latter is 0 but for losses of counts and amounts, which lack a constant. A target of one value has the loss 1.
    """

    def mean_loss(values: Floats) -> float:
        rows = part_row_losses(loss, np.broadcast_to(values, (len(y), *np.shape(values)[-1:])), y, scale)
        return float(np.average(rows, weights=weights))

    if isinstance(loss, ClassificationLoss):
        shares = np.bincount(y.astype(np.int64), weights)
        best = mean_loss(shares / shares.sum())
    elif (quantiles := loss.best_quantiles(y[:, None], weights)) is not None:
        is_weighted = weights is not None and (weights != weights[0]).any()
        best = mean_loss(quantiles[0] if is_weighted or loss.has_distribution else np.quantile(y, loss.quantile_levels))
    else:
        best = _least(lambda value: mean_loss(np.array([value])), float(y.min()), float(y.max()))
        if loss.deviance_power is not None:
            best -= float(np.average(part_row_losses(loss, y[:, None], y, scale), weights=weights))
    return best if np.isfinite(best) and best > np.finfo(np.float32).tiny else 1.0


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a unimodal function between two numbers: Kiefer, 1953."""
    ratio = (5.0**0.5 - 1.0) / 2.0
    for _ in range(SEARCH_STEPS):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if function(a) <= function(b) else (a, high)
    return function((low + high) / 2.0)


def fit_losses(
    losses: MultiTargetLoss,
    targets: Sequence[tuple[int, int, Floats, Floats]],
    weights: Floats | None,
    importance: Sequence[float],
    scales: Sequence[float],
) -> MultiTargetLoss:
    """The losses with what the training rows say of them.

    `targets` are the number of network outputs of each target, the number of its values, and its values (rows,) in the
    unit of the network and in its own unit, NaN where a row has none; `importance` is its weight.
    """
    fitted, total = [], sum(importance)
    w = np.ones(len(targets[0][2])) if weights is None else np.asarray(weights, np.float64)
    for loss, (outputs, values, encoded, y), weight, scale in zip(
        losses.parts, targets, importance, scales, strict=True
    ):
        has = ~np.isnan(y)
        share = float(w[has].sum() / w.sum())
        of_target = weight / total / share
        fitted.append(
            FittedLoss(
                outputs=outputs,
                values=values,
                factor=of_target / constant_loss(loss, encoded[has], w[has]),
                row_factor=of_target / constant_loss(loss, y[has], w[has], scale),
            )
        )
    return losses.model_copy(update={"fitted": tuple(fitted)})
