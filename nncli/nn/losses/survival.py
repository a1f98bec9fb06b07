"""Losses of the time to an event, of which some rows are censored: the event is known to be later than a time.

Time is divided into bins. The targets y are (B, 2 bins): the share of each bin in
which a row is at risk without an event, and 1 for the bin of its event. The target knows the times.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.base.errors import Advice, SetKey
from nncli.base.spec import StrictStr, Task
from nncli.nn.activations import Sigmoid, Softplus
from nncli.nn.arrays import FALLING, FIXED, Array, Floats, Sign
from nncli.nn.losses.loss import MIN_PROBABILITY, BoundLoss, LossBase, bind_elementwise, column_sums
from nncli.nn.losses.scaling import NoScaling, Scaling
from nncli.nn.program.values import Value, exp, join

MAX_BINS = 500
IMAGINED = 0.5
"""Events that are added to each bin for the outputs from which a training starts."""
SHARED, APART = 0.4, 0.1
"""The factors of the mean of the outputs, and of what each differs from it.

So what makes all events earlier is learned faster than the hazard of a single bin; both are learned slower than
with factors of 1, which overfits less.
"""
RISK_FACTOR = 0.1
"""The factor of the risk in proportional hazards, so that it is learned slower: its exponential overfits soon."""
MAX_LOG = 30.0
"""Logarithms of hazards are not larger: from much less on the survival is 0, and their exponentials overflow."""
CERTAIN = 80.0
"""The hazard from which on an event is certain; its exponential is a number of float32."""


class EventLoss(LossBase):
    """The interface of a loss of the time to an event, in the bins of a target that reads times, events and starts.

    The `target_keys` are the key of the column of the event, and then that of the start, if there is one.
    """

    type: str
    event: StrictStr | None = Field(
        None,
        description="Column that says whether the event happened at the time of the target: yes, 1, true or died. "
        "Otherwise the row is censored: until then it had not happened.",
    )
    start: StrictStr | None = Field(
        None, description="Column of the time from which on each row was observed. null: from 0 on."
    )
    bins: Annotated[int, Field(strict=True, ge=2, le=MAX_BINS)] | Literal["auto"] = Field(
        "auto", description="Bins of time, between quantiles of the times of events. auto: by the number of events."
    )

    foreign_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("status", "censored", "censoring", "indicator"),
            "Name the column that is yes for rows with the event as event.",
        )
        | dict.fromkeys(("entry", "left", "truncation"), "Write start.")
        | dict.fromkeys(("duration", "time"), "The time is data.target.")
        | dict.fromkeys(("ties", "tie_method"), "Remove it: events in the same bin of time need no method for ties.")
    )
    task: ClassVar[Task] = "survival"
    keys: ClassVar[frozenset[str]] = frozenset()
    has_link: ClassVar[bool] = True
    scaling: ClassVar[Scaling] = NoScaling()
    starts_at_mean: ClassVar[bool] = True
    per_row_name: ClassVar[str] = "survival_loss"
    target_keys: ClassVar[tuple[str, ...]] = ("event", "start")

    def checked_outputs(self, count: int) -> int:
        return self.outputs(count)

    def random_targets(self, rng: np.random.Generator, rows: int, count: int) -> npt.NDArray[Any]:
        event = np.eye(count)[rng.integers(0, count, rows)] * rng.integers(0, 2, (rows, 1))
        return np.concatenate([rng.uniform(size=(rows, count)) * (1.0 - event), event], axis=1)

    @property
    def missing_key(self) -> tuple[str, str] | None:
        if self.event is not None:
            return None
        message = f"{self.type} needs the column that says in which rows the event happened"
        return message, Advice("Use ", SetKey("loss", f"{{type: {self.type}, event: COLUMN}}"), ".")

    @property
    def time_bins(self) -> int:
        return 0 if self.bins == "auto" else self.bins

    def per_row(self, predictions: Floats, y: npt.NDArray[Any], *, scale: Floats | float = 1.0) -> Floats:
        """The loss (rows,) of each row, from the survival (rows, bins) and targets as those of the training."""
        return survival_losses(predictions, y)


class SurvivalLoss(EventLoss):
    """Time to an event in bins, hazard hₖ = σ(xₖ): -Σₖ (rₖ log(1 - hₖ) + eₖ log hₖ), eₖ = 1 in the bin of the event.

    rₖ is the share of bin k in which the row is at risk, before that bin 1: a row that is censored within a bin, or
    enters within it, counts for a part. The survival at the end of bin k is (1 - h₀) … (1 - hₖ). The log-odds are
    x = 0.4 m + 0.1 (z - m) with the mean m of z, that is z A for a symmetric A, so dz = dx A with
    dxₖ = (rₖ + eₖ) hₖ - eₖ.
    Gensheimer and Narasimhan, "A scalable discrete-time survival model for neural networks", 2019.
    """

    type: Literal["survival"] = "survival"

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """Time and survival rise as hazards fall."""
        return (FALLING,) * outputs

    def formulas(self, outputs: int) -> tuple[str, str]:
        loss = "L = 1/B Σᵢ Σₖ ((rᵢₖ + eᵢₖ) log(1 + exp(xᵢₖ)) - eᵢₖ xᵢₖ), x = 0.4 m + 0.1 (z - m), m = mean(z)"
        return loss, "dX = 1/B ((R + E) σ(X) - E), dZ = 0.4 m + 0.1 (dX - m), m = mean(dX)"

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """The log-odds of the hazards of all rows, each bin with half an event more."""
        at_risk, events = np.split(column_sums(y, w), 2)
        x = np.log((events + IMAGINED) / (at_risk + IMAGINED))
        return np.asarray(x.mean() / SHARED + (x - x.mean()) / APART)

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        at_risk, has_event = np.split(y, 2, axis=1)
        both, events, X, dX = (np.empty_like(Z) for _ in range(4))
        A = (APART * np.eye(Z.shape[1]) + (SHARED - APART) / Z.shape[1]).astype(Z.dtype)
        L, softplus, _ = Softplus().bind(X)
        P, sigmoid, _ = Sigmoid().bind(X)

        def loss(V: Array) -> None:
            np.copyto(both, at_risk)
            np.copyto(events, has_event)
            np.add(both, events, out=both)
            np.matmul(Z, A, out=X)
            softplus()
            np.multiply(both, L, out=V)
            np.multiply(events, X, out=L)
            np.subtract(V, L, out=V)

        def grad(dZ: Array) -> None:
            sigmoid()
            np.multiply(both, P, out=dX)
            np.subtract(dX, events, out=dX)
            np.matmul(dX, A, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad, targets=1)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """The survival (B, bins) at the end of each bin, a product of numbers from 0 to 1, so that it never rises."""
        with np.errstate(over="ignore"):
            return np.asarray(np.multiply.accumulate(1.0 / (1.0 + np.exp(_log_odds(Z))), axis=1))

    def lower_inverse_link(self, z: Value) -> Value:
        survives = 1.0 / (1.0 + exp(z * APART + z.sum() * ((SHARED - APART) / z.width)))
        parts = [survives.columns([0])]
        for k in range(1, z.width):
            parts.append(parts[-1] * survives.columns([k]))
        return join(parts)

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dxₖ = -hₖ Σ_{j≥k} Sⱼ dSⱼ, and dz follows from dx as x from z."""
        later = (self.inverse_link(Z) * dP)[:, ::-1].cumsum(axis=1)[:, ::-1]
        with np.errstate(over="ignore"):
            dX: Floats = np.asarray(-later / (1.0 + np.exp(-_log_odds(Z))))
        return _log_odds(dX)


