"""The search: trials are proposed, trained fold by fold, pruned and recorded, in an order that does not depend on time.

Trial t is proposed once all trials up to t - lag are finished, and pruned by the best of these. So its values and its
result are the same for any number of workers, and after any number of interruptions.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from nncli.base.atomic_files import write_text
from nncli.base.errors import Advice, ConfigError, DataError, NncliError, UseOption
from nncli.base.findings import Finding
from nncli.base.time_limit import TimeLimit
from nncli.config.schema.tune import TuneSection
from nncli.fitting.parallel.trainings import TrainingResult, TrainingStream
from nncli.nn.arrays import Floats
from nncli.nn.training.epoch import DivergedError
from nncli.targets.metrics.significance import sign_flip_test
from nncli.tuning.sampler import Sampler
from nncli.tuning.search_data import HeldOut, Objective, SearchData, TrialTraining
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.summary import SearchResult
from nncli.tuning.trials import (
    BEST,
    State,
    Trial,
    TrialHistory,
    clear_leftovers,
    config_text,
    damaged_record,
    folder_of,
    load_trials,
    record_of,
    save_trial,
    write_trials_table,
)


@dataclass
class _OpenTrial:
    """A trial that is not finished, and the rows held out by folds that ended before the one that is due."""

    training: TrialTraining
    submitted: set[int] = field(default_factory=set)
    out_of_order: dict[int, HeldOut] = field(default_factory=dict)


class Search:
    """A search in the directory `path`, begun or resumed."""

    def __init__(
        self,
        path: Path,
        space: SearchSpace,
        settings: TuneSection,
        limit: TimeLimit | None,
        data: SearchData,
        sampler: Sampler,
    ) -> None:
        self.path, self._space, self._settings, self._data, self._sampler = path, space, settings, data, sampler
        self._limit = limit
        self._history = TrialHistory(data.objective, settings.lag)
        self._open: dict[int, _OpenTrial] = {}
        self._held_out: dict[int, list[HeldOut]] = {}
        self._exhausted = False
        self._files = SearchFiles(path, space, data.objective)
        self._start = time.monotonic()

    def run(self, stream: TrainingStream, findings: tuple[Finding, ...] = ()) -> Generator[SearchEvent, None, None]:
        """Run the search until it ends or is stopped; what is not finished is saved.

        Raises:
            NncliError: the configuration itself cannot be trained, a disk is full, a process is lost again and again.
        """
        yield self._started(stream, findings)
        yield from self._restore(stream)
        while not stream.stopped():
            yield from self._propose(stream)
            self._submit(stream)
            if not self._open:
                break
            yield self.progress
            for result in sorted(
                stream.wait(), key=lambda finished: finished.job.number
            ):  # of failed folds, the lowest is named
                yield from self._take(result, stream)
        while stream.running:  # what runs saves its state
            for result in stream.wait():
                yield from self._take(result, stream)
        self._files.save_table(self._history.trials, is_last=True)
        is_complete = not self._open and (self._has_all or self._exhausted)
        yield SearchEnded(
            self.path,
            self._history.trials,
            self._history.best,
            stopped=stream.stopped() and not is_complete,
            timed_out=self._is_late and not is_complete,
            seconds_late=0.0 if self._limit is None else max(0.0, -self._limit.left),
            exhausted=self._exhausted,
        )

    @property
    def progress(self) -> SearchProgress:
        """The state of the search."""
        running = tuple(RunningTrial(n, len(open_trial.training.held_out)) for n, open_trial in self._open.items())
        seconds = time.monotonic() - self._start
        return SearchProgress(self._history.trials, running, self._history.best, seconds)

    def _started(self, stream: TrainingStream, findings: tuple[Finding, ...]) -> SearchStarted:
        return SearchStarted(
            path=self.path,
            trials=self._settings.trials,
            folds=self._data.folds,
            workers=stream.workers,
            metric=self._data.objective.metric,
            higher_is_better=self._data.objective.higher_is_better,
            space=self._space,
            limit=self._limit,
            findings=findings,
        )

    @property
    def _is_late(self) -> bool:
        return self._limit is not None and self._limit.left <= 0.0

    @property
    def _has_all(self) -> bool:
        return len(self._history) > self._settings.trials

    def _restore(self, stream: TrainingStream) -> Generator[SearchEvent, None, None]:
        """Read the trials of a search that was stopped, and go on with those that are not finished."""
        recorded = load_trials(self.path)
        clear_leftovers(self.path, recorded)
        for trial in recorded:
            if trial.number:
                losses = self._history.known_losses(trial.number)
                if losses is None:
                    raise damaged_record(record_of(self.path, trial.number))
                self._sampler.restore(trial.values, losses)
            self._history.add(trial)
        for trial in recorded:
            if not trial.is_finished:
                yield from self._begin(trial, stream)
        if self._history.best is not None:
            self._files.save_best(self._history.best)  # perhaps it was killed before

    def _propose(self, stream: TrainingStream) -> Generator[SearchEvent, None, None]:
        """Begin trials while the results are known that they follow from."""
        while not (self._has_all or self._exhausted or self._is_late):
            number = len(self._history)
            losses = self._history.known_losses(number)
            if losses is None:
                return
            values = {} if number == 0 else self._sampler.propose(losses)
            if values is None:
                self._exhausted = True
                return
            trial = Trial(number=number, values=dict(values))
            save_trial(self.path, trial)
            self._history.add(trial)
            yield from self._begin(trial, stream)

    def _begin(self, trial: Trial, stream: TrainingStream) -> Generator[SearchEvent, None, None]:
        """Open a trial, with the folds that were trained before an interruption; it fails if its values do not fit."""
        try:
            training = self._training_of(trial, stream.workers)
        except (ConfigError, DataError) as error:
            if trial.number == 0:
                raise
            yield self._finish(trial.number, "failed", message=error.message)
            return
        training.prepare()
        self._open[trial.number] = _OpenTrial(training)
        for fold in range(self._data.folds):
            if trial.number in self._open and training.is_done(fold):
                self._open[trial.number].submitted.add(fold)
                yield from self._take_fold(trial.number, fold)

    def _training_of(self, trial: Trial, at_a_time: int) -> TrialTraining:
        """The trainings of a trial.

        Raises:
            ConfigError, DataError: its values are not valid together, or it is not comparable with others.
        """
        config = self._space.trial_config(trial.values)
        return TrialTraining(trial.number, config, folder_of(self.path, trial.number), self._data, at_a_time)

    def _submit(self, stream: TrainingStream) -> None:
        """Submit the trainings that are due: the next fold of each trial, or all where no result can prune it."""
        for number in sorted(self._open):
            trial = self._open[number]
            due = len(trial.training.held_out)
            can_be_pruned = self._settings.prune and self._history.incumbent(number) is not None
            for fold in range(due, due + 1 if can_be_pruned else self._data.folds):
                if fold not in trial.submitted and stream.has_room:
                    trial.submitted.add(fold)
                    stream.submit(trial.training.fold_task(fold))

    def _take(self, result: TrainingResult, stream: TrainingStream) -> Generator[SearchEvent, None, None]:
        """Take the result of a training."""
        number, fold = divmod(result.job.number, self._data.folds)
        if number not in self._open:
            return
        if isinstance(result.outcome, NncliError):
            error = result.outcome
            if number == 0 or not isinstance(error, ConfigError | DataError | DivergedError):
                raise error
            if isinstance(error, DataError):
                self._data.check_table()  # without it every trial would fail
            stream.cancel(lambda task: task.number // self._data.folds == number)
            yield self._finish(number, "failed", message=error.message)
        elif result.outcome.done:
            yield from self._take_fold(number, fold)
        else:
            self._open[number].submitted.discard(fold)

    def _take_fold(self, number: int, fold: int) -> Generator[SearchEvent, None, None]:
        """Score a fold, and finish the trial if it was the last one, or shows that it is worse than the best."""
        opened = self._open[number]
        training = opened.training
        opened.out_of_order[fold] = training.predict(fold)
        while (due := len(training.held_out)) in opened.out_of_order:
            training.held_out.append(opened.out_of_order.pop(due))
            if due + 1 == self._data.folds:
                yield self._complete(number, training)
                return
            incumbent = self._history.incumbent(number)
            if self._settings.prune and incumbent is not None and self._is_pruned(training, incumbent):
                yield self._prune(number, training, incumbent)
                return

    def _complete(self, number: int, training: TrialTraining) -> TrialFinished:
        """Score a trial. One without a score cannot be compared with others, so it fails.

        Raises:
            NncliError: the metric is undefined for the configuration itself.
        """
        score, metric = self._data.score(training.held_out), self._data.objective.metric
        if score is not None:
            training.finish()
            return self._finish(number, "complete", score=score)
        message = f"{metric} of the held-out rows is not a finite number"
        if number == 0:
            raise NncliError(
                f"{message}, so trials cannot be compared",
                hint=Advice("Choose another one: ", UseOption("metric", "metric", placeholder="NAME")),
            )
        return self._finish(number, "failed", message=message)

    def _is_pruned(self, training: TrialTraining, incumbent: Trial) -> bool:
        other = self._held_out_of(incumbent)
        losses = [fold.losses for fold in training.held_out]
        seed = [self._data.seed, training.number, len(losses)]
        return is_worse(losses, [fold.losses for fold in other[: len(losses)]], seed)

    def _prune(self, number: int, training: TrialTraining, incumbent: Trial) -> TrialFinished:
        score, folds = self._data.score(training.held_out), len(training.held_out)
        same = self._data.score(self._held_out_of(incumbent)[:folds])
        estimate = None
        if score is not None and same is not None and incumbent.score is not None:
            estimate = incumbent.score + score - same
        return self._finish(number, "pruned", score=score, estimated_score=estimate)

    def _held_out_of(self, trial: Trial) -> list[HeldOut]:
        """The held-out rows of a complete trial, predicted again if they are not in memory."""
        if trial.number not in self._held_out:
            training = self._training_of(trial, 1)
            self._held_out[trial.number] = [training.predict(fold) for fold in range(self._data.folds)]
        return self._held_out[trial.number]

    def _finish(
        self,
        number: int,
        state: State,
        score: float | None = None,
        estimated_score: float | None = None,
        message: str | None = None,
    ) -> TrialFinished:
        """Record the result of a trial."""
        opened = self._open.pop(number, None)
        result: dict[str, object] = {
            "state": state,
            "score": score,
            "estimated_score": estimated_score,
            "message": message,
        }
        if opened is not None:
            training = opened.training
            result["seconds"] = training.seconds
            if state != "failed":
                result["folds"] = tuple(self._data.score([fold]) for fold in training.held_out)
            if state == "complete":
                self._held_out[number] = training.held_out
        finished = self._history[number].model_copy(update=result)
        save_trial(self.path, finished)
        self._history.finish(finished)
        best = self._history.best
        is_best = best is not None and best.number == number
        if is_best:
            self._files.save_best(finished)
        self._forget()
        self._files.save_table(self._history.trials)
        return TrialFinished(finished, is_best)

    def _forget(self) -> None:
        """Keep the held-out rows in memory only of trials that others are still compared with."""
        kept = self._history.incumbents_from(min(self._open, default=len(self._history)))
        self._held_out = {number: rows for number, rows in self._held_out.items() if number in kept}


LEVEL = 0.2
"""One-sided significance level: it trains fewer folds than 0.05 for as good a best score (benchmarks/ablations.md)."""
NORMAL_ROWS = 200
"""Smallest number of rows for the normal approximation."""


def is_worse(losses: Sequence[Floats], best: Sequence[Floats], seed: Sequence[int]) -> bool:
    """Whether a trial with these losses of the rows (rows,) of each fold is worse than the best one.

    It must be worse in every fold, since rows of a fold share the chance of one training.
    """
    differences = [mine - other for mine, other in zip(losses, best, strict=True)]
    if not all(np.isfinite(d).all() for d in differences):
        return not all(np.isfinite(mine).all() for mine in losses)
    if any(d.sum() <= 0.0 for d in differences):
        return False
    return p_value(np.concatenate(differences), seed) < LEVEL


def p_value(differences: Floats, seed: Sequence[int]) -> float:
    """The one-sided p-value that the sum of the differences (rows,) is positive by chance."""
    total, variance = float(differences.sum()), float(differences @ differences)
    if total <= 0.0 or variance == 0.0:
        return 1.0
    if len(differences) < NORMAL_ROWS:
        return sign_flip_test(differences, np.random.default_rng(seed)) / 2.0
    return 1.0 - NormalDist().cdf(total / sqrt(variance))


SECONDS_BETWEEN_TABLES = 2.0
"""Least time between two writes of trials.csv while trials run."""
SHARE_OF_TABLES = 0.01
"""The part of the time that may be spent on writing trials.csv while trials run: it has a row for each trial."""


class SearchFiles:
    """Writes the files of the search in the directory `path`."""

    def __init__(self, path: Path, space: SearchSpace, objective: Objective) -> None:
        self.path, self._space, self._objective = path, space, objective
        self._next_table = 0.0

    def save_best(self, trial: Trial) -> None:
        """Write best.yaml, the configuration of the best trial."""
        config = self._space.rounded_config(trial.values)
        comment = f"The best configuration of a search by nncli tune: trial {trial.number}."
        write_text(self.path / BEST, config_text(config, None, comment), in_place=True)

    def save_table(self, trials: Sequence[Trial], *, is_last: bool = False) -> None:
        """Write trials.csv, unless it was written a moment ago and this is not the last time."""
        start = time.monotonic()
        if start < self._next_table and not is_last:
            return
        write_trials_table(self.path, trials, self._space, self._objective)
        seconds = time.monotonic() - start
        self._next_table = start + max(SECONDS_BETWEEN_TABLES, seconds / SHARE_OF_TABLES)


@dataclass(frozen=True)
class SearchStarted:
    """A search begins, or goes on; trial 0 is not counted among `trials`, and no trial begins after the `limit`."""

    path: Path
    trials: int
    folds: int
    workers: int
    metric: str
    higher_is_better: bool
    space: SearchSpace
    limit: TimeLimit | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being trained: `folds_done` of its folds are."""

    number: int
    folds_done: int


@dataclass(frozen=True)
class SearchProgress:
    """The trials that were proposed so far, those that run, and the best one."""

    trials: tuple[Trial, ...]
    running: tuple[RunningTrial, ...]
    best: Trial | None
    seconds: float


@dataclass(frozen=True)
class TrialFinished:
    """A trial has ended; `is_best` if its score is the best so far."""

    trial: Trial
    is_best: bool


@dataclass(frozen=True)
class SearchEnded:
    """A search has ended: after all trials, at its time limit (`timed_out`), after all combinations, or by a stop.

    `seconds_late` is how long the trials that had begun took beyond the limit. `result` is None if it was stopped.
    """

    path: Path
    trials: tuple[Trial, ...]
    best: Trial | None
    stopped: bool = False
    timed_out: bool = False
    seconds_late: float = 0.0
    exhausted: bool = False
    result: SearchResult | None = None


SearchEvent: TypeAlias = SearchStarted | SearchProgress | TrialFinished | SearchEnded
