"""The search: trials are proposed, trained fold by fold, pruned and recorded, in an order that does not depend on time.

Trial t is proposed once all trials up to t - lag are finished, and pruned by the best of these. So its values and its
result are the same for any number of workers, and after any number of interruptions.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from nncli.config.schema import Config
from nncli.errors import ConfigError, DataError, NncliError
from nncli.findings import Finding
from nncli.pipeline.parallel.task import TaskStatus
from nncli.pipeline.parallel.task_stream import TaskResult, TaskStream
from nncli.pipeline.timing.clock import TimeLimit
from nncli.runs.run import Run
from nncli.training.epoch import DivergedError
from nncli.tuning.pruning import is_worse
from nncli.tuning.record import BEST, config_text
from nncli.tuning.sampler import Sampler
from nncli.tuning.space import SearchSpace
from nncli.tuning.trial_training import HeldOut, SearchData, TrialTraining
from nncli.tuning.trials import Trial, best_trial, folder_of, load_trials, save_trial, write_trials_table
from nncli.utils.atomic_files import write_text

SECONDS_BETWEEN_TABLES = 2.0
"""Least time between two writes of trials.csv while trials run."""


@dataclass(frozen=True)
class SearchSettings:
    """What a search does, besides its space: the number of trials after trial 0, and how they are pruned."""

    trials: int
    lag: int
    prune: bool
    limit: TimeLimit | None = None


@dataclass(frozen=True)
class SearchStarted:
    """A search begins, or goes on; trial 0 is not counted among `trials`."""

    path: Path
    trials: int
    folds: int
    workers: int
    metric: str
    higher_is_better: bool
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
    """A search has ended: after all trials, at its time limit (`timed_out`), after all combinations, or by a stop."""

    path: Path
    trials: tuple[Trial, ...]
    best: Trial | None
    stopped: bool = False
    timed_out: bool = False
    exhausted: bool = False


SearchEvent = SearchStarted | SearchProgress | TrialFinished | SearchEnded


@dataclass
class _OpenTrial:
    """A trial that is not finished, with the results of trainings that ended before the one that is due."""

    training: TrialTraining
    submitted: set[int] = field(default_factory=set)
    early: dict[int, HeldOut] = field(default_factory=dict)


class Search:
    """A search in the directory `path`, begun or resumed."""

    def __init__(
        self, path: Path, space: SearchSpace, settings: SearchSettings, data: SearchData, sampler: Sampler
    ) -> None:
        self.path, self._space, self._settings, self._data, self._sampler = path, space, settings, data, sampler
        self._objective = data.objective
        self.trials: list[Trial] = []
        self._open: dict[int, _OpenTrial] = {}
        self._held_out: dict[int, list[HeldOut]] = {}
        self._exhausted = False
        self._next_table = 0.0
        self._start = time.monotonic()

    def run(self, stream: TaskStream, findings: tuple[Finding, ...] = ()) -> Generator[SearchEvent, None, None]:
        """Run the search until it ends or is stopped; what is not finished is saved.

        Raises:
            NncliError: the configuration itself cannot be trained, a disk is full, a process is lost again and again.
        """
        settings, data = self._settings, self._data
        yield SearchStarted(
            self.path,
            settings.trials,
            data.folds,
            stream.workers,
            self._objective.metric,
            self._objective.higher_is_better,
            findings,
        )
        yield from self._restore(stream.workers)
        while not stream.stopped():
            yield from self._propose(stream.workers)
            self._submit(stream)
            if not self._open:
                break
            yield self.progress
            for result in stream.wait():
                yield from self._take(result)
        while stream.is_running:  # what runs saves its state
            for result in stream.wait():
                yield from self._take(result)
        self._write_table()
        yield SearchEnded(
            self.path,
            tuple(self.trials),
            self.best,
            stopped=stream.stopped() and not self._is_over,
            timed_out=self._is_late and bool(self.trials) and len(self.trials) <= settings.trials,
            exhausted=self._exhausted,
        )

    @property
    def best(self) -> Trial | None:
        """The best complete trial so far."""
        return best_trial(self.trials, self._objective)

    @property
    def progress(self) -> SearchProgress:
        """The state of the search."""
        running = tuple(RunningTrial(n, len(one.training.held_out)) for n, one in self._open.items())
        return SearchProgress(tuple(self.trials), running, self.best, time.monotonic() - self._start)

    @property
    def _is_late(self) -> bool:
        return self._settings.limit is not None and self._settings.limit.left <= 0.0

    @property
    def _is_over(self) -> bool:
        """Whether all trials are finished."""
        return not self._open and (len(self.trials) > self._settings.trials or self._exhausted)

    def _losses(self) -> list[float | None]:
        """The losses of the trials that are finished, up to the first one that is not."""
        losses: list[float | None] = []
        for trial in self.trials:
            if not trial.is_finished:
                break
            score = trial.estimate if trial.state == "pruned" else trial.score
            losses.append(None if score is None else self._objective.loss_of(score))
        return losses

    def _restore(self, workers: int) -> Generator[SearchEvent, None, None]:
        """Read the trials of a search that was stopped, and go on with those that are not finished."""
        recorded = load_trials(self.path)
        self.trials = []
        for trial in recorded:
            if trial.number:
                self._sampler.restore(trial.values, self._losses_before(recorded, trial.number))
            self.trials.append(trial)
        for trial in recorded:
            if not trial.is_finished:
                yield from self._begin(trial, workers)

    def _losses_before(self, recorded: list[Trial], number: int) -> list[float | None]:
        """The losses that were known when a recorded trial was proposed."""
        self.trials, kept = recorded[: max(0, number - self._settings.lag + 1)], self.trials
        losses = self._losses()
        self.trials = kept
        return losses

    def _propose(self, workers: int) -> Generator[SearchEvent, None, None]:
        """Begin trials while the results are known that they follow from."""
        settings = self._settings
        while len(self.trials) <= settings.trials and not self._exhausted and not self._is_late:
            number, losses = len(self.trials), self._losses()
            if len(losses) < number - settings.lag + 1:
                return
            values = {} if number == 0 else self._sampler.propose(losses[: max(0, number - settings.lag + 1)])
            if values is None:
                self._exhausted = True
                return
            trial = Trial(number=number, values=dict(values))
            save_trial(self.path, trial)
            self.trials.append(trial)
            yield from self._begin(trial, workers)

    def _begin(self, trial: Trial, workers: int) -> Generator[SearchEvent, None, None]:
        """Open a trial, with the folds that were trained before an interruption; it fails if its values do not fit."""
        try:
            config = self.config_of(trial)
        except ConfigError as error:
            yield self._finish(trial, state="failed", message=error.message)
            return
        training = TrialTraining(trial.number, config, folder_of(self.path, trial.number), self._data, workers)
        training.prepare()
        self._open[trial.number] = _OpenTrial(training)
        for fold in range(self._data.folds):
            if trial.number in self._open and TaskStatus.read(training.task(fold)).status == "done":
                self._open[trial.number].submitted.add(fold)
                yield from self._take_fold(trial.number, fold)

    def config_of(self, trial: Trial) -> Config:
        """The configuration of a trial.

        Raises:
            ConfigError: its values are not valid together.
        """
        config = self._space.config(self._space.rounded(trial.values))
        return config.model_copy(update={"members": 1, "bagging": "auto", "time_limit": None})

    def _submit(self, stream: TaskStream) -> None:
        """Submit the trainings that are due: the next fold of each trial, or all where no result can prune it."""
        for number in sorted(self._open):
            trial = self._open[number]
            due = len(trial.training.held_out)
            can_be_pruned = self._settings.prune and self._rival(number) is not None
            for fold in range(due, due + 1 if can_be_pruned else self._data.folds):
                if fold not in trial.submitted and stream.has_room:
                    trial.submitted.add(fold)
                    stream.submit(trial.training.task(fold))

    def _take(self, result: TaskResult) -> Generator[SearchEvent, None, None]:
        """Take the result of a training."""
        number, fold = divmod(result.task.number, self._data.folds)
        if number not in self._open:
            return
        if isinstance(result.outcome, NncliError):
            error = result.outcome
            if number == 0 or not isinstance(error, ConfigError | DataError | DivergedError):
                raise error
            yield self._finish(self.trials[number], state="failed", message=error.message)
        elif result.outcome.status == "done":
            yield from self._take_fold(number, fold)
        else:
            self._open[number].submitted.discard(fold)

    def _take_fold(self, number: int, fold: int) -> Generator[SearchEvent, None, None]:
        """Score a fold, and finish the trial if it was the last one, or shows that it is worse than the best."""
        opened = self._open[number]
        training = opened.training
        opened.early[fold] = training.predict(fold)
        while (due := len(training.held_out)) in opened.early:
            training.held_out.append(opened.early.pop(due))
            if due + 1 == self._data.folds:
                yield self._finish(self.trials[number], state="complete", score=training.finish())
                return
            rival = self._rival(number)
            if self._settings.prune and rival is not None and self._is_pruned(training, rival):
                yield self._prune(number, training, rival)
                return

    def _rival(self, number: int) -> Trial | None:
        """The trial that another one is compared with: the best of those up to `lag` before it."""
        return best_trial(self.trials[: max(0, number - self._settings.lag + 1)], self._objective)

    def _is_pruned(self, training: TrialTraining, rival: Trial) -> bool:
        other = self._held_out_of(rival)
        losses = [one.losses for one in training.held_out]
        seed = [self._data.data.config.seed, training.number, len(losses)]
        return is_worse(losses, [one.losses for one in other[: len(losses)]], seed)

    def _prune(self, number: int, training: TrialTraining, rival: Trial) -> TrialFinished:
        score, folds = self._data.score(training.held_out), len(training.held_out)
        assert rival.score is not None
        estimate = rival.score + score - self._data.score(self._held_out_of(rival)[:folds])
        return self._finish(self.trials[number], state="pruned", score=score, estimate=estimate)

    def _held_out_of(self, trial: Trial) -> list[HeldOut]:
        """The held-out rows of a complete trial, predicted again if they are not in memory."""
        if trial.number not in self._held_out:
            training = TrialTraining(
                trial.number, self.config_of(trial), folder_of(self.path, trial.number), self._data, 1
            )
            self._held_out[trial.number] = [training.predict(fold) for fold in range(self._data.folds)]
        return self._held_out[trial.number]

    def _finish(self, trial: Trial, **result: object) -> TrialFinished:
        """Record the result of a trial."""
        opened = self._open.pop(trial.number, None)
        update: dict[str, object] = dict(result)
        if opened is not None:
            held_out = opened.training.held_out if result["state"] != "failed" else []
            update["folds"] = tuple(self._data.score([one]) for one in held_out)
            update["seconds"] = _seconds(opened.training, len(held_out))
            self._held_out[trial.number] = held_out
        finished = trial.model_copy(update=update)
        save_trial(self.path, finished)
        self.trials[trial.number] = finished
        is_best = self.best is not None and self.best.number == trial.number
        if is_best:
            self._write_best(finished)
        self._forget()
        if time.monotonic() >= self._next_table:
            self._next_table = time.monotonic() + SECONDS_BETWEEN_TABLES
            self._write_table()
        return TrialFinished(finished, is_best)

    def _forget(self) -> None:
        """Keep the held-out rows in memory only of trials that others are still compared with."""
        first = min(self._open, default=len(self.trials))
        rivals = (self._rival(number) for number in range(first, len(self.trials) + self._settings.lag + 1))
        kept = {rival.number for rival in rivals if rival is not None}
        self._held_out = {number: rows for number, rows in self._held_out.items() if number in kept}

    def _write_table(self) -> None:
        write_trials_table(self.path, self.trials, self._space, self._objective)

    def _write_best(self, trial: Trial) -> None:
        config = self._space.config(self._space.rounded(trial.values))
        comment = f"The best configuration of a search by nncli tune: trial {trial.number}."
        write_text(self.path / BEST, config_text(config, None, comment))


def _seconds(training: TrialTraining, folds: int) -> float:
    """The seconds of the trainings of a trial."""
    paths = [Path(training.task(fold).path) for fold in range(folds)]
    return sum(Run.open(path).load_manifest().seconds or 0.0 for path in paths)
