"""Training events as JSON lines on stdout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.base.findings import Finding
from nncli.base.text import json_safe
from nncli.cli.console import print_json
from nncli.cli.progress.search import SearchStatus
from nncli.cli.progress.training import TrainingProgress, shown_name
from nncli.fitting.train.events import (
    Event,
    Finished,
    HealthWarning,
    MembersProgress,
    MembersStarted,
    Progress,
    ScoredTraining,
    Started,
    TrackingStopped,
)
from nncli.models.scores import ScoreCard, scores_json
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport, LearningRateHalved

if TYPE_CHECKING:
    from nncli.api.tune import TuneEnded
    from nncli.tuning.selected_ensemble import SelectedEnsemble
    from nncli.tuning.trials import Trial


class JsonLines:
    """Writes each event of a training as a JSON line."""

    def __init__(self) -> None:
        self._progress: TrainingProgress | None = None

    def update(self, event: Event) -> None:
        """Write a line."""
        if isinstance(event, Started):
            self._progress = TrainingProgress(event)
        elif self._progress is not None:
            self._progress.update(event)
        write(self._object(event))

    def _object(self, event: Event) -> dict[str, Any]:
        match event:
            case Started():
                names = "run training_rows validation_rows features parameters epochs done monitor"
                return {"event": "started", **_picked(event, names), **findings_json(event.findings)}
            case EpochReport():
                progress = self._progress
                metric = progress.started.metric if progress else None
                return {
                    "event": "epoch",
                    **_picked(event, "epoch loss penalty val_loss"),
                    "metric": None if metric is None else {"name": metric, "value": event.metric},
                    "learning_rate": event.learning_rate,
                    "best": progress.best.epoch if progress and progress.best else None,
                    "seconds": event.seconds,
                }
            case Health():
                layers = [{**asdict(layer), "update_ratio": layer.update_ratio} for layer in event.layers]
                return {"event": "health", **asdict(event), "layers": layers}
            case LearningRateHalved():
                return {"event": "learning_rate_halved", **_picked(event, "epoch factor reason")}
            case ScoredTraining():
                return {"event": "scored_training", "run": str(event.run)}
            case MembersStarted():
                return {"event": "started", **_picked(event, "run members workers"), **findings_json(event.findings)}
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
            case HealthWarning():
                return {"event": "health_warning", "findings": [event.finding.as_json]}
            case Finished():
                return {
                    "event": "finished",
                    **_picked(event, "run status epochs best_epoch seconds"),
                    "training": scores_json(event.training),
                    "validation": scores_json(event.validation),
                    "findings": [finding.as_json for finding in event.findings],
                    "out_of_fold": event.out_of_fold,
                    **({"targets": dict(map(_target, event.targets.items()))} if event.targets else {}),
                }


def _target(scores: tuple[str, tuple[ScoreCard | None, ScoreCard | None]]) -> tuple[str, dict[str, Any]]:
    """The scores of one of several targets."""
    name, (training, validation) = scores
    return name, {"training": scores_json(training), "validation": scores_json(validation)}


def _picked(value: object, names: str) -> dict[str, Any]:
    """These attributes of a value, a path as text."""
    values = {name: getattr(value, name) for name in names.split()}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings as objects, and the text of the notes among them."""
    notes = [finding.line for finding in findings if finding.level == "note"]
    return {"notes": notes, "findings": [finding.as_json for finding in findings]}


def _member(member: Progress) -> dict[str, Any]:
    return {
        **_picked(member, "epoch epochs"),
        "metric": {"name": shown_name(member.metric), "value": member.value},
        "best": member.best_epoch or None,
        "done": member.done,
    }


SECONDS_BETWEEN_LINES = 10.0
"""Least time between two lines of progress."""


class SearchJsonLines:
    """Writes a JSON line for the start, each finished trial, the end, and now and then for the progress."""

    def __init__(self, status: SearchStatus) -> None:
        self._status, started = status, status.started
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES
        parameters = [parameter.name for parameter in started.space.parameters]
        write(
            {
                "event": "started",
                "search": str(started.path),
                **_picked(started, "trials folds workers"),
                "metric": {"name": started.metric, "higher_is_better": started.higher_is_better},
                "parameters": parameters,
                **findings_json(started.findings),
            }
        )

    def update(self, event: Any) -> None:
        """Write a trial that has ended, or the progress if it is due."""
        from nncli.tuning.search import SearchProgress, TrialFinished

        self._status.update(event)
        if isinstance(event, TrialFinished):
            write({"event": "trial", **self.trial(event.trial), "best": event.is_best})
        elif isinstance(event, TrackingStopped):
            write({"event": "tracking_stopped", "findings": [event.finding.as_json]})
        elif isinstance(event, SearchProgress) and time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_LINES
            status = self._status
            write(
                {
                    "event": "progress",
                    "done": status.done,
                    **status.counts,
                    "running": [{"trial": trial.number, "folds": trial.folds_done} for trial in status.running],
                    "best": None if status.best is None else status.best.number,
                    **_picked(status, "seconds seconds_left"),
                }
            )

    def trial(self, trial: Trial) -> dict[str, Any]:
        """A finished trial; a pruned one has a score of the folds that it was trained on."""
        return {
            "trial": trial.number,
            **_picked(trial, "state score"),
            "folds": list(trial.folds),
            "values": self._status.values.written(trial),
            **_picked(trial, "seconds message"),
        }

    def end(self, ended: TuneEnded) -> None:
        """Write the end: of a search that was stopped, or with its best trial."""
        result = ended.result
        if result is None:
            write({"event": "finished", "search": str(ended.path), "status": "stopped"})
            return
        saved, gain = result.time_saved, result.corrected_gain
        write(
            {
                "event": "finished",
                "search": str(ended.path),
                "status": "time limit" if result.timed_out else "all combinations" if result.exhausted else "done",
                "repeatable": not result.timed_out,
                "trials": len(result.trials) - 1,
                "best": self.trial(result.best),
                "changed": {
                    name: value
                    for name, value in self._status.values.written(result.best).items()
                    if name in self._status.values.changed(result.best)
                },
                "best_config": str(result.best_config),
                "gain": result.apparent_gain,
                "corrected_gain": None if gain is None else gain.model_dump(mode="json"),
                "seconds_saved_by_pruning": None if saved is None else saved.seconds,
            }
        )


def write_ensemble(ensemble: SelectedEnsemble) -> None:
    """Write the line of an ensemble of the best trials."""
    write(
        {
            "event": "ensemble",
            "run": str(ensemble.path),
            "picks": [{"trial": number, "picks": count} for number, count in ensemble.picks],
            **_picked(ensemble, "measure loss cross_fitted_loss best_trial best_loss is_better"),
        }
    )


def write(document: dict[str, Any]) -> None:
    """Write a line and flush it; numbers that are not finite become null."""
    print_json(json_safe(document))
