"""A search on trackers of metrics, while it runs or once it has ended: a run with a child for every trial."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path

from nncli.findings import Finding
from nncli.metrics.registry import higher_is_better
from nncli.pipeline.train.events import TrackingStopped
from nncli.runs.filenames import CONFIG
from nncli.runs.loader import LARGEST_TEXT, damaged, read_file
from nncli.tracking.choice import TrackerChoice
from nncli.tracking.points import parameters
from nncli.tracking.search import SearchTracking, TrackedSearch, TrackedTrial, track_search
from nncli.tracking.tracker import Outcome, TrackedRun, Tracker, Value
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, SIGNAL_TIMEOUTS, CloseTimeouts
from nncli.tuning.events import SearchEnded, SearchEvent, SearchProgress, SearchStarted
from nncli.tuning.record import BEST, RECORD, open_directory
from nncli.tuning.trial_values import TrialValues
from nncli.tuning.trials import TRIALS_TABLE, Trial, load_trials, record_of


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
                trials = _FinishedTrials(event.path, TrialValues(event.space).labels)
            if tracking is not None and trials is not None:
                findings: Iterable[Finding] = ()
                if isinstance(event, SearchProgress | SearchEnded):
                    for trial in trials.new(event.trials):
                        tracking.add(trial)
                    findings = tracking.failures()
                if isinstance(event, SearchEnded):
                    outcome: Outcome = "stopped" if event.stopped else "done"
                    findings = (*findings, *tracking.end(outcome, _files(event.path), timeouts))
                yield from map(TrackingStopped, findings)
            yield event
    except BaseException as error:  # also a second stop signal, or a closed generator
        if tracking is not None:
            is_signal = not isinstance(error, Exception)
            tracking.end("stopped" if is_signal else "failed", (), SIGNAL_TIMEOUTS if is_signal else timeouts)
        raise
    finally:
        events.close()


def track_directory(path: Path, tracker: Tracker) -> str:
    """Write the directory of a search to a tracker, as `track_search_events` does, and return the name of its run.

    Raises:
        RunError: a file is missing or damaged.
        Exception: whatever the tracker raises.
    """
    metric, labels = _read_table(path)
    trials = load_trials(path)
    finished = _FinishedTrials(path, lambda trial: labels.get(trial.number, {})).new(trials)
    search = _search(path, metric)
    is_done = bool(trials) and all(trial.is_finished for trial in trials)
    track_search(search, finished, "done" if is_done else "stopped", tracker, _files(path))
    return search.run.name


class _FinishedTrials:
    """The trials that were not handed over yet, up to the first one that is not finished."""

    def __init__(self, path: Path, labels: Callable[[Trial], Mapping[str, str]]) -> None:
        self._path, self._labels = path, labels
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
        values = tuple((name, _number(text)) for name, text in self._labels(trial).items())
        return TrackedTrial(trial.number, values, trial.state, trial.score, ended - trial.seconds, ended)


def _search(path: Path, metric: str) -> TrackedSearch:
    """The search in a directory. Its key is the same for a search that is repeated, whose results are the same too."""
    loaded, record = open_directory(path)
    name = path.absolute().name
    identity = "\n".join([record.fingerprint, record.data_sha256, name])
    run = TrackedRun(
        key=hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32],
        name=name,
        started=_modified(path / RECORD),
        parameters=parameters(loaded.config),
        tags=(
            ("nncli.version", record.nncli),
            ("nncli.optuna", record.optuna),
            ("nncli.data.sha256", record.data_sha256),
        ),
    )
    return TrackedSearch(run, metric, higher_is_better(metric))


def _read_table(path: Path) -> tuple[str, dict[int, dict[str, str]]]:
    """The metric, and the values of each trial, in trials.csv; RunError if it is missing or damaged."""
    try:
        titles, *rows = csv.reader(io.StringIO(read_file(path, TRIALS_TABLE, LARGEST_TEXT).decode()))
        _, _, metric, _, *names = titles
        values = {int(row[0]): {n: text for n, text in zip(names, row[4:], strict=True) if text} for row in rows}
    except (ValueError, IndexError, csv.Error) as error:
        raise damaged(path, TRIALS_TABLE, "the file is damaged: it is no table of trials") from error
    return metric, values


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(path / name for name in (CONFIG, TRIALS_TABLE, BEST) if (path / name).is_file())


def _modified(path: Path) -> float:
    """When a file was written; trials have no other record of the time, which their results do not depend on."""
    return path.stat().st_mtime


def _number(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text
