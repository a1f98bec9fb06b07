"""A kind of answer made of numbers with another head: prices, which the network learns by their logarithms.

So errors count by their share of the price, and what is twice as dear is as far off as what is half as dear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from nncli.nn.arrays import Floats, Mask, Precision
from nncli.nn.losses import MSE, Loss
from nncli.nn.program.values import Value, exp
from nncli.data.table import Table
from nncli.targets.base import UNSCALED, FitOptions, Predicted, TargetBase, Truth
from nncli.targets.decision import Decision
from nncli.targets.head import Head
from nncli.targets.number import Numbers, NumberScoring
from nncli.targets.scoring import Comparison, Measure, SelectionLoss
from nncli.targets.wording import Wording

MIN_PRICE = 1e-300


def squared_log_error(predicted: Floats, y: Truth) -> Floats:
    """The squared difference (rows,) of the logarithms of two prices (rows, 1)."""
    return np.asarray(np.square(np.log(np.maximum(predicted, MIN_PRICE)) - np.log(y)).mean(axis=1))


class PriceLoss(MSE):
    """The squared difference of logarithms."""

    type: Literal["price"] = "price"  # type: ignore[assignment]  # a name of its own
    task: ClassVar[str] = "price"
    per_row_name: ClassVar[str] = "squared_log_error"
    valid_targets: ClassVar[str] = "above 0"

    def are_valid(self, y: Floats) -> Mask:
        return np.asarray(y > 0.0)

    def per_row(self, predictions: Floats, y: Any, *, scale: Floats | float = 1.0) -> Floats:
        return squared_log_error(predictions, y)

    @property
    def interval_power(self) -> float:
        """Intervals are as wide as the square of the price: they are computed of logarithms."""
        return 2.0


class Price(Numbers):
    """A price, with the mean and the standard deviation of the logarithms."""

    task: Literal["price"] = "price"
    noun: ClassVar[str] = "price"

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        target = super().fit(table, names, UNSCALED)
        z = np.log(target.read(table)[:, 0])
        return target.model_copy(update={"centers": (float(z.mean()),), "scales": (float(z.std()) or 1.0,)})

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        return super().encode(np.log(y), precision)

    def decode(self, y: Floats) -> Floats:
        return np.exp(super().decode(y))

    def decode_vjp(self, values: Floats, d: Floats) -> Floats:
        return super().decode_vjp(values, d * self.decode(values))

    def lower_decode(self, y: Value, repeats: int = 1) -> Value:
        return exp(super().lower_decode(y, repeats))

    def head(self, loss: Loss) -> Head:
        return replace(super().head(loss), scoring=PriceScoring(loss), wording=PriceWording(self))


@dataclass(frozen=True)
class PriceScoring(NumberScoring):
    """Prices are compared by the squared difference of their logarithms."""

    def comparison(self, decision: Decision | None) -> Comparison:
        return Comparison((Measure("squared log error", lambda p, y: squared_log_error(p.values, y)),))

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        return SelectionLoss(points, lambda values, rows: squared_log_error(values, y[rows]), "squared log error")


@dataclass(frozen=True)
class PriceWording(Wording):
    """The words of prices."""

    def answer(self, quoted: Any) -> str:
        return "a price"
