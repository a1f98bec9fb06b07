"""Everything that is known of a run, gathered once; what cannot be had is said in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from nncli.errors import NncliError
from nncli.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.runs.history import History, RecordedMetrics, read_history, read_metrics
from nncli.runs.loader import LARGEST_TEXT, read_manifest, read_verified
from nncli.runs.manifest import CONFIG, HISTORY, METRICS, Manifest, member_folder
from nncli.runs.run import Run

T = TypeVar("T")


@dataclass(frozen=True)
class RunSummary:
    """A run as far as it can be read. `histories` are those of its members, by number from 1, or that of the one
    network; `troubles` say what is not here, and why."""

    path: Path
    manifest: Manifest
    config: str | None
    histories: tuple[tuple[int, History], ...]
    metrics: RecordedMetrics | None
    judged: HeldOutPredictions | None
    problems: tuple[str, ...]


@dataclass
class _Gathering:
    troubles: list[str] = field(default_factory=list)

    def of(self, what: str, read: Callable[[], T]) -> T | None:
        """What `read` gives, or None, and a note of why it is not there."""
        try:
            return read()
        except NncliError as error:
            place = f"{error.location}: " if error.location else ""
            self.troubles.append(f"{what} cannot be shown. {place}{error.message}. {error.hint or ''}".strip())
            return None


def summarize_run(path: Path) -> RunSummary:
    """Read the run at `path`.

    Raises:
        RunError: it is no run directory, or its manifest is damaged.
    """
    run, gathering = Run.open(path), _Gathering()
    manifest = run.load_manifest()
    config = gathering.of("The configuration", partial(read_verified, path, CONFIG, manifest, LARGEST_TEXT))
    metrics = None
    if METRICS in manifest.files:
        metrics = gathering.of("The recorded scores", partial(read_metrics, path, manifest))
    judged = gathering.of("What depends on the rows", partial(predict_held_out, path))
    alone, histories = manifest.members == 1, []
    for i in range(manifest.members):
        folder = path if alone else path / member_folder(i)
        if not (folder / HISTORY).exists() and not (alone and HISTORY in manifest.files):
            continue  # it is written when a training ends
        what = "The course of the training" if alone else f"The training of member {i + 1}"
        history = gathering.of(what, partial(_history, folder))
        if history is not None and history.reports:
            histories.append((i + 1, history))
    return RunSummary(
        path=path,
        manifest=manifest,
        config=None if config is None else config.decode("utf-8", "replace"),
        histories=tuple(histories),
        metrics=metrics,
        judged=judged,
        problems=tuple(gathering.troubles),
    )


def _history(folder: Path) -> History:
    return read_history(folder, read_manifest(folder))
