"""A summary of a run: manifest, configuration, histories, scores and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.base.errors import NncliError
from nncli.fitting.prepare.validation import monitor_name
from nncli.runs.history import History, RecordedMetrics, read_history, read_metrics
from nncli.runs.loader import LARGEST_TEXT, read_manifest, read_verified
from nncli.runs.manifest import CONFIG, HISTORY, METRICS, Manifest
from nncli.runs.run import Run
from nncli.runs.saved_decision import read_decision

T = TypeVar("T")


@dataclass(frozen=True)
class RunSummary:
    """The readable parts of a run.

    `histories` are those of the members, numbered from 1, or of the one network; `problems` say what is missing, and
    why.
    """

    path: Path
    manifest: Manifest
    config: str | None
    histories: tuple[tuple[int, History], ...]
    metrics: RecordedMetrics | None
    held_out: HeldOutPredictions | None
    problems: tuple[str, ...]

    @property
    def monitor(self) -> str | None:
        """The value that chooses the best epoch: loss, val_loss, or val_ and a metric; None if it is unknown."""
        if self.held_out is None:
            return None
        kind, has_validation = type(self.held_out.predictions.target), self.held_out.split == "validation"
        return monitor_name(self.held_out.config, kind, has_validation=has_validation)


@dataclass
class _Reader:
    problems: list[str] = field(default_factory=list)

    def of(self, what: str, read: Callable[[], T]) -> T | None:
        """The result of `read`, or None and a problem."""
        try:
            return read()
        except NncliError as error:
            place = f"{error.location}: " if error.location else ""
            self.problems.append(f"{what} is not available. {place}{error.message}. {error.hint or ''}".strip())
            return None


def summarize_run(path: Path, predict: Callable[[Path], HeldOutPredictions] = predict_held_out) -> RunSummary:
    """Read the run at `path`, and predict the rows that it is scored on.

    Raises:
        RunError: it is not a run directory, or its manifest is damaged.
    """
    run, reader = Run.open(path), _Reader()
    manifest = run.load_manifest()
    config = reader.of("The configuration", partial(read_verified, path, CONFIG, manifest, LARGEST_TEXT))
    metrics = None
    if METRICS in manifest.files:
        metrics = reader.of("The list of recorded scores", partial(read_metrics, path, manifest))
    held_out = reader.of("What depends on the single rows", partial(predict, path))
    decision = reader.of("The saved decision", partial(read_decision, run)) if held_out is None else None
    if decision is not None and metrics is not None:
        reader.problems.append("The recorded scores are of the most probable class, not of the saved decision.")
    single, histories = manifest.members == 1, []
    for i, member in enumerate([""] if single else manifest.member_folders):
        folder = path / member
        if not (folder / HISTORY).exists() and not (single and HISTORY in manifest.files):
            continue  # not written yet
        what = "The training history" if single else f"The training history of member {i + 1}"
        history = reader.of(what, partial(_history, folder))
        if history is not None and history.reports:
            histories.append((i + 1, history))
    return RunSummary(
        path=path,
        manifest=manifest,
        config=None if config is None else config.decode("utf-8", "replace"),
        histories=tuple(histories),
        metrics=metrics,
        held_out=held_out,
        problems=tuple(reader.problems),
    )


def _history(folder: Path) -> History:
    return read_history(folder, read_manifest(folder))
