"""The epochs of one run, each given to a tracker once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nncli.nn.training.loop import EpochReport
from nncli.tracking.points import epoch_points
from nncli.tracking.tracker import Point, TrackedRun, Tracker


class EpochLog:
    """The epochs of a run that a tracker has.

    Points are collected until `flush`, so that many epochs are one call. `metric` is that of the reports.
    """

    def __init__(self, tracker: Tracker, run: TrackedRun, metric: str | None) -> None:
        self._tracker, self.run, self._metric = tracker, run, metric
        self._reports: dict[int, EpochReport] = {}
        self._times = {0: run.started}
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

    def set(self, reports: Iterable[EpochReport]) -> None:
        """Make these reports all that the run has."""
        every = list(reports)
        for report in every:
            self.add(report)
        if len(self._reports) > len(every):
            self.rewind(len(every))

    def rewind(self, epoch: int) -> None:
        """Forget the epochs after `epoch`."""
        self.flush()
        self._reports = {number: report for number, report in self._reports.items() if number <= epoch}
        self._times = {number: time for number, time in self._times.items() if number <= epoch}
        self._tracker.rewind(self.run, epoch)

    def flush(self) -> None:
        """Give the tracker what was collected."""
        if self._points:
            self._tracker.log(self.run, self._points)
            self._points = []


def _is_same(report: EpochReport, known: EpochReport | None) -> bool:
    """Whether a report is that of an epoch that was repeated after a crash, which has the same values."""
    if known is None:
        return False
    # As texts, of which two that are no numbers are equal.
    return repr(replace(report, seconds=0.0, is_best=False)) == repr(replace(known, seconds=0.0, is_best=False))
