"""How the probabilities of a row become a class: by a threshold, or by the lowest expected cost.

Without a decision the most probable class is predicted, or the median rank of ordered classes. A decision is a part of
a model's specification. It depends on the probabilities of the row alone, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nncli.base.spec import DistinctTexts, FiniteFloat, NonNegativeFloat, Spec, StrictStr
from nncli.base.text import quote
from nncli.nn.arrays import Codes
from nncli.nn.program.values import Value, select
from nncli.targets.metrics.thresholds import ErrorCosts
from nncli.targets.threshold_goals import AnyGoal, FixedThreshold, Probability

CHUNK_CELLS = 1 << 20
"""Expected costs that are in memory at a time."""

ProbabilityValues = NDArray[np.float64]


Margin: TypeAlias = Callable[[ProbabilityValues], ProbabilityValues]
"""How far (rows,) probabilities (rows, classes) may be off so that the classes stay."""


class DecisionBase(Spec):
    """A decision that no rows chose, which is no threshold of two classes, and has no costs."""

    @property
    def chosen_note(self) -> str:
        """A note on the scores of the held-out rows that chose the decision; empty if none did."""
        return ""

    @property
    def error_costs(self) -> ErrorCosts | None:
        """The costs of the errors of two classes, if it has them."""
        return None

    @property
    def of_lowest_cost(self) -> Threshold | None:
        """The threshold of two classes if rows chose it by costs, so that their cost is optimistic; else None."""
        return None

    def margin(self, labels: Sequence[str]) -> Margin | None:
        """How far each probability may be off; None if rounding may change what follows from several of them."""
        return None

    def cost_of(self, labels: Sequence[str]) -> NDArray[np.float64] | None:
        """The cost (actual, predicted) of each prediction; None without costs."""
        return None


class Threshold(DecisionBase):
    """Of two classes, the `positive` one is predicted where its probability is at least the threshold."""

    type: Literal["threshold"] = "threshold"
    positive: StrictStr
    threshold: Probability
    goal: AnyGoal

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"{quote(self.positive)} from a probability of {self.threshold!r} on ({self.goal.text})"

    @property
    def is_chosen(self) -> bool:
        """Whether rows chose the threshold, on which its scores are optimistic."""
        return self.goal.type != "given"

    @property
    def chosen_note(self) -> str:
        """A note on the scores of the held-out rows that chose the threshold; empty if none did."""
        return CHOSEN if self.is_chosen else ""

    @property
    def error_costs(self) -> ErrorCosts | None:
        """The costs of the errors of two classes, if it has them."""
        return self.goal.costs

    @property
    def of_lowest_cost(self) -> Threshold | None:
        """The threshold itself if rows chose it by costs, so that their cost is optimistic; else None."""
        return self if self.is_chosen and self.goal.costs is not None else None

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these classes."""
        return len(labels) == 2 and self.positive in labels

    def classes(self, P: ProbabilityValues, labels: Sequence[str]) -> Codes:
        """The codes (rows,) of the predicted classes, from probabilities (rows, classes)."""
        j = labels.index(self.positive)
        return np.where(P[:, j] >= self.threshold, j, 1 - j)

    def lower(self, P: Value, labels: Sequence[str]) -> Value:
        """The operations of `classes`."""
        j = labels.index(self.positive)
        return select(P.columns([j]) >= self.threshold, j, 1 - j)

    def cost_of(self, labels: Sequence[str]) -> NDArray[np.float64] | None:
        """The cost (actual, predicted) of each prediction; None without costs."""
        costs, j = self.goal.costs, labels.index(self.positive)
        if costs is None:
            return None
        C = np.zeros((2, 2))
        C[1 - j, j], C[j, 1 - j] = costs.false_positive, costs.false_negative
        return C

    def margin(self, labels: Sequence[str]) -> Margin:
        """The distance of the probability from the threshold."""
        j = labels.index(self.positive)
        return lambda P: np.abs(P[:, j] - self.threshold)

    def cut(self, labels: Sequence[str]) -> tuple[int, float]:
        """The code of the positive class, and the probability from which it is predicted."""
        return labels.index(self.positive), self.threshold


