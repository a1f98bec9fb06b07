"""Tracking a training while it runs: its events pass through, and go to the trackers too."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from nncli.findings import Finding, FindingCode, warning
from nncli.pipeline.train.events import Event, Finished, MembersStarted, Started, TrackingStopped
from nncli.tracking.choice import TrackerChoice
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, SIGNAL_TIMEOUTS, CloseTimeouts, TrackerThread
from nncli.tracking.training_tracker import Aborted, TrainingTracker


def track_events(
    events: Generator[Event, None, None], choices: Sequence[TrackerChoice], timeouts: CloseTimeouts = DEFAULT_TIMEOUTS
) -> Generator[Event, None, None]:
    """Pass on the events of a training, and write them to each tracker.

    Once a tracker fails, a `TrackingStopped` follows, and the training goes on without it. At the end of the training
    the trackers are waited for within the `timeouts`.
    """
    trackers: list[_Tracking] = []
    try:
        with closing(events):
            for event in events:
                if isinstance(event, Started | MembersStarted) and not trackers:
                    trackers = [_Tracking(choice, event.run) for choice in choices]
                for tracker in trackers:
                    tracker.queue.put(event)
                if isinstance(event, Finished):
                    for tracker in trackers:
                        tracker.queue.close(timeouts)
                for tracker in trackers:
                    yield from tracker.new_failure()
                yield event
    except BaseException as error:  # also a second stop signal, or a closed generator
        is_signal = not isinstance(error, Exception)
        for tracker in trackers:
            tracker.queue.put(Aborted("stopped" if is_signal else "failed"))
            tracker.queue.close(SIGNAL_TIMEOUTS if is_signal else timeouts)
        raise


class _Tracking:
    """One tracker of a run."""

    def __init__(self, choice: TrackerChoice, run: Path) -> None:
        self._choice, self._run = choice, run
        self._is_reported = False
        self.queue: TrackerThread[Event | Aborted] = TrackerThread(partial(_open, choice, run))

    def new_failure(self) -> Iterator[TrackingStopped]:
        """An event for the failure of the tracker, the first time that it is asked for."""
        if self.queue.failure is not None and not self._is_reported:
            self._is_reported = True
            yield TrackingStopped(tracker_warning(self._choice, self.queue.failure, self._run))


def _open(choice: TrackerChoice, run: Path) -> TrainingTracker:
    return TrainingTracker(choice.open(run))


def tracker_warning(choice: TrackerChoice, reason: str, run: Path) -> Finding:
    """The warning about a tracker that failed."""
    command = f"nncli track {shlex.quote(str(run))} --to {shlex.quote(str(choice))}"
    message = f"{choice.title} is not written to any more: {reason}"
    return warning(FindingCode.TRACKING, message, hint=f"The training is not affected. To write it later: {command}")
