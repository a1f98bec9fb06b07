"""Summaries of a run and of a cross-validation: what their files describe, scores and predictions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.base.errors import Location, NncliError, RunError
from nncli.config.schema import Config
from nncli.fitting.prepare.validation import monitor_name
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import read_record, resume_command
from nncli.run_directory.history_and_metrics import History, RecordedMetrics, read_history, read_metrics, verify_records
from nncli.run_directory.loader import LARGEST_TEXT, read_json, read_manifest, read_verified
from nncli.run_directory.manifest import CONFIG, HISTORY, METRICS, Manifest
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import decided_metrics, read_decision

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
        """The result of `read`, or None and a problem; a file that was changed is an error."""
        try:
            return read()
        except NncliError as error:
            if isinstance(error, RunError) and error.is_changed_file:
                raise
            place = f"{error.location}: " if error.location else ""
            self.problems.append(f"{what} is not available. {place}{error.message}. {error.hint or ''}".strip())
            return None


def summarize_run(path: Path, predict: Callable[[Path], HeldOutPredictions] = predict_held_out) -> RunSummary:
    """Read the run at `path`, and predict the rows that it is scored on.

    Raises:
        RunError: it is not a run directory, or one of its files was changed.
    """
    run, reader = Run.open(path), _Reader()
    manifest = run.load_manifest()
    verify_records(path, manifest)
    config = reader.of("The configuration", partial(read_verified, path, CONFIG, manifest, LARGEST_TEXT))
    metrics = None
    if METRICS in manifest.files:
        metrics = reader.of("The list of recorded scores", partial(read_metrics, path, manifest))
    held_out = reader.of("What depends on the single rows", partial(predict, path))
    decision = reader.of("The saved decision", partial(read_decision, run)) if held_out is None else None
    if decision is not None and metrics is not None:
        metrics = (
            reader.of("The score by the saved decision", partial(decided_metrics, run, metrics, decision)) or metrics
        )
    single, histories = manifest.members == 1, []
    for i, member in enumerate([""] if single else manifest.member_folders):
        folder = path / member
        if not (folder / HISTORY).exists() and not (single and HISTORY in manifest.files):
            continue  # not written yet
        what = "The training history" if single else f"The training history of network {i + 1}"
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


Metrics = dict[str, float | None]


@dataclass(frozen=True)
class ScoredFold:
    """The scores of one fold by the network or ensemble that was not trained on it."""

    repeat: int
    fold: int
    rows: int
    metrics: Metrics


@dataclass(frozen=True)
class CrossValidationSummary:
    """The scores of a cross-validation; empty if it is not finished. `rows` is the number of out-of-fold rows."""

    path: Path
    config: Config
    folds: int
    repeats: int
    scored: tuple[ScoredFold, ...]
    mean: Metrics
    standard_deviation: Metrics
    out_of_fold: Metrics
    rows: int

    @property
    def is_done(self) -> bool:
        """Whether all folds are scored."""
        return bool(self.scored)

    @property
    def resume(self) -> str:
        """The command that continues it."""
        return resume_command(self.path)

    def facts(self) -> list[tuple[str, str]]:
        """What it is, as pairs of a name and a text."""
        repeats = f", repeated {self.repeats:,} times" if self.repeats > 1 else ""
        members = f", each an ensemble of {self.config.n_members:,} networks" if self.config.is_ensemble else ""
        return [
            ("cross-validation", str(self.path)),
            ("status", "done" if self.is_done else "not finished"),
            ("folds", f"{self.folds:,}{repeats}{members}"),
            ("data", self.config.data.title),
            ("target", ", ".join(self.config.data.target)),
            ("rows", f"{self.rows:,} out-of-fold" if self.is_done else ""),
        ]

    def json(self) -> dict[str, Any]:
        """The scores as a JSON object."""
        return {
            "path": str(self.path),
            "kind": "cross-validation",
            "status": "done" if self.is_done else "stopped",
            "data": self.config.data.title,
            "target": list(self.config.data.target),
            "folds": self.folds,
            "repeats": self.repeats,
            "scores": [asdict(fold) for fold in self.scored],
            "mean": self.mean,
            "std": self.standard_deviation,
            "out_of_fold": {"rows": self.rows, "metrics": self.out_of_fold},
        }


def summarize_cross_validation(path: Path) -> CrossValidationSummary:
    """Read the cross-validation at `path`.

    Raises:
        RunError: one of its files is damaged.
    """
    try:
        record = read_record(path)
        document = read_json(path, METRICS) if os.path.lexists(path / METRICS) else {}
        out_of_fold = document.get("out_of_fold", {})
        return CrossValidationSummary(
            path=path,
            config=read_config(path),
            folds=record.folds,
            repeats=record.repeats,
            scored=tuple(
                ScoredFold(int(fold["repeat"]), int(fold["fold"]), int(fold["rows"]), _numbers(fold["metrics"]))
                for fold in document.get("folds", [])
            ),
            mean=_numbers(document.get("mean", {})),
            standard_deviation=_numbers(document.get("std", {})),
            out_of_fold=_numbers(out_of_fold.get("metrics", {})),
            rows=int(out_of_fold.get("rows", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            "the cross-validation is damaged, or was written by a newer nncli", location=Location(source=str(path))
        ) from error


def _numbers(metrics: dict[str, Any]) -> Metrics:
    """The metrics that are a single number, or undefined; those of several targets by `name_TARGET`."""
    if isinstance(targets := metrics.get("targets"), dict):
        return {f"{name}_{target}": value for target, of in targets.items() for name, value in _numbers(of).items()}
    return {name: value for name, value in metrics.items() if value is None or isinstance(value, int | float)}
