"""Runs, points and scores for trackers, read from the files of a run directory, an ensemble or a cross-validation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nncli.base.errors import Advice, Location, RunError
from nncli.base.findings import Finding
from nncli.base.spec import non_defaults
from nncli.base.text import numbered_name
from nncli.config.schema import Config
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import read_record, resuming
from nncli.run_directory.filenames import CONFIG, FOLDS, HISTORY, MANIFEST, MEMBERS, METRICS
from nncli.run_directory.history_and_metrics import (
    History,
    RecordedMetrics,
    as_recorded,
    read_health,
    read_history,
    read_metrics,
)
from nncli.run_directory.loader import read_json
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.run import Run
from nncli.targets.metrics.registry import is_better
from nncli.tracking.tracker import Ending, LoggedValue, Outcome, Point, TrackedRun, Tracker, TrackerChoice, run_key
from nncli.tracking.tracker_thread import DEFAULT_TIMEOUTS, CloseTimeouts, TrackerThreads

ALWAYS = ("layers", "loss", "optimizer", "learning_rate", "batch_size", "epochs", "members", "seed")
"""Keys of a configuration that are parameters also at their defaults, so that runs can be compared by them."""
NEVER = frozenset({"output", "checkpoint", "memory_limit", "workers", "threads"})
"""Keys that say nothing of the model."""
MAX_TEXT = 500
"""Characters of a parameter."""
NOT_IN_NAMES = re.compile(r"[^-.\w]")
"""Characters that not every tracker allows in the names of metrics and parameters."""
MAX_NAME = 240
"""Characters of a name, which MLflow limits to 250."""


def parameters(config: Config) -> tuple[tuple[str, LoggedValue], ...]:
    """The keys of a configuration that differ from their defaults, and those of `ALWAYS`, in the order of the schema.

    Keys of a section follow its name and a dot. Lists and deeper sections are JSON.

    >>> from nncli.config.loading import load_config
    >>> dict(parameters(load_config("configs/penguins.yaml")))["optimizer.momentum"]
    0.9
    """
    changed = non_defaults(config)
    keys = [key for key in Config.model_fields if key not in NEVER and (key in changed or key in ALWAYS)]
    pairs = [pair for key in keys for pair in _flat(key, non_defaults(getattr(config, key)))]
    names = tracker_names((key,) for key, _ in pairs)
    return tuple((names[key,], value) for key, value in pairs)


def _flat(key: str, value: object) -> Iterator[tuple[str, LoggedValue]]:
    if isinstance(value, dict) and value:
        for inner, item in value.items():
            yield f"{key}.{inner}", parameter_value(item)
    elif value is not None:
        yield key, parameter_value(value)


def parameter_value(value: object) -> LoggedValue:
    """A value of a configuration as that of a parameter: lists and sections are JSON, and long texts are cut."""
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def tracker_name(*parts: str) -> str:
    """The name of a metric or parameter: parts joined by slashes, with the letters that every tracker allows.

    >>> tracker_name("validation", "price in €", "rmse")
    'validation/price_in__/rmse'
    """
    cleaned = [NOT_IN_NAMES.sub("_", part) for part in parts]
    name = "/".join(part if part.strip(".") else "_" * max(1, len(part)) for part in cleaned)
    return name[:MAX_NAME]


def tracker_names(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The name of each metric or parameter for trackers; of those that would be equal the second one ends with _2.

    >>> tracker_names([("layers.*.units",), ("layers._.units",)])
    {('layers.*.units',): 'layers._.units', ('layers._.units',): 'layers._.units_2'}
    """
    result: dict[tuple[str, ...], str] = {}
    used: set[str] = set()
    for parts in dict.fromkeys(names):
        result[parts] = numbered_name(tracker_name(*parts), used)
        used.add(result[parts])
    return result


def epoch_points(report: EpochReport, metric: str | None, time: float) -> tuple[Point, ...]:
    """The points of one epoch: loss, penalty if there is one, val_loss, val_METRIC and learning_rate."""
    values = {
        "loss": report.loss,
        "penalty": report.penalty or None,
        "val_loss": report.val_loss,
        f"val_{metric}": report.metric,
        "learning_rate": report.learning_rate,
    }
    return tuple(
        Point(tracker_name(name), report.epoch, value, time) for name, value in values.items() if value is not None
    )


