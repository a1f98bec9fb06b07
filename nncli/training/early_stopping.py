"""Which epoch was best, and when to stop looking for a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf


@dataclass(frozen=True)
class EarlyStopping:
    """The watched value so far, lower being better: the best, the epoch it came in (0: none yet), epochs since."""

    best: float = inf
    best_epoch: int = 0
    epochs_without_improvement: int = 0

    def observe(self, epoch: int, value: float, *, min_delta: float = 0.0, keep_last: bool = False) -> EarlyStopping:
        """What epoch `epoch` (from 1) changes. A value that is not a number never counts as better.

        With `keep_last` an epoch as good as the best one takes its place; it is waited for a better one all the same.
        """
        if value < self.best - min_delta:
            return EarlyStopping(value, epoch, 0)
        if keep_last and value == self.best and self.best_epoch:
            return EarlyStopping(value, epoch, self.epochs_without_improvement + 1)
        return replace(self, epochs_without_improvement=self.epochs_without_improvement + 1)

    def should_stop(self, patience: int | None) -> bool:
        """Whether `patience` epochs went by without a better one."""
        return patience is not None and self.epochs_without_improvement >= patience