class CostMatrix(DecisionBase):
    """The class of the lowest expected cost is predicted, the first of several.

    `costs` (actual, predicted) is the cost of predicting a class for a row of the actual class, in the order of
    `labels`.
    """

    type: Literal["costs"] = "costs"
    labels: Annotated[DistinctTexts, Field(min_length=2)]
    costs: tuple[tuple[NonNegativeFloat, ...], ...]

    @property
    def text(self) -> str:
        """The rule in words."""
        return "the class of the lowest expected cost"

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these classes."""
        K = len(labels)
        return self.labels == tuple(labels) and [len(row) for row in self.costs] == [K] * K

    @cached_property
    def _matrix(self) -> NDArray[np.float64]:
        return np.array(self.costs, np.float64)

    def classes(self, P: ProbabilityValues, labels: Sequence[str]) -> Codes:
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

    def lower(self, P: Value, labels: Sequence[str]) -> Value:
        """The operations of `classes`."""
        return ((P @ self.costs) * -1.0).argmax()

    def cost_of(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """The cost (actual, predicted) of each prediction."""
        return self._matrix

    def cut(self, labels: Sequence[str]) -> tuple[int, float]:
        """The code of the second of two classes, and the probability from which its expected cost is lower."""
        (kept, alarm), (missed, caught) = self.costs
        false_alarm, miss = alarm - kept, missed - caught
        both = false_alarm + miss
        return 1, min(1.0, max(0.0, false_alarm / both)) if both > 0 else 0.5


class LabelThresholds(DecisionBase):
    """Of several `labels`, each is predicted where its probability is at least its threshold."""

    type: Literal["label_thresholds"] = "label_thresholds"
    labels: DistinctTexts
    thresholds: tuple[Probability, ...]
    goal: AnyGoal

    @property
    def text(self) -> str:
        """The rule in words."""
        low, high = min(self.thresholds), max(self.thresholds)
        ends = f"{low!r}" if low == high else f"{low!r} to {high!r}, by label,"
        return f"labels from a probability of {ends} on ({self.goal.text})"

    @property
    def chosen_note(self) -> str:
        """A note on the scores of the held-out rows that chose the thresholds; empty if none did."""
        return "" if self.goal.type == "given" else CHOSEN_LABELS

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these labels."""
        return self.labels == tuple(labels) and len(self.thresholds) == len(labels)

    def classes(self, P: ProbabilityValues, labels: Sequence[str]) -> Codes:
        """1 for a predicted label and 0 for another one (rows, labels), from probabilities (rows, labels)."""
        thresholds = np.array(self.thresholds)
        return np.asarray(thresholds <= P, np.int64)

    def lower(self, P: Value, labels: Sequence[str]) -> Value:
        """The operations of `classes`."""
        probabilities, thresholds = P, np.array(self.thresholds)
        return select(probabilities >= thresholds, 1.0, 0.0)


