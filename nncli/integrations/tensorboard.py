"""Runs as folders of event files that TensorBoard reads, written by tensorboardX.

A run is the folder of its name in the log directory, a child a folder inside. A run that is written again, as when it
is resumed, gets another file, which begins by voiding the points of the files before, so that no step is there twice.

The events are written by tensorboardX's `EventsWriter` rather than its `SummaryWriter`: that has a thread, a queue
between processes and an action at the exit of the process, which wait forever once a disk is full. It writes where it
is called, and raises what goes wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from nncli.extend import HEALTH_LEVELS, Ending, LoggedValue, Outcome, Point, TrackedRun, TrackerKind, UsageError, quote

OWNER = ".nncli-run"
"""The file in the folder of a run that holds its key: runs of one name in different places must not be mixed."""
EVENT_FILES = "events.out.tfevents."
"""The beginning of the names of event files."""
FLUSH_SECONDS = 2.0
"""Seconds between two flushes, each of which waits for the disk."""


class TensorBoard:
    """A `Tracker` that writes a folder for each run into `log_directory`."""

    def __init__(self, log_directory: Path) -> None:
        import tensorboardX.summary  # noqa: F401 - it takes a while, and here is the place for it

        self._log_directory = log_directory
        self._folders: dict[str, Path] = {}
        self._writers: dict[str, Any] = {}
        self._next_flush = 0.0

    def start(self, run: TrackedRun) -> None:
        """Open an event file, with the parameters and the tags as text and for the tab HParams."""
        if run.key in self._writers:
            return
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.summary import hparams, text

        folder = self._folder_of(run)
        before = sorted(file.name for file in folder.glob(f"{EVENT_FILES}*"))
        # Readers order the files by their names, of which the time has whole seconds.
        suffix, prefix = f".{len(before):04d}", "events"
        if before and before[-1] > f"{EVENT_FILES}{str(time.time())[:10]}{suffix}":
            prefix = before[-1]  # the clock was set back: a name that continues the last one is behind it
        self._writers[run.key] = EventsWriter(os.fspath(folder / prefix), suffix)
        if before:
            self._void_from(run, 0, run.started)
        for tag, pairs in (("parameters", run.parameters), ("tags", run.tags)):
            self._write(run, 0, run.started, summary=text(tag, _markdown(pairs)))
        _, session, _ = hparams(dict(run.parameters), {})
        self._write(run, 0, run.started, summary=session)

    def log(self, run: TrackedRun, points: Sequence[Point]) -> None:
        """Write points, an event each; distributions are histograms."""
        from tensorboardX.summary import scalar

        for point in points:
            summary = _histogram(point) if point.quantiles else scalar(point.metric, point.value)
            self._write(run, point.step, point.time, summary=summary)

    def rewind(self, run: TrackedRun, step: int) -> None:
        """Void the points after `step`."""
        self._void_from(run, step + 1, time.time())

    def end(self, run: TrackedRun, ending: Ending) -> None:
        """Write the final scores, which are the metrics of the tab HParams, and close the file."""
        from tensorboardX.summary import hparams

        self.log(run, ending.scores)
        experiment, _, _ = hparams(dict(run.parameters), {point.metric: point.value for point in ending.scores})
        step = max((point.step for point in ending.scores), default=0)
        for summary in (experiment, _session_end(ending.outcome, ending.time)):
            self._write(run, step, ending.time, summary=summary)
        self._writers.pop(run.key).close()

    def flush(self) -> None:
        """Write what is buffered to the disk, every few seconds."""
        if time.monotonic() >= self._next_flush:
            for writer in self._writers.values():
                writer.flush()
            self._next_flush = time.monotonic() + FLUSH_SECONDS

    def close(self) -> None:
        """Close all files."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _folder_of(self, run: TrackedRun) -> Path:
        """The folder of a run: its own from before, or the first of NAME, NAME-2 … that is free."""
        if run.key in self._folders:
            return self._folders[run.key]
        if run.parent is not None:
            folder = self._folder_of(run.parent) / run.name.removeprefix(f"{run.parent.name}/")
        else:
            folder, n = self._log_directory / run.name, 1
            while _owner(folder) not in (None, run.key):
                n += 1
                folder = self._log_directory / f"{run.name}-{n}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OWNER).write_text(run.key)
        self._folders[run.key] = folder
        return folder

    def _void_from(self, run: TrackedRun, step: int, time: float) -> None:
        """Write the event by which readers drop all points from `step` on."""
        from tensorboardX.proto.event_pb2 import SessionLog

        self._write(run, step, time, session_log=SessionLog(status=SessionLog.START))

    def _write(self, run: TrackedRun, step: int, time: float, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writers[run.key].write_event(Event(wall_time=time, step=step, **content))


def _histogram(point: Point) -> Any:
    """The histogram of 100 numbers, which are evenly spread between two neighboring quantiles."""
    from tensorboardX.summary import histogram_raw

    quantiles, counts = point.quantiles, [100.0 * (b - a) for a, b in pairwise((0.0, *HEALTH_LEVELS))]
    middles = [(a + b) / 2.0 for a, b in pairwise((quantiles[0], *quantiles))]
    sums = [sum(n * x**power for n, x in zip(counts, middles, strict=True)) for power in (1, 2)]
    return histogram_raw(point.metric, quantiles[0], quantiles[-1], 100, *sums, list(quantiles), counts)


def _session_end(outcome: Outcome, time: float) -> Any:
    """The end of a session; a stopped one has the status unknown."""
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    names = {"done": "STATUS_SUCCESS", "failed": "STATUS_FAILURE", "stopped": "STATUS_UNKNOWN"}
    end = SessionEndInfo(status=Status.Value(names[outcome]), end_time_secs=time)
    content = HParamsPluginData(session_end_info=end, version=0).SerializeToString()
    data = SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    value = Summary.Value(tag="_hparams_/session_end_info", metadata=SummaryMetadata(plugin_data=data))
    return Summary(value=[value])


def _owner(folder: Path) -> str | None:
    """The key of the run whose folder it is; None if the folder is not there, and "" if it is another one."""
    if not os.path.lexists(folder):
        return None
    try:
        return (folder / OWNER).read_text()
    except OSError:
        return ""


def _markdown(pairs: Sequence[tuple[str, LoggedValue]]) -> str:
    """A table of keys and values in Markdown."""
    lines = [f"| {key} | {str(value).replace('|', '&#124;')} |" for key, value in pairs]
    return "\n".join(["| key | value |", "|---|---|", *lines])


def _log_directory(target: str) -> str:
    if os.path.lexists(target) and not os.path.isdir(target):  # noqa: PTH112 - the name may be too long
        raise UsageError(f"{quote(target)} is a file", hint="Name a folder: tensorboard=logs")
    return target


def _open(target: str | None, run: Path) -> TensorBoard:
    """By default the log directory is `tensorboard` in the folder that holds the run directory."""
    return TensorBoard(Path(target) if target else run.absolute().parent / "tensorboard")


TENSORBOARD = TrackerKind(
    "tensorboard", "TensorBoard", _open, "logs", requires="tensorboardX", extra="tensorboard", target=_log_directory
)
