"""What a decision threshold is chosen for: the lowest cost, the highest F1, or a limit of recall, precision or share.

A goal chooses among the thresholds of metrics/thresholds.py, for many weightings of the rows at once. Of several
thresholds that are equally good, it chooses the highest. The goal of a saved threshold is kept with it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from nncli.base.spec import PositiveSetting, Spec
from nncli.nn.arrays import RowIndices
from nncli.targets.metrics.thresholds import ErrorCosts, ThresholdCounts

ROUNDING = 1e-12
"""What a ratio may fall short of a goal by, from rounding."""

Share = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class Goal(Spec):
    """What a threshold is chosen for."""

    @property
    def costs(self) -> ErrorCosts | None:
        """The costs of the two errors, if the goal has them."""
        return None

    @property
    @abstractmethod
    def text(self) -> str:
        """The goal in words."""

    def is_reached(self, counts: ThresholdCounts) -> bool:
        """Whether the first threshold of the first weighting, which was chosen, reaches the goal."""
        return True


class Criterion(Goal):
    """A goal by which labeled rows choose a threshold."""

    @abstractmethod
    def choose(self, counts: ThresholdCounts) -> RowIndices:
        """The position of the best threshold for each weighting, or of the nearest to one."""


class LowestCost(Criterion):
    """The lowest mean cost, with the cost of a false positive and that of a false negative."""

    type: Literal["cost"] = "cost"
    false_positive: PositiveSetting
    false_negative: PositiveSetting

    @property
    def costs(self) -> ErrorCosts:
        return ErrorCosts(self.false_positive, self.false_negative)

    @property
    def text(self) -> str:
        return f"lowest cost, fp={self.false_positive:g} and fn={self.false_negative:g}"

    @property
    def calibrated_threshold(self) -> float:
        """The best threshold of probabilities that are calibrated, which no row chooses (Elkan, 2001)."""
        return self.false_positive / (self.false_positive + self.false_negative)

    def choose(self, counts: ThresholdCounts) -> RowIndices:
        return np.asarray(counts.cost(self.costs).argmin(axis=1))


class HighestF1(Criterion):
    """The highest F1, the harmonic mean of precision and recall."""

    type: Literal["f1"] = "f1"

    @property
    def text(self) -> str:
        return "highest f1"

    def choose(self, counts: ThresholdCounts) -> RowIndices:
        return np.asarray(counts.f1.argmax(axis=1))


class MinRecall(Criterion):
    """The highest threshold that finds at least this share of the positive rows."""

    type: Literal["recall"] = "recall"
    value: Share

    @property
    def text(self) -> str:
        return f"recall of at least {self.value:g}"

    def choose(self, counts: ThresholdCounts) -> RowIndices:
        return np.asarray((counts.recall >= self.value - ROUNDING).argmax(axis=1))


class MinPrecision(Criterion):
    """The lowest threshold, so the highest recall, at which at least this share of the predicted rows is positive."""

    type: Literal["precision"] = "precision"
    value: Share

    @property
    def text(self) -> str:
        return f"precision of at least {self.value:g}"

    def choose(self, counts: ThresholdCounts) -> RowIndices:
        precision = counts.precision
        reached = (precision >= self.value - ROUNDING) & (counts.hits > 0)
        return np.where(reached.any(axis=1), _last(reached), precision.argmax(axis=1))

    def is_reached(self, counts: ThresholdCounts) -> bool:
        return bool(counts.precision[0, 0] >= self.value - ROUNDING)


class MaxPositiveRate(Criterion):
    """The lowest threshold that predicts at most this share of all rows as positive."""

    type: Literal["positive_rate"] = "positive_rate"
    value: Share

    @property
    def text(self) -> str:
        return f"at most {100 * self.value:g} % of the rows predicted as positive"

    def choose(self, counts: ThresholdCounts) -> RowIndices:
        some = counts.predicted > 0
        reached = (counts.positive_rate <= self.value + ROUNDING) & some
        return np.where(reached.any(axis=1), _last(reached), some.argmax(axis=1))

    def is_reached(self, counts: ThresholdCounts) -> bool:
        return bool(counts.positive_rate[0, 0] <= self.value + ROUNDING)


class FixedThreshold(Goal):
    """A threshold that the user names; it is not chosen. It may have the costs of both errors."""

    type: Literal["given"] = "given"
    threshold: Probability
    false_positive: PositiveSetting | None = None
    false_negative: PositiveSetting | None = None

    @property
    def costs(self) -> ErrorCosts | None:
        if self.false_positive is None or self.false_negative is None:
            return None
        return ErrorCosts(self.false_positive, self.false_negative)

    @property
    def text(self) -> str:
        costs = self.costs
        if costs is None:
            return "as given"
        return f"as given, fp={costs.false_positive:g} and fn={costs.false_negative:g}"

    @model_serializer(mode="wrap")
    def _without_missing_costs(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}


AnyGoal: TypeAlias = Annotated[
    LowestCost | HighestF1 | MinRecall | MinPrecision | MaxPositiveRate | FixedThreshold, Field(discriminator="type")
]


def _last(mask: NDArray[np.bool_]) -> RowIndices:
    """The position of the last True of each row, or the last position."""
    return np.asarray(mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1))
