"""Early stopping: the best epoch so far, and when to stop; and outputs of rows that did not choose that epoch.

The validation rows choose the best epoch, so their score at that epoch is too good. They are therefore dealt into
parts. For each part the best epoch is chosen by the rows of the other parts, with the rule of the training itself,
and the outputs of its own rows at that epoch are kept. A score of these outputs comes from rows that did not choose.
Source: Krstajic, Buturovic, Leahy and Thomas, "Cross-validation pitfalls when selecting and assessing regression and
classification models", 2014 (nested cross-validation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array


@dataclass(frozen=True)
class BestEpoch:
    """The best monitored value (lower is better), its epoch (0: none yet), and the epochs since then."""

    best: float = inf
    best_epoch: int = 0
    epochs_without_improvement: int = 0

    def observe(self, epoch: int, value: float, *, min_delta: float = 0.0, last_on_tie: bool = False) -> BestEpoch:
        """The state after epoch `epoch` (from 1). NaN is never better.

        With `last_on_tie` an epoch that equals the best one replaces it, but does not count as an improvement.
        """
        if value < self.best - min_delta:
            return BestEpoch(value, epoch, 0)
        if last_on_tie and value == self.best and self.best_epoch:
            return BestEpoch(value, epoch, self.epochs_without_improvement + 1)
        return replace(self, epochs_without_improvement=self.epochs_without_improvement + 1)

    def should_stop(self, patience: int | None) -> bool:
        """Whether there were `patience` epochs without an improvement."""
        return patience is not None and self.epochs_without_improvement >= patience


PARTS = 5
MANY_ROWS = 10_000
"""From this number of rows on there are two parts: half of the rows choose as well as four fifths, and faster."""


@dataclass
class CrossFit:
    """The kept outputs `Z` (rows, outputs) of all validation rows, and the choice of the epoch for each part."""

    Z: Array
    choices: list[BestEpoch] = field(default_factory=list)

    @classmethod
    def of(cls, Z: Array) -> CrossFit | None:
        """The state before the first epoch; None for a single row, which has no others."""
        parts = number_of_parts(len(Z))
        return cls(np.zeros_like(Z), [BestEpoch()] * parts) if parts > 1 else None

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epoch that was chosen for each part; 0 before the first one."""
        return tuple(choice.best_epoch for choice in self.choices)

    def observe(
        self,
        epoch: int,
        Z: Array,
        value: Callable[[npt.NDArray[np.int64]], float],
        *,
        min_delta: float,
        last_on_tie: bool,
    ) -> None:
        """Take in the outputs Z of an epoch; `value(rows)` is the monitored value of some rows, lower is better."""
        number = part_numbers(len(Z))
        for part, choice in enumerate(self.choices):
            others = value(np.flatnonzero(number != part))
            self.choices[part] = choice.observe(epoch, others, min_delta=min_delta, last_on_tie=last_on_tie)
            if self.choices[part].best_epoch == epoch:
                self.Z[number == part] = Z[number == part]


def number_of_parts(rows: int) -> int:
    """The number of parts that this many validation rows are dealt into."""
    return min(rows, PARTS if rows < MANY_ROWS else 2)


def part_numbers(rows: int) -> npt.NDArray[np.int64]:
    """The part of each row (rows,), from 0: they are dealt in turn, so that a sorted table is spread evenly."""
    numbers: npt.NDArray[Any] = np.arange(rows) % number_of_parts(rows)
    return numbers
