"""The threads of all trackers of a run: each failure is one warning."""

from __future__ import annotations

from pathlib import Path

from nncli.base.findings import FindingCode
from nncli.tracking.tracker import Tracker, parse_trackers
from nncli.tracking.tracker_thread import TrackerThreads
from nncli.tracking.training_tracker import Aborted, TrainingTracker


def test_a_tracker_that_fails_is_one_warning(tmp_path: Path) -> None:
    def failing(tracker: Tracker) -> TrainingTracker:
        raise ValueError("no")

    choices = parse_trackers([f"tensorboard={tmp_path / 'a'}", f"tensorboard={tmp_path / 'b'}"])
    threads: TrackerThreads[Aborted] = TrackerThreads(choices, tmp_path / "run", failing)
    threads.put(Aborted("failed"))
    threads.close()
    findings = threads.new_warnings()
    assert [finding.code for finding in findings] == [FindingCode.TRACKING] * 2
    assert all(str(tmp_path / "run") in (finding.hint or "") for finding in findings)
    assert threads.new_warnings() == ()
