"""A training as calls of a tracker: its events, or, once it has ended, its files."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from nncli.base.errors import Advice, Location, ResumeRun, RunError
from nncli.fitting.parallel.control_dir import ControlDirectory, EpochsReader
from nncli.fitting.train.events import Event, Finished, MembersProgress, MembersStarted, Started, TrackingStopped
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.run_directory.cross_validation import is_cross_validation
from nncli.run_directory.filenames import CONTROL_FOLDER
from nncli.run_directory.manifest import member_folder
from nncli.tracking.run_files import RunFiles, epoch_points, health_points, read_cross_validation
from nncli.tracking.tracker import Outcome, Point, TrackedRun, Tracker, TrackerChoice
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, SIGNAL_TIMEOUTS, CloseTimeouts, TrackerThreads


@dataclass(frozen=True)
class Aborted:
    """An error or a second stop signal has ended the training."""

    outcome: Outcome


class TrainingTracker:
    """Calls a tracker for the events of one training.

    The epochs of a member are read from the file that its task writes while it is trained, since the events have only
    its progress, and in the end from its run directory.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._path: Path | None = None
        self._run: TrackedRun | None = None
        self._epochs: EpochLog | None = None
        self._members: dict[int, _Member] = {}

    def receive(self, event: Event | Aborted) -> None:
        """Call the tracker for one event.

        Raises:
            Exception: whatever the tracker raises; or the run directory is damaged.
        """
        match event:
            case Started():
                self._epochs = EpochLog(self._tracker, self._start(event.run), event.metric)
                self._epochs.set(event.reports, event.health)
            case EpochReport() if self._epochs is not None:
                self._epochs.add(event)
            case Health() if self._epochs is not None:
                self._epochs.add_health(event)
            case LearningRateHalved() if self._epochs is not None:
                self._epochs.rewind(event.epoch)
            case MembersStarted():
                self._start(event.run)
            case MembersProgress():
                self._follow_members(event)
            case Finished():
                self._end(event.status)
            case Aborted():
                self._end(event.outcome)

    def flush(self) -> None:
        """Pass on the points that were collected."""
        if self._epochs is not None:
            self._epochs.flush()
        for member in self._members.values():
            if member.epochs is not None:
                member.epochs.flush()
        self._tracker.flush()

    def close(self) -> None:
        """Close the tracker."""
        self._tracker.close()

    def _start(self, path: Path) -> TrackedRun:
        self._path, self._run = path, RunFiles.read(path).run
        self._tracker.start(self._run)
        return self._run

    def _end(self, outcome: Outcome) -> None:
        """End the run, whose directory is complete, and its members."""
        if self._path is None or self._run is None:
            return
        self.flush()
        files = RunFiles.read(self._path)
        for member in files.children():
            self._set_member(int(member.path.name) - 1, member)
            self._tracker.end(member.run, member.ending())
        # After an error the manifest may still say that the training is running.
        self._tracker.end(self._run, files.ending(outcome))
        self._run = self._epochs = None
        self._members = {}

    def _follow_members(self, progress: MembersProgress) -> None:
        """Track new epochs of the members."""
        assert self._path is not None  # they have started
        for i, earlier in enumerate(progress.members):
            if not earlier.epoch:
                continue
            member, folder = self._member(i), self._path / member_folder(i)
            try:
                if not earlier.done:
                    self._add_epochs(member, folder)
                elif earlier.epoch != member.done:
                    self._set_member(i, RunFiles.read(folder, self._run))
                    member.done = earlier.epoch
            except RunError:  # it is being written again, for more epochs or with another best one
                continue

    def _add_epochs(self, member: _Member, folder: Path) -> None:
        """Track what a member has trained since the last time."""
        metric, reports = member.reader.new()
        if not reports:
            return
        epochs = member.epochs or self._start_member(member, RunFiles.read(folder, self._run), metric)
        for report in reports:
            epochs.add(report)

    def _set_member(self, i: int, files: RunFiles) -> None:
        """Track all epochs of a member whose training has ended; it may go on later."""
        member, history = self._member(i), files.history()
        epochs = member.epochs or self._start_member(member, files, history.metric)
        epochs.set(history.reports, files.health())
        epochs.flush()

    def _start_member(self, member: _Member, files: RunFiles, metric: str | None) -> EpochLog:
        self._tracker.start(files.run)
        member.epochs = EpochLog(self._tracker, files.run, metric)
        return member.epochs

    def _member(self, i: int) -> _Member:
        assert self._path is not None  # members have started
        if i not in self._members:
            self._members[i] = _Member(EpochsReader(ControlDirectory(self._path / CONTROL_FOLDER), i))
        return self._members[i]


