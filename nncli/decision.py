"""How the probabilities of a row become a class: by a threshold, or by the lowest expected cost.

Without a decision the most probable class is predicted. A decision is a part of a model's specification. It depends on
the probabilities of the row alone, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nncli.metrics.thresholds import ErrorCosts, Positions, ThresholdCounts
from nncli.spec import NonNegativeFloat, PositiveFloat, Spec, StrictStr
from nncli.text import quote

CHUNK_CELLS = 1 << 20
"""Expected costs that are in memory at a time."""
ROUNDING = 1e-12
"""What a ratio may fall short of a goal by, from rounding."""

Share = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
Codes = NDArray[np.int64]
Probabilities = NDArray[np.float64]


class Goal(Spec):
    """What a threshold is chosen for. Of several thresholds that are equally good, the highest is chosen."""

    @property
    def costs(self) -> ErrorCosts | None:
        """The costs of the two errors, if the goal has them."""
        return None

    @property
    def text(self) -> str:
        """The goal in words."""
        raise NotImplementedError

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `nncli threshold` for this goal."""
        raise NotImplementedError

    def choose(self, counts: ThresholdCounts) -> Positions:
        """The position of the best threshold for each weighting, or of the nearest to one."""
        raise NotImplementedError

    def is_reached(self, counts: ThresholdCounts) -> bool:
        """Whether the first threshold of the first weighting, which was chosen, reaches the goal."""
        return True


class LowestCost(Goal):
    """The lowest mean cost, with the cost of a false positive and that of a false negative."""

    type: Literal["cost"] = "cost"
    false_positive: PositiveFloat
    false_negative: PositiveFloat

    @property
    def costs(self) -> ErrorCosts:
        return ErrorCosts(self.false_positive, self.false_negative)

    @property
    def text(self) -> str:
        return f"lowest cost, fp={self.false_positive:g} and fn={self.false_negative:g}"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--cost", f"fp={self.false_positive!r},fn={self.false_negative!r}")

    @property
    def calibrated_threshold(self) -> float:
        """The best threshold of probabilities that are calibrated, which no row chooses (Elkan, 2001)."""
        return self.false_positive / (self.false_positive + self.false_negative)

    def choose(self, counts: ThresholdCounts) -> Positions:
        return np.asarray(counts.cost(self.costs).argmin(axis=1))


class HighestF1(Goal):
    """The highest F1, the harmonic mean of precision and recall."""

    type: Literal["f1"] = "f1"

    @property
    def text(self) -> str:
        return "highest f1"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--f1",)

    def choose(self, counts: ThresholdCounts) -> Positions:
        return np.asarray(counts.f1.argmax(axis=1))


class MinRecall(Goal):
    """The highest threshold that finds at least this share of the positive rows."""

    type: Literal["recall"] = "recall"
    value: Share

    @property
    def text(self) -> str:
        return f"recall of at least {self.value:g}"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--recall", repr(self.value))

    def choose(self, counts: ThresholdCounts) -> Positions:
        return np.asarray((counts.recall >= self.value - ROUNDING).argmax(axis=1))


class MinPrecision(Goal):
    """The lowest threshold, so the highest recall, at which at least this share of the predicted rows is positive."""

    type: Literal["precision"] = "precision"
    value: Share

    @property
    def text(self) -> str:
        return f"precision of at least {self.value:g}"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--precision", repr(self.value))

    def choose(self, counts: ThresholdCounts) -> Positions:
        precision = counts.precision
        reached = (precision >= self.value - ROUNDING) & (counts.hits > 0)
        return np.where(reached.any(axis=1), _last(reached), precision.argmax(axis=1))

    def is_reached(self, counts: ThresholdCounts) -> bool:
        return bool(counts.precision[0, 0] >= self.value - ROUNDING)


class MaxPositiveRate(Goal):
    """The lowest threshold that predicts at most this share of all rows as positive."""

    type: Literal["rate"] = "rate"
    value: Share

    @property
    def text(self) -> str:
        return f"at most {100 * self.value:g} % of the rows predicted as positive"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--rate", repr(self.value))

    def choose(self, counts: ThresholdCounts) -> Positions:
        some = counts.predicted > 0
        reached = (counts.rate <= self.value + ROUNDING) & some
        return np.where(reached.any(axis=1), _last(reached), some.argmax(axis=1))

    def is_reached(self, counts: ThresholdCounts) -> bool:
        return bool(counts.rate[0, 0] <= self.value + ROUNDING)


