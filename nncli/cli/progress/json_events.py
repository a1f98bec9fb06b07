"""Training events as JSON lines on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer

from nncli.base.findings import Finding
from nncli.base.text import json_safe
from nncli.cli.progress.training import TrainingProgress, shown_name
from nncli.fitting.train.events import (
    Event,
    Finished,
    MembersProgress,
    MembersStarted,
    Progress,
    ScoredTraining,
    Started,
    TrackingStopped,
)
from nncli.models.scores import scores_json
from nncli.nn.training.loop import EpochReport, LearningRateHalved


class JsonLines:
    """Writes each event as a JSON line."""

    def __init__(self) -> None:
        self._progress: TrainingProgress | None = None

    def write(self, event: Event) -> None:
        """Write a line and flush it; numbers that are not finite become null."""
        if isinstance(event, Started):
            self._progress = TrainingProgress(event)
        elif isinstance(event, EpochReport | LearningRateHalved) and self._progress is not None:
            self._progress.update(event)
        line = json.dumps(json_safe(self._object(event)), ensure_ascii=False, allow_nan=False)
        typer.echo(line.encode("utf-8", "backslashreplace"))  # a path may not be valid Unicode

    def _object(self, event: Event) -> dict[str, Any]:
        match event:
            case Started():
                return {
                    "event": "started",
                    "run": str(event.run),
                    "training_rows": event.training_rows,
                    "validation_rows": event.validation_rows,
                    "features": event.features,
                    "parameters": event.parameters,
                    "epochs": event.epochs,
                    "done": event.done,
                    "monitor": event.monitor,
                    **findings_json(event.findings),
                }
            case EpochReport():
                return self._epoch(event)
            case LearningRateHalved():
                return {
                    "event": "learning_rate_halved",
                    "epoch": event.epoch,
                    "factor": event.factor,
                    "reason": event.reason,
                }
            case ScoredTraining():
                return {"event": "scored_training", "run": str(event.run)}
            case MembersStarted():
                return {
                    "event": "started",
                    "run": str(event.run),
                    "members": event.members,
                    "workers": event.workers,
                    **findings_json(event.findings),
                }
            case MembersProgress():
                return {
                    "event": "members",
                    "done": event.done,
                    "epoch": event.epochs,
                    "epochs": event.epochs_of_all,
                    "members": list(map(_member, event.members)),
                }
            case TrackingStopped():
                return {"event": "tracking_stopped", "findings": [event.finding.as_json]}
            case Finished():
                return {
                    "event": "finished",
                    "run": str(event.run),
                    "status": event.status,
                    "epochs": event.epochs,
                    "best_epoch": event.best_epoch,
                    "seconds": event.seconds,
                    "training": scores_json(event.training),
                    "validation": scores_json(event.validation),
                    "findings": [finding.as_json for finding in event.findings],
                    "out_of_fold": event.out_of_fold,
                }

    def _epoch(self, report: EpochReport) -> dict[str, Any]:
        progress = self._progress
        metric = progress.started.metric if progress else None
        return {
            "event": "epoch",
            "epoch": report.epoch,
            "loss": report.loss,
            "penalty": report.penalty,
            "val_loss": report.val_loss,
            "metric": None if metric is None else {"name": metric, "value": report.metric},
            "learning_rate": report.learning_rate,
            "best": progress.best.epoch if progress and progress.best else None,
            "seconds": report.seconds,
        }


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as objects, and the text of the notes among them."""
    notes = [finding.line for finding in findings if finding.level == "note"]
    return {"notes": notes, "findings": [finding.as_json for finding in findings]}


def _member(member: Progress) -> dict[str, Any]:
    return {
        "epoch": member.epoch,
        "epochs": member.epochs,
        "metric": {"name": shown_name(member.metric), "value": member.value},
        "best": member.best_epoch or None,
        "done": member.done,
    }