class EpochLog:
    """The epochs of a run that a tracker has.

    Points are collected until `flush`, so that many epochs are one call. `metric` is that of the reports.
    """

    def __init__(self, tracker: Tracker, run: TrackedRun, metric: str | None) -> None:
        self._tracker, self.run, self._metric = tracker, run, metric
        self._reports: dict[int, EpochReport] = {}
        self._times = {0: run.started}
        self._measured = set[int]()
        self._points: list[Point] = []

    def add(self, report: EpochReport) -> None:
        """Add an epoch, unless it is known; one with other values repeats that epoch and voids those after it."""
        last = max(self._reports, default=0)
        if report.epoch <= last:
            if _is_same(report, self._reports.get(report.epoch)):
                return
            self.rewind(report.epoch - 1)
        before = self._times.get(report.epoch - 1, self._times[max(self._times)])
        time = self._times[report.epoch] = before + report.seconds
        self._reports[report.epoch] = report
        self._points += epoch_points(report, self._metric, time)

    def add_health(self, health: Health) -> None:
        """Add the health after an epoch, unless it is known."""
        if health.epoch not in self._measured:
            self._measured.add(health.epoch)
            self._points += health_points(health, self._times[min(health.epoch, max(self._times))])

    def set(self, reports: Iterable[EpochReport], health: Iterable[Health]) -> None:
        """Make these reports all that the run has, with the health after some of them."""
        every = list(reports)
        for report in every:
            self.add(report)
        for moment in health:
            self.add_health(moment)
        if len(self._reports) > len(every):
            self.rewind(len(every))

    def rewind(self, epoch: int) -> None:
        """Forget the epochs after `epoch`."""
        self.flush()
        self._reports = {number: report for number, report in self._reports.items() if number <= epoch}
        self._times = {number: time for number, time in self._times.items() if number <= epoch}
        self._measured = {number for number in self._measured if number <= epoch}
        self._tracker.rewind(self.run, epoch)

    def flush(self) -> None:
        """Give the tracker what was collected."""
        if self._points:
            self._tracker.log(self.run, self._points)
            self._points = []


def _is_same(report: EpochReport, earlier: EpochReport | None) -> bool:
    """Whether a report is that of an epoch that was repeated after a crash, which has the same values."""
    if earlier is None:
        return False
    # As texts, of which two that are no numbers are equal.
    return repr(replace(report, seconds=0.0, is_best=False)) == repr(replace(earlier, seconds=0.0, is_best=False))


@dataclass
class _Member:
    """A member: its epochs as the tracker has them, and after how many of them it was done."""

    reader: EpochsReader
    epochs: EpochLog | None = None
    done: int = 0


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


def track_finished_run(path: Path, tracker: Tracker) -> str:
    """Write a run directory to a tracker, with its members or folds, and return the name of the run.

    Raises:
        RunError: it is no run directory, is damaged, or its training has not ended.
        Exception: whatever the tracker raises.
    """
    if is_cross_validation(path):
        run, folds, ending = read_cross_validation(path)
        tracker.start(run)
        for fold in folds:
            _track(fold, tracker)
        tracker.end(run, ending)
        return run.name
    files = RunFiles.read(path)
    if files.manifest.status == "running":
        raise RunError(
            "the training of this run has not ended",
            location=Location(source=str(path)),
            hint=Advice("If its process was killed: ", ResumeRun(path)),
        )
    _track(files, tracker)
    return files.run.name


def _track(files: RunFiles, tracker: Tracker) -> None:
    tracker.start(files.run)
    history = files.history()
    epochs = EpochLog(tracker, files.run, history.metric)
    epochs.set(history.reports, files.health())
    epochs.flush()
    for member in files.children():
        _track(member, tracker)
    tracker.end(files.run, files.ending())
    tracker.flush()