def health_points(health: Health, time: float) -> Iterator[Point]:
    """The points of a moment of a training as in health.csv: the norms and fractions, and distributions of layers."""
    values: dict[tuple[str, ...], Any] = {
        ("health", name): getattr(health, name) for name in ("gradient_norm", "gradient_noise", "clipped")
    }
    for layer in health.layers:
        values |= {("health", layer.name, name): value for name, value in asdict(layer).items() if name != "name"}
    for parts, value in values.items():
        if isinstance(value, float):
            yield Point(tracker_name(*parts), health.epoch, as_recorded(value), time)
        elif value:
            quantiles = tuple(map(as_recorded, value))
            name = tracker_name(*parts).removesuffix("_quantiles")
            yield Point(name, health.epoch, quantiles[len(quantiles) // 2], time, quantiles)


def score_points(metrics: RecordedMetrics, rows: str, best_epoch: int, step: int, time: float) -> tuple[Point, ...]:
    """The final scores as points after the last epoch; `rows` names the held-out ones: validation or out_of_fold."""
    scored = [
        ((*before, *(() if score.target is None else (score.target,)), score.name), getattr(score, value))
        for scores, before, value in (
            (metrics.validation, (rows,), "value"),
            (metrics.training, ("training",), "value"),
            (metrics.validation, ("baseline", rows), "baseline"),
        )
        for score in (() if scores is None else scores.scores)
    ]
    values: dict[tuple[str, ...], float] = {parts: value for parts, value in scored if value is not None}
    if best_epoch:
        values["best_epoch",] = float(best_epoch)
    return named_points(values, step, time)


def named_points(values: Mapping[tuple[str, ...], float], step: int, time: float) -> tuple[Point, ...]:
    """The points of values, of which the keys are the parts of the names."""
    names = tracker_names(values)
    return tuple(Point(names[parts], step, value, time) for parts, value in values.items())


def json_scores(scores: Mapping[str, Any], *before: str) -> dict[tuple[str, ...], float]:
    """The scores of a JSON object that are numbers, those of several targets included, by the parts of their names."""
    values = {
        (*before, name): float(value)
        for name, value in scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for target, inner in scores.get("targets", {}).items():
        values.update(json_scores(inner, *before, target))
    return values


@dataclass(frozen=True)
class RunFiles:
    """A run directory: its manifest, and the run that it is to trackers."""

    path: Path
    manifest: Manifest
    run: TrackedRun

    @classmethod
    def read(cls, path: Path, parent: TrackedRun | None = None) -> RunFiles:
        """Read the description of a run, which may be in training.

        Raises:
            RunError: it is no run directory, or damaged.
        """
        manifest = Run.open(path).load_manifest()
        name = path.absolute().name
        config = read_config(path)
        tags = {
            "nncli.version": manifest.nncli_version,
            "nncli.data.sha256": manifest.data.sha256 or "",
            "nncli.data.rows": str(manifest.data.rows),
            "nncli.training_rows": str(manifest.training_rows),
            "nncli.validation_rows": str(manifest.validation_rows),
        }
        identity = (manifest.fingerprint, manifest.data.sha256 or "", manifest.started, name)
        run = TrackedRun(
            key=run_key(*identity),
            name=name,
            started=_timestamp(manifest.started),
            parameters=parameters(config),
            tags=tuple((key, value) for key, value in tags.items() if value),
        )
        return cls(path, manifest, run if parent is None else child(run, parent, path))

    def history(self) -> History:
        """The epochs, which are recorded once a network's training has ended; none of an ensemble.

        Raises:
            RunError: the file is damaged.
        """
        return read_history(self.path, self.manifest) if HISTORY in self.manifest.files else History(None, ())

    def health(self) -> tuple[Health, ...]:
        """The measurements of the health of the training; RunError if the file is damaged."""
        return read_health(self.path, self.manifest)

    def children(self) -> Iterator[RunFiles]:
        """The members of an ensemble whose training has ended, in order; RunError if one is damaged.

        The networks of averaged cycles, which follow them, are theirs at another epoch: they have the same history.
        """
        if self.manifest.members > 1:
            trained = self.manifest.members if self.manifest.selection else read_config(self.path).n_members
            members = _children(self.path / MEMBERS, self.run)
            yield from (member for member in members if int(member.path.name) <= trained)

    def ending(self, outcome: Outcome | None = None) -> Ending:
        """The end of the run, with another outcome than that of the manifest if one is given.

        Raises:
            RunError: a file is damaged.
        """
        manifest = self.manifest
        scores: tuple[Point, ...] = ()
        time = _timestamp(manifest.finished) if manifest.finished else self.run.started
        if METRICS in manifest.files:
            rows = "out_of_fold" if manifest.held_out_kind == "out-of-fold" else "validation"
            metrics = read_metrics(self.path, manifest)
            scores = score_points(metrics, rows, manifest.best_epoch, manifest.epochs, time)
        recorded: Outcome = "stopped" if manifest.status == "running" else manifest.status
        return Ending(outcome or recorded, time, scores, _files(self.path) if self.run.parent is None else ())


def read_cross_validation(path: Path) -> tuple[TrackedRun, list[RunFiles], Ending]:
    """A cross-validation, its folds whose training has ended, and its end.

    Raises:
        RunError: a file is missing or damaged.
    """
    record = read_record(path)
    name, config = path.absolute().name, read_config(path)
    folds = [RunFiles.read(folder) for folder in _folders(path / FOLDS)]
    started = min((fold.manifest.started for fold in folds), default="")
    if not started:
        hint = Advice("To resume: ", resuming(path))
        raise RunError("no fold is trained yet", location=Location(source=str(path)), hint=hint)
    run = TrackedRun(
        key=run_key(record.fingerprint, record.data_sha256, started, name),
        name=name,
        started=_timestamp(started),
        parameters=(*parameters(config), ("folds", record.folds), ("repeats", record.repeats)),
        tags=(("nncli.version", folds[0].manifest.nncli_version), ("nncli.data.sha256", record.data_sha256)),
    )
    time = max(_timestamp(fold.manifest.finished or fold.manifest.started) for fold in folds)
    if not (path / METRICS).is_file():
        return run, list(_children(path / FOLDS, run)), Ending("stopped", time, (), _files(path))
    metrics = read_json(path, METRICS)
    values = {
        **json_scores(metrics.get("out_of_fold", {}).get("metrics", {}), "out_of_fold"),
        **json_scores(metrics.get("mean", {}), "mean"),
        **json_scores(metrics.get("std", {}), "std"),
    }
    scores = named_points(values, len(folds), time)
    return run, list(_children(path / FOLDS, run)), Ending("done", time, scores, _files(path))


def child(run: TrackedRun, parent: TrackedRun, path: Path) -> TrackedRun:
    """The run of a member or fold, whose name and key are those of its parent with its folder."""
    inside = f"{path.parent.name}/{path.name}"
    return replace(run, key=f"{parent.key}/{inside}", name=f"{parent.name}/{inside}", parent=parent)


def _children(folder: Path, parent: TrackedRun) -> Iterator[RunFiles]:
    for path in _folders(folder):
        files = RunFiles.read(path, parent)
        if files.manifest.status != "running":
            yield files


def _folders(folder: Path) -> list[Path]:
    """The run directories 1, 2 … in a folder."""
    there = [path for path in folder.glob("*") if path.name.isdigit() and (path / MANIFEST).is_file()]
    return sorted(there, key=lambda path: int(path.name))


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(path / name for name in (CONFIG, METRICS) if (path / name).is_file())


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


TrialState: TypeAlias = Literal["complete", "pruned", "failed"]
TRIALS = "trials"


@dataclass(frozen=True)
class TrackedSearch:
    """A search: its run, and the metric by which trials are compared.

    The run's key must be the same when the search is resumed, such as a digest of what `tune.json` records; its
    parameters are the keys of the configuration that all trials share.
    """

    run: TrackedRun
    metric: str


@dataclass(frozen=True)
class TrackedTrial:
    """A finished trial: the values that it was trained with, and its score, None if it has none.

    `started` and `ended` are in seconds since 1970. Only complete trials can be the best one.
    """

    number: int
    values: tuple[tuple[str, LoggedValue], ...]
    state: TrialState
    score: float | None
    started: float
    ended: float


class SearchTracking:
    """Writes a search to trackers, each on a thread of its own: it neither ends nor slows the search."""

    def __init__(self, choices: Sequence[TrackerChoice], path: Path, search: TrackedSearch) -> None:
        def receiver(tracker: Tracker) -> _SearchWriter:
            return _SearchWriter(tracker, search)

        self._threads: TrackerThreads[TrackedTrial | _End] = TrackerThreads(choices, path, receiver)

    def add(self, *trials: TrackedTrial) -> None:
        """Hand over finished trials, those of a resumed search all at once; this does not wait."""
        self._threads.put(*trials)

    def failures(self) -> tuple[Finding, ...]:
        """A warning for every tracker that has failed since the last call."""
        return self._threads.new_warnings()

    def end(
        self, outcome: Outcome, files: tuple[Path, ...] = (), timeouts: CloseTimeouts = DEFAULT_TIMEOUTS
    ) -> tuple[Finding, ...]:
        """End the run of the search, with files such as trials.csv, and wait for the trackers for a bounded time."""
        self._threads.put(_End(outcome, files))
        self._threads.close(timeouts)
        return self.failures()


def track_search(
    search: TrackedSearch,
    trials: Iterable[TrackedTrial],
    outcome: Outcome,
    tracker: Tracker,
    files: tuple[Path, ...] = (),
) -> None:
    """Write a search that has ended to a tracker; raises whatever the tracker raises."""
    writer = _SearchWriter(tracker, search)
    for trial in trials:
        writer.receive(trial)
    writer.receive(_End(outcome, files))
    writer.flush()


@dataclass(frozen=True)
class _End:
    outcome: Outcome
    files: tuple[Path, ...]


@dataclass
class _SearchWriter:
    """Calls a tracker for the trials of a search."""

    tracker: Tracker
    search: TrackedSearch
    best: TrackedTrial | None = None
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.search.run.started
        self.tracker.start(self.search.run)

    def receive(self, item: TrackedTrial | _End) -> None:
        """Write a trial, or the end of the search."""
        if isinstance(item, _End):
            self._end(item)
            return
        trial, name, run = item, tracker_name(self.search.metric), self._run_of(item)
        self.last = max(self.last, trial.ended)
        self.tracker.start(run)
        scores = () if trial.score is None else (Point(name, trial.number, trial.score, trial.ended),)
        self.tracker.end(run, Ending("failed" if trial.state == "failed" else "done", trial.ended, scores))
        if self._is_best(trial):
            self.best = trial
        # The score of a pruned trial is that of fewer folds: it is not compared with the others.
        points = list(scores) if trial.state == "complete" else []
        if self.best is not None and self.best.score is not None:
            points.append(Point(tracker_name(f"best_{self.search.metric}"), trial.number, self.best.score, trial.ended))
        if points:
            self.tracker.log(self.search.run, points)

    def flush(self) -> None:
        """Let what was written be seen."""
        self.tracker.flush()

    def close(self) -> None:
        """Close the tracker."""
        self.tracker.close()

    def _run_of(self, trial: TrackedTrial) -> TrackedRun:
        parent, inside = self.search.run, f"{TRIALS}/{trial.number:04}"
        return TrackedRun(
            key=f"{parent.key}/{inside}",
            name=f"{parent.name}/{inside}",
            started=trial.started,
            parameters=(*trial.values, ("trial.state", trial.state)),
            tags=(("nncli.trial", str(trial.number)), ("nncli.trial.state", trial.state)),
            parent=parent,
        )

    def _is_best(self, trial: TrackedTrial) -> bool:
        if trial.state != "complete" or trial.score is None:
            return False
        return is_better(self.search.metric, trial.score, None if self.best is None else self.best.score)

    def _end(self, end: _End) -> None:
        scores: tuple[Point, ...] = ()
        if self.best is not None and self.best.score is not None:
            number = self.best.number
            scores = (Point("best_trial", number, float(number), self.last),)
        self.tracker.end(self.search.run, Ending(end.outcome, self.last, scores, end.files))