class CoxLoss(EventLoss):
    """Proportional hazards in bins of time: the cumulative hazard of a row in bin k is Hₖ = exp(0.1 z + bₖ).

    The first output is z, the risk of the row, and the others are the baseline b, which is the same for all rows. With
    the share r of each bin in which a row is at risk and 1 for the bin of its event, e, the loss is
    Σₖ (rₖ Hₖ - eₖ log(1 - exp(-Hₖ))), so dxₖ = rₖ Hₖ - eₖ Hₖ / (exp(Hₖ) - 1) for xₖ = 0.1 z + bₖ. The survival at the
    end of bin k is exp(-(H₀ + … + Hₖ)). This is the likelihood of times that are known by their bins: ties need no
    approximation of Breslow or Efron, and rows do not depend on the others of a batch, as they do in Cox's partial
    likelihood, the maximum over the baseline.
    Cox, "Regression models and life-tables", 1972; Prentice and Gloeckler, "Regression analysis of grouped survival
    data with application to breast cancer data", 1978.
    """

    type: Literal["cox"] = "cox"

    def outputs(self, count: int) -> int:
        return 1 + count

    def constant_outputs(self, outputs: int) -> tuple[int, ...]:
        """The baseline."""
        return tuple(range(1, outputs))

    def output_signs(self, outputs: int) -> tuple[Sign, ...]:
        """Time and survival rise as the risk falls."""
        return (FALLING, *(FIXED,) * (outputs - 1))

    def formulas(self, outputs: int) -> tuple[str, str]:
        loss = "L = 1/B Σᵢ Σₖ (rᵢₖ Hᵢₖ - eᵢₖ log(1 - exp(-Hᵢₖ))), H = exp(X), x = 0.1 z + b"
        return loss, "dX = 1/B (R H - E H / (exp(H) - 1)), dz = 0.1 Σₖ dxₖ, db = dX"

    def initial_outputs(self, y: Array, w: Floats | None = None, offset: Array | None = None) -> Array:
        """A risk of 0, and the baseline of all rows, each bin with half an event more."""
        at_risk, events = np.split(column_sums(y, w), 2)
        return np.concatenate([[0.0], np.log(np.log1p((events + IMAGINED) / (at_risk + IMAGINED)))])

    def bind(self, Z: Array, y: npt.NDArray[Any], w: Array | None, *, batch: int | None = None) -> BoundLoss:
        at_risk, events = np.split(y, 2, axis=1)
        bins = Z.shape[1] - 1
        R, E, X, H, P = (np.empty((len(Z), bins), Z.dtype) for _ in range(5))
        A = np.concatenate([np.full((1, bins), RISK_FACTOR), np.eye(bins)]).astype(Z.dtype)  # X = Z A
        row_sum = np.concatenate([np.ones((bins, 1)), np.zeros((bins, bins))], axis=1).astype(Z.dtype)
        smallest = np.finfo(Z.dtype).tiny

        def loss(V: Array) -> None:
            np.copyto(R, at_risk)
            np.copyto(E, events)
            np.matmul(Z, A, out=X)
            np.minimum(X, MAX_LOG, out=X)  # the gradient there is that of the end, which leads back
            np.exp(X, out=H)
            np.clip(H, smallest, CERTAIN, out=P)
            np.negative(P, out=X)
            np.expm1(X, out=X)
            np.negative(X, out=X)
            np.log(X, out=X)
            np.multiply(E, X, out=E)
            np.multiply(R, H, out=R)
            np.subtract(R, E, out=X)
            np.matmul(X, row_sum, out=V)

        def grad(dZ: Array) -> None:
            np.expm1(P, out=X)
            np.divide(P, X, out=X)
            np.copyto(E, events)
            np.multiply(E, X, out=E)
            np.subtract(R, E, out=X)  # R is R H
            np.matmul(X, A.T, out=dZ)

        return bind_elementwise(Z, w, batch, loss, grad, targets=1)

    def inverse_link(self, Z: Array) -> npt.NDArray[np.float64]:
        """The survival (B, bins) at the end of each bin."""
        return np.asarray(np.exp(-np.add.accumulate(_hazards(Z), axis=1)))

    def lower_inverse_link(self, z: Value) -> Value:
        H = [exp(z.columns([0]) * RISK_FACTOR + z.columns([k])) for k in range(1, z.width)]
        parts = [H[0]]
        for hazard in H[1:]:
            parts.append(parts[-1] + hazard)
        return exp(-1.0 * join(parts))

    def inverse_link_vjp(self, Z: Array, dP: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """dxₖ = -Hₖ Σ_{j≥k} Sⱼ dSⱼ, and dz is 0.1 times their sum."""
        dX = -_hazards(Z) * (self.inverse_link(Z) * dP)[:, ::-1].cumsum(axis=1)[:, ::-1]
        return np.concatenate([RISK_FACTOR * dX.sum(axis=1, keepdims=True), dX], axis=1)


def _hazards(Z: Array) -> Floats:
    """The cumulative hazard (B, bins) in each bin, from the outputs of `CoxLoss`."""
    z = Z.astype(np.float64)
    return np.asarray(np.exp(np.minimum(z[:, :1] * RISK_FACTOR + z[:, 1:], MAX_LOG)))


def _log_odds(Z: Array) -> Floats:
    """The log-odds of hazards; the sum is in order, so that a row's bits depend on the row alone."""
    z = Z.astype(np.float64)
    return np.asarray(z * APART + np.cumsum(z, axis=1)[:, -1:] * ((SHARED - APART) / z.shape[1]))


def survival_losses(S: Floats, y: npt.NDArray[Any]) -> Floats:
    """The negative log-likelihood (rows,) of the survival S (rows, bins) for targets y (rows, 2 bins)."""
    at_risk, events = np.split(y.astype(np.float64), 2, axis=1)
    survives = S / np.maximum(np.concatenate([np.ones((len(S), 1)), S[:, :-1]], axis=1), MIN_PROBABILITY)
    logs = [np.log(np.maximum(p, MIN_PROBABILITY)) for p in (survives, 1.0 - survives)]
    return np.asarray(-(at_risk * logs[0] + events * logs[1]).sum(axis=1))
