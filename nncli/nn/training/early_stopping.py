"""Early stopping: the best epoch so far, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf


@dataclass(frozen=True)
class EarlyStopping:
    """The best monitored value (lower is better), its epoch (0: none yet), and the epochs since then."""

    best: float = inf
    best_epoch: int = 0
    epochs_without_improvement: int = 0

    def observe(self, epoch: int, value: float, *, min_delta: float = 0.0, last_on_tie: bool = False) -> EarlyStopping:
        """The state after epoch `epoch` (from 1). NaN is never better.

        With `last_on_tie` an epoch that equals the best one replaces it, but does not count as an improvement.
        """
        if value < self.best - min_delta:
            return EarlyStopping(value, epoch, 0)
        if last_on_tie and value == self.best and self.best_epoch:
            return EarlyStopping(value, epoch, self.epochs_without_improvement + 1)
        return replace(self, epochs_without_improvement=self.epochs_without_improvement + 1)

    def should_stop(self, patience: int | None) -> bool:
        """Whether there were `patience` epochs without an improvement."""
        return patience is not None and self.epochs_without_improvement >= patience
