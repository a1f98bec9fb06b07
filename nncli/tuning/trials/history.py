"""The trials of a search, and what proposals and pruning use of them.

Trial t may depend on the trials up to t - lag alone, all of which are finished before it is proposed. What is known of
them is kept up to date with each result, so that a search of many trials takes no longer for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from nncli.tuning.trials.objective import Objective
from nncli.tuning.trials.trials import Trial


class TrialHistory:
    """The trials that were proposed. `lag` is that of the search."""

    def __init__(self, objective: Objective, lag: int) -> None:
        self._objective, self._lag = objective, lag
        self._trials: list[Trial] = []
        self._losses: list[float | None] = []  # of the trials before the first unfinished one
        self._incumbents: list[int | None] = [None]  # the best of the first 0, 1, … trials that are finished
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
        """The losses of all trials that trial `number` follows from, each None if it failed or has no estimated score.

        None if one of these trials is not finished.
        """
        known = self._known(number)
        return self._losses[:known] if known <= len(self._losses) else None

    def incumbent(self, number: int) -> Trial | None:
        """The trial that trial `number` is compared with: the best of those that it follows from."""
        incumbent = self._incumbents[self._known(number)]
        return None if incumbent is None else self._trials[incumbent]

    def incumbents_from(self, number: int) -> set[int]:
        """The numbers of the trials that trial `number` or a later one may be compared with, as far as is known."""
        return {
            incumbent for incumbent in (*self._incumbents[self._known(number) :], self._best) if incumbent is not None
        }

    def _known(self, number: int) -> int:
        """How many trials trial `number` follows from."""
        return max(0, number - self._lag + 1)

    def _update(self, finished: Trial) -> None:
        self._best = self._better(self._best, finished)
        while len(self._losses) < len(self._trials) and self._trials[len(self._losses)].is_finished:
            trial = self._trials[len(self._losses)]
            score = trial.comparable_score
            self._losses.append(None if score is None else self._objective.loss_of(score))
            self._incumbents.append(self._better(self._incumbents[-1], trial))

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
