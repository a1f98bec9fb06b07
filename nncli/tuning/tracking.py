"""A search on trackers of metrics, while it runs or once it has ended: a run with a child for every trial."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from nncli.base.findings import Finding
from nncli.fitting.train.events import TrackingStopped
from nncli.run_directory.filenames import CONFIG
from nncli.tracking.run_files import (
    SearchTracking,
    TrackedSearch,
    TrackedTrial,
    parameter_value,
    parameters,
    track_search,
    tracker_names,
)
from nncli.tracking.tracker import Outcome, TrackedRun, Tracker, TrackerChoice, run_key
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, SIGNAL_TIMEOUTS, CloseTimeouts
from nncli.tuning.search import SearchEnded, SearchEvent, SearchProgress, SearchStarted
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.summary import read_search
from nncli.tuning.trials import BEST, RECORD, TRIALS_TABLE, Trial, TrialValues, open_directory, record_of


def track_search_events(
    events: Generator[SearchEvent, None, None],
    choices: Sequence[TrackerChoice],
    timeouts: CloseTimeouts = DEFAULT_TIMEOUTS,
) -> Generator[SearchEvent | TrackingStopped, None, None]:
    """Pass on the events of a search, and write its finished trials to each tracker in the order of their numbers.

    Once a tracker fails, a `TrackingStopped` follows, and the search goes on without it. At the end the trackers are
    waited for within the `timeouts`.
    """
    if not choices:
        yield from events
        return
    tracking: SearchTracking | None = None
    trials: _FinishedTrials | None = None
    try:
        for event in events:
            if isinstance(event, SearchStarted):
                tracking = SearchTracking(choices, event.path, _search(event.path, event.metric))
                trials = _FinishedTrials(event.path, event.space)
            if tracking is not None and trials is not None:
                findings: Iterable[Finding] = ()
                if isinstance(event, SearchProgress | SearchEnded):
                    tracking.add(*trials.new(event.trials))
                    findings = tracking.failures()
                if isinstance(event, SearchEnded):
                    outcome: Outcome = "stopped" if event.stopped else "done"
                    findings = (*findings, *tracking.end(outcome, _files(event.path), timeouts))
                yield from map(TrackingStopped, findings)
            yield event
    except Exception:
        if tracking is not None:
            yield from map(TrackingStopped, tracking.end("failed", timeouts=timeouts))
        raise
    except BaseException:  # a second stop signal, or the generator is closed
        if tracking is not None:
            tracking.end("stopped", timeouts=SIGNAL_TIMEOUTS)
        raise
    finally:
        events.close()


def track_directory(path: Path, tracker: Tracker) -> str:
    """Write the directory of a search to a tracker, as `track_search_events` does, and return the name of its run.

    Raises:
        RunError: a file is missing or damaged.
        ConfigError: its search space is damaged.
        Exception: whatever the tracker raises.
    """
    summary = read_search(path)
    finished = _FinishedTrials(path, summary.space).new(summary.trials)
    search = _search(path, summary.metric)
    is_done = bool(summary.trials) and all(trial.is_finished for trial in summary.trials)
    track_search(search, finished, "done" if is_done else "stopped", tracker, _files(path))
    return search.run.name


class _FinishedTrials:
    """The trials that were not handed over yet, up to the first one that is not finished."""

    def __init__(self, path: Path, space: SearchSpace) -> None:
        self._path, self._values = path, TrialValues(space)
        self._names = tracker_names((parameter.name,) for parameter in space.parameters)
        self._count = 0

    def new(self, trials: Sequence[Trial]) -> list[TrackedTrial]:
        """The trials that have been finished since the last call."""
        new = []
        while self._count < len(trials) and trials[self._count].is_finished:
            new.append(self._tracked(trials[self._count]))
            self._count += 1
        return new

    def _tracked(self, trial: Trial) -> TrackedTrial:
        assert trial.state != "running"
        ended = _modified(record_of(self._path, trial.number))
        written = self._values.written(trial)
        values = tuple((self._names[name,], parameter_value(value)) for name, value in written.items())
        return TrackedTrial(trial.number, values, trial.state, trial.score, ended - trial.seconds, ended)


def _search(path: Path, metric: str) -> TrackedSearch:
    """The search in a directory. Its key is the same for a search that is repeated, whose results are the same too."""
    loaded, record = open_directory(path)
    name = path.absolute().name
    run = TrackedRun(
        key=run_key(record.fingerprint, record.data_sha256, name),
        name=name,
        started=_modified(path / RECORD),
        parameters=parameters(loaded.config),
        tags=(
            ("nncli.version", record.nncli),
            ("nncli.optuna", record.optuna),
            ("nncli.data.sha256", record.data_sha256),
        ),
    )
    return TrackedSearch(run, metric)


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(path / name for name in (CONFIG, TRIALS_TABLE, BEST) if (path / name).is_file())


def _modified(path: Path) -> float:
    """When a file was written; trials have no other record of the time, which their results do not depend on."""
    return path.stat().st_mtime
