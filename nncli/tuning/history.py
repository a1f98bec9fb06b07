"""The trials of a search in order, with what a new trial may be chosen and pruned by.

Trial t may depend on the trials up to t - lag alone, all of which are finished before it is proposed. What is known of
them is kept up to date with each result, so that a search of many trials takes no longer for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from nncli.tuning.objective import Objective
from nncli.tuning.trials import Trial


class TrialHistory:
    """The trials that were proposed. `lag` is that of the search."""

    def __init__(self, objective: Objective, lag: int) -> None:
        self._objective, self._lag = objective, lag
        self._trials: list[Trial] = []
        self._losses: list[float | None] = []  # of the trials before the first unfinished one
        self._rivals: list[int | None] = [None]  # the best of the first 0, 1, … trials that are finished
        self._best: int | None = None

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> Trial:
        return self._trials[number]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials in order."""
        return tuple(self._trials)

    @property
    def best(self) -> Trial | None:
        """The best complete trial so far, the first of several equal ones."""
        return None if self._best is None else self._trials[self._best]

    def add(self, trial: Trial) -> None:
        """Add the next trial, finished or not."""
        self._trials.append(trial)
        if trial.is_finished:
            self._update(trial)

    def finish(self, trial: Trial) -> None:
        """Replace a trial by its result."""
        self._trials[trial.number] = trial
        self._update(trial)

    def known_losses(self, number: int) -> Sequence[float | None] | None:
        """The losses of all trials that trial `number` follows from, None for each that failed.

        None if one of these trials is not finished.
        """
        known = self._known(number)
        return self._losses[:known] if known <= len(self._losses) else None

    def rival(self, number: int) -> Trial | None:
        """The trial that trial `number` is compared with: the best of those that it follows from."""
        rival = self._rivals[self._known(number)]
        return None if rival is None else self._trials[rival]

    def rivals_from(self, number: int) -> set[int]:
        """The numbers of the trials that trial `number` or a later one may be compared with, as far as is known."""
        return {rival for rival in (*self._rivals[self._known(number) :], self._best) if rival is not None}

    def _known(self, number: int) -> int:
        """How many trials trial `number` follows from."""
        return max(0, number - self._lag + 1)

    def _update(self, finished: Trial) -> None:
        self._best = self._better(self._best, finished)
        while len(self._losses) < len(self._trials) and self._trials[len(self._losses)].is_finished:
            trial = self._trials[len(self._losses)]
            score = trial.estimate if trial.state == "pruned" else trial.score
            self._losses.append(None if score is None else self._objective.loss_of(score))
            self._rivals.append(self._better(self._rivals[-1], trial))

    def _better(self, best: int | None, trial: Trial) -> int | None:
        """The better one of two trials."""
        if trial.state != "complete" or trial.score is None:
            return best
        if best is None:
            return trial.number
        score = self._trials[best].score
        assert score is not None, "only a trial with a score is the best"
        losses = self._objective.loss_of(trial.score), self._objective.loss_of(score)
        return trial.number if (losses[0], trial.number) < (losses[1], best) else best