class RankCuts(DecisionBase):
    """Of ordered classes, the rank by how many of the `cuts` the expected rank reaches.

    Those of `highest_kappa` make the spread of the predicted ranks that of the actual ones. Quadratic weighted kappa is
    2 cov(actual, predicted) / (their variances + the square of the difference of their means), so among all linear
    functions of the expected rank it is highest there. It lowers accuracy, and the errors in ranks grow.
    """

    type: Literal["rank_cuts"] = "rank_cuts"
    cuts: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]

    @classmethod
    def highest_kappa(cls, P: ProbabilityValues, y: Codes, weights: NDArray[np.float64] | None) -> RankCuts | None:
        """The cuts for rows with probabilities (rows, ranks) and ranks y (rows,); None if all are predicted alike."""
        expected = _expected_rank(P)
        center, middle = np.average(expected, weights=weights), np.average(y, weights=weights)
        spread = np.average((expected - center) ** 2, weights=weights)
        actual = np.average((y - middle) ** 2, weights=weights)
        if not (spread > 1e-12 and actual > 0.0):
            return None
        edges = np.arange(P.shape[1] - 1) + 0.5
        return cls(cuts=tuple((center + (edges - middle) * np.sqrt(spread / actual)).tolist()))

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"the rank by the expected rank, with cuts at {', '.join(f'{cut:.4g}' for cut in self.cuts)}"

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether the decision is about these classes."""
        return len(labels) == len(self.cuts) + 1

    def classes(self, P: ProbabilityValues, labels: Sequence[str]) -> Codes:
        """The codes (rows,) of the predicted classes, from probabilities (rows, classes)."""
        return np.asarray((_expected_rank(P)[:, None] >= np.array(self.cuts)).sum(axis=1))

    def lower(self, P: Value, labels: Sequence[str]) -> Value:
        """The operations of `classes`."""
        expected = P.columns([1])
        for k in range(2, len(labels)):
            expected = expected + P.columns([k]) * k
        codes = select(expected >= self.cuts[0], 1.0, 0.0)
        for cut in self.cuts[1:]:
            codes = codes + select(expected >= cut, 1.0, 0.0)
        return codes

    def cut(self, labels: Sequence[str]) -> tuple[int, float]:
        """The code of the second of two classes, and the probability from which it is predicted."""
        return 1, min(1.0, max(0.0, self.cuts[0]))


def _expected_rank(P: ProbabilityValues) -> NDArray[np.float64]:
    """Σ k P(k) (rows,), column by column, so that the bits of a row depend on it alone."""
    expected = np.zeros(len(P))
    for k, p in enumerate(P.T):
        expected += k * p
    return expected


Decision: TypeAlias = Annotated[Threshold | CostMatrix | LabelThresholds | RankCuts, Field(discriminator="type")]


def constant_thresholds(labels: Sequence[str], threshold: float = 0.5) -> LabelThresholds:
    """The same threshold for each label; 0.5 without a decision."""
    goal = FixedThreshold(threshold=threshold)
    return LabelThresholds(labels=tuple(labels), thresholds=(threshold,) * len(labels), goal=goal)


@dataclass(frozen=True)
class DecisionRule:
    """How predicted values become classes, with a saved decision or without: by itself no output is decided."""

    labels: tuple[str, ...] = ()
    usual: ClassVar[str] = "most probable class"
    """What is predicted for a row without a decision."""

    def codes(self, values: ProbabilityValues, decision: Decision | None) -> Codes:
        """The codes (rows,) of the predicted classes; 1 or 0 (rows, labels) for each label that a row may have."""
        return np.zeros((len(values), 0), np.int64)

    def takes_largest(self, decision: Decision | None) -> bool:
        """Whether the class of each row is that of its largest probability."""
        return False

    def margin(self, decision: Decision | None) -> Margin | None:
        """What says how certain classes are; None where they do not follow from one probability or two."""
        return None


NO_DECISION = DecisionRule()


@dataclass(frozen=True)
class MostProbable(DecisionRule):
    """The class of a row is the most probable one, unless a decision tells another."""

    def codes(self, values: ProbabilityValues, decision: Decision | None) -> Codes:
        return np.asarray(values.argmax(axis=1) if decision is None else decision.classes(values, self.labels))

    def lower(self, values: Value, decision: Decision | None) -> Value:
        """The operations of `codes` (rows, 1)."""
        return values.argmax() if decision is None else decision.lower(values, self.labels)

    def takes_largest(self, decision: Decision | None) -> bool:
        return decision is None

    def margin(self, decision: Decision | None) -> Margin | None:
        return _half_of_lead if decision is None else decision.margin(self.labels)


def _half_of_lead(P: ProbabilityValues) -> ProbabilityValues:
    """Half of the difference of the two largest probabilities."""
    top = np.partition(P, -2, axis=1)[:, -2:]
    return np.asarray((top[:, 1] - top[:, 0]) / 2.0)


@dataclass(frozen=True)
class MedianRank(MostProbable):
    """The class of a row is the first rank that is not exceeded with a probability of one half."""

    usual: ClassVar[str] = "median rank"

    def codes(self, values: ProbabilityValues, decision: Decision | None) -> Codes:
        if decision is not None:
            return super().codes(values, decision)
        codes, reached = np.zeros(len(values), np.int64), np.zeros(len(values))
        for p in values.T[:-1]:
            reached += p
            codes += reached < 0.5
        return codes

    def lower(self, values: Value, decision: Decision | None) -> Value:
        if decision is not None:
            return super().lower(values, decision)
        reached = values.columns([0])
        codes = select(reached < 0.5, 1.0, 0.0)
        for k in range(1, len(self.labels) - 1):
            reached = reached + values.columns([k])
            codes = codes + select(reached < 0.5, 1.0, 0.0)
        return codes

    def takes_largest(self, decision: Decision | None) -> bool:
        return False

    def margin(self, decision: Decision | None) -> None:
        return None


@dataclass(frozen=True)
class EachLabel(DecisionRule):
    """Each label is predicted from a probability of its own on, of 0.5 unless a decision tells others."""

    def thresholds(self, decision: Decision | None) -> LabelThresholds:
        """The probabilities from which on labels are predicted."""
        return decision if isinstance(decision, LabelThresholds) else constant_thresholds(self.labels)

    def codes(self, values: ProbabilityValues, decision: Decision | None) -> Codes:
        return self.thresholds(decision).classes(values, self.labels)

    def lower(self, values: Value, decision: Decision | None) -> Value:
        """The operations of `codes`."""
        return self.thresholds(decision).lower(values, self.labels)


def constant_decision(decision: Decision | None, labels: Sequence[str]) -> CostMatrix | None:
    """What makes the best constant prediction of class shares, the same class for all rows, by the costs of a decision.

    None without costs, where that is the most frequent class.
    """
    costs = None if decision is None else decision.cost_of(labels)
    return None if costs is None else CostMatrix(labels=tuple(labels), costs=tuple(map(tuple, costs.tolist())))


@dataclass(frozen=True)
class BestConstant:
    """The same class for every row, that with the lowest cost: the mean cost of a row by it.

    `saving` is the fraction of that cost that the decision saves, negative if it costs more; None if it is 0.
    """

    label: str
    cost: float
    saving: float | None

    @classmethod
    def of(cls, label: str, cost: float, decided: float) -> BestConstant:
        """That of a label and its mean cost, beside the mean cost of a row as it is `decided`."""
        return cls(label, cost, 1.0 - decided / cost if cost else None)


def decision_note(decision: Decision) -> str:
    """A note that says how classes are decided."""
    outputs = "" if isinstance(decision, LabelThresholds) else "classes "
    return f"{outputs}by the saved decision: {decision.text}"


CHOSEN_LABELS = "scores of predicted labels are of the rows that chose the thresholds, and are optimistic"
CHOSEN = "scores of predicted classes but for the cost are of the rows that chose the threshold, and are optimistic"
"""A note on the scores of the held-out rows that chose a threshold."""
