"""Tracking a training while it runs: its events pass through, and go to the trackers too."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from nncli.fitting.train.events import Event, Finished, MembersStarted, Started, TrackingStopped
from nncli.tracking.choice import TrackerChoice
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, SIGNAL_TIMEOUTS, CloseTimeouts
from nncli.tracking.tracker_threads import TrackerThreads
from nncli.tracking.training_tracker import Aborted, TrainingTracker


def track_events(
    events: Generator[Event, None, None], choices: Sequence[TrackerChoice], timeouts: CloseTimeouts = DEFAULT_TIMEOUTS
) -> Generator[Event, None, None]:
    """Pass on the events of a training, and write them to each tracker.

    Once a tracker fails, a `TrackingStopped` follows, and the training goes on without it. At the end of the training,
    also by an error, the trackers are waited for within the `timeouts`.
    """
    if not choices:
        yield from events
        return
    threads: TrackerThreads[Event | Aborted] | None = None
    try:
        with closing(events):
            for event in events:
                if isinstance(event, Started | MembersStarted) and threads is None:
                    threads = TrackerThreads(choices, event.run, TrainingTracker)
                if threads is not None:
                    threads.put(event)
                    if isinstance(event, Finished):
                        threads.close(timeouts)
                    yield from map(TrackingStopped, threads.new_warnings())
                yield event
    except Exception:
        if threads is not None:
            threads.put(Aborted("failed"))
            threads.close(timeouts)
            yield from map(TrackingStopped, threads.new_warnings())
        raise
    except BaseException:  # a second stop signal, or the generator is closed
        if threads is not None:
            threads.put(Aborted("stopped"))
            threads.close(SIGNAL_TIMEOUTS)
        raise
