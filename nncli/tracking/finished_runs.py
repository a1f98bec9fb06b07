"""Tracking a finished run, ensemble or cross-validation from its files, as if it were trained now."""

from __future__ import annotations

from pathlib import Path

from nncli.base.errors import Location, RunError
from nncli.runs.cross_validation import is_cross_validation
from nncli.tracking.run_files import RunFiles, read_cross_validation
from nncli.tracking.tracker import Tracker


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
            hint=f"If its process was killed: nncli train --resume {path}",
        )
    _track(files, tracker)
    return files.run.name


def _track(files: RunFiles, tracker: Tracker) -> None:
    tracker.start(files.run)
    points = files.points()
    if points:
        tracker.log(files.run, points)
    for member in files.children():
        _track(member, tracker)
    tracker.end(files.run, files.ending())
    tracker.flush()