class FixedThreshold(Goal):
    """A threshold that the user names; it is not chosen."""

    type: Literal["given"] = "given"
    threshold: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]

    @property
    def text(self) -> str:
        return "as given"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--at", repr(self.threshold))


AnyGoal: TypeAlias = Annotated[
    LowestCost | HighestF1 | MinRecall | MinPrecision | MaxPositiveRate | FixedThreshold, Field(discriminator="type")
]


class Threshold(Spec):
    """Of two classes, the `positive` one is predicted where its probability is at least the threshold."""

    type: Literal["threshold"] = "threshold"
    positive: StrictStr
    threshold: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
    goal: AnyGoal

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"{quote(self.positive)} from a probability of {self.threshold!r} on ({self.goal.text})"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `nncli threshold` that choose it again."""
        return (*self.goal.options, "--positive", self.positive)

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these classes."""
        return len(labels) == 2 and self.positive in labels

    def classes(self, P: Probabilities, labels: Sequence[str]) -> Codes:
        """The codes (rows,) of the predicted classes, from probabilities (rows, classes)."""
        j = labels.index(self.positive)
        return np.where(P[:, j] >= self.threshold, j, 1 - j)

    def cost_of(self, labels: Sequence[str]) -> NDArray[np.float64] | None:
        """The cost (actual, predicted) of each prediction; None without costs."""
        costs, j = self.goal.costs, labels.index(self.positive)
        if costs is None:
            return None
        C = np.zeros((2, 2))
        C[1 - j, j], C[j, 1 - j] = costs.false_positive, costs.false_negative
        return C


class CostMatrix(Spec):
    """The class of the lowest expected cost is predicted, the first of several.

    `costs` (actual, predicted) is the cost of predicting a class for a row of the actual class, in the order of
    `labels`.
    """

    type: Literal["costs"] = "costs"
    labels: Annotated[tuple[StrictStr, ...], Field(min_length=2)]
    costs: tuple[tuple[NonNegativeFloat, ...], ...]

    @property
    def text(self) -> str:
        """The rule in words."""
        return "the class of the lowest expected cost"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `nncli threshold` that choose it again."""
        return ("--costs", "COSTS.csv")

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these classes."""
        K = len(labels)
        return self.labels == tuple(labels) and [len(row) for row in self.costs] == [K] * K

    @cached_property
    def _matrix(self) -> NDArray[np.float64]:
        return np.array(self.costs, np.float64)

    def classes(self, P: Probabilities, labels: Sequence[str]) -> Codes:
        """The codes (rows,) of the predicted classes, from probabilities (rows, classes)."""
        codes = np.empty(len(P), np.int64)
        step = max(1, CHUNK_CELLS // len(labels))
        for start in range(0, len(P), step):
            chunk = P[start : start + step]
            expected = np.zeros(chunk.shape)
            for p, costs in zip(chunk.T, self._matrix, strict=True):  # in a matrix product, bits depend on other rows
                expected += p[:, None] * costs
            codes[start : start + step] = expected.argmin(axis=1)
        return codes

    def cost_of(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """The cost (actual, predicted) of each prediction."""
        return self._matrix


Decision: TypeAlias = Annotated[Threshold | CostMatrix, Field(discriminator="type")]


def decide(P: Probabilities, labels: Sequence[str], decision: Threshold | CostMatrix | None) -> Codes:
    """The codes (rows,) of the predicted classes; those of the largest probabilities (rows, classes) by default."""
    return np.asarray(P.argmax(axis=1) if decision is None else decision.classes(P, labels))


def decision_note(decision: Threshold | CostMatrix) -> str:
    """A note that says how classes are decided."""
    return f"classes by the saved decision: {decision.text}"


def _last(mask: NDArray[np.bool_]) -> Positions:
    """The position of the last True of each row, or the last position."""
    return np.asarray(mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1))
