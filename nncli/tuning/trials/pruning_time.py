"""How much training time pruning has saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nncli.tuning.trials.trials import Trial


@dataclass(frozen=True)
class TimeSaved:
    """The `seconds` of training that pruning saved of so many `trials`, and `trained` those that there were."""

    trials: int
    seconds: float
    trained: float

    @property
    def share(self) -> float:
        """The part of the time without pruning."""
        total = self.seconds + self.trained
        return self.seconds / total if total else 0.0


def time_saved(trials: Iterable[Trial], folds: int) -> TimeSaved | None:
    """What pruning saved if the other folds of each pruned trial had taken as long as its own; None without any."""
    finished = [trial for trial in trials if trial.is_finished]
    pruned = [trial for trial in finished if trial.state == "pruned" and trial.folds]
    if not pruned:
        return None
    seconds = sum(trial.seconds / len(trial.folds) * (folds - len(trial.folds)) for trial in pruned)
    return TimeSaved(len(pruned), seconds, sum(trial.seconds for trial in finished))
