"""The events of a training as calls of a tracker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nncli.errors import RunError
from nncli.pipeline.train.events import Event, Finished, MembersProgress, MembersStarted, Started
from nncli.runs.manifest import member_folder
from nncli.tracking.points import epoch_points, history_points
from nncli.tracking.run_files import RunFiles
from nncli.tracking.tracker import Ending, Outcome, Point, TrackedRun, Tracker
from nncli.training.loop import EpochReport, LearningRateHalved


@dataclass(frozen=True)
class Aborted:
    """An error or a second stop signal has ended the training."""

    outcome: Outcome


class TrainingFollower:
    """Calls a tracker for the events of one training.

    Points are collected until `flush`, so that many epochs are one call. The epochs of a member are tracked once its
    training has ended: the events have only its progress.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._path: Path | None = None
        self._run: TrackedRun | None = None
        self._metric: str | None = None
        self._times: dict[int, float] = {}
        self._points: list[Point] = []
        self._members: dict[int, int] = {}

    def receive(self, event: Event | Aborted) -> None:
        """Call the tracker for one event.

        Raises:
            Exception: whatever the tracker raises; or the run directory is damaged.
        """
        match event:
            case Started():
                run = self._start(event.run)
                self._metric = event.metric
                self._times = {0: run.started}
                for report in event.reports:
                    self._add(report)
            case EpochReport():
                self._add(event)
            case LearningRateHalved():
                self._rewind(event.epoch)
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
        if self._run is not None and self._points:
            self._tracker.log(self._run, self._points)
            self._points = []
        self._tracker.flush()

    def close(self) -> None:
        """Close the tracker."""
        self._tracker.close()

    def _end(self, outcome: Outcome) -> None:
        """End the run, whose directory is complete, and its members."""
        if self._path is None or self._run is None:
            return
        self.flush()
        files = RunFiles.read(self._path)
        for member in files.children():
            self._track_member(int(member.path.name) - 1, member)
            self._tracker.end(member.run, member.ending())
        ending = files.ending()
        # After a crash the manifest may still say that the training is running.
        self._tracker.end(self._run, Ending(outcome, ending.time, ending.scores, ending.files))
        self._run = None

    def _start(self, path: Path) -> TrackedRun:
        self._path, self._run = path, RunFiles.read(path).run
        self._tracker.start(self._run)
        return self._run

    def _add(self, report: EpochReport) -> None:
        time = self._times[report.epoch] = self._times[report.epoch - 1] + report.seconds
        self._points += epoch_points(report, self._metric, time)

    def _rewind(self, epoch: int) -> None:
        self.flush()
        if self._run is not None:
            self._tracker.rewind(self._run, epoch)

    def _follow_members(self, progress: MembersProgress) -> None:
        """Track the epochs of members whose training has ended; it may go on later, for more epochs."""
        assert self._path is not None  # members have started
        for i, member in enumerate(progress.members):
            if member.done and member.epoch != self._members.get(i):
                try:
                    files = RunFiles.read(self._path / member_folder(i), self._run)
                    self._track_member(i, files)
                except RunError:  # it is being written again, for more epochs or with another best one
                    continue

    def _track_member(self, i: int, files: RunFiles) -> None:
        """Start a member, and track its epochs since the last time."""
        history, done = files.history(), self._members.get(i, 0)
        if not done:
            self._tracker.start(files.run)
        points = [point for point in history_points(history, files.run.started) if point.step > done]
        if points:
            self._tracker.log(files.run, points)
        self._members[i] = len(history.reports)
