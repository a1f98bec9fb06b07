"""A cross-validation as its folder describes it: the folds, their scores, and the out-of-fold scores."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nncli.base.errors import Location, RunError
from nncli.config.schema import Config
from nncli.runs.config import read_config
from nncli.runs.cross_validation import read_record, resume_command
from nncli.runs.filenames import METRICS
from nncli.runs.loader import LARGEST_TEXT, read_file

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
        document: dict[str, Any] = {}
        if os.path.lexists(path / METRICS):
            document = json.loads(read_file(path, METRICS, LARGEST_TEXT))
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
