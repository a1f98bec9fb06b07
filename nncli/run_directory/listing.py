"""`nncli runs`: list the run directories in a folder with their status and score.

Only manifest.json and metrics.json are read, as JSON and without importing NumPy: listing a thousand runs is fast.
Damage to other files is not detected here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

from nncli.base.errors import Advice, Location, RunCommand, RunError, UseOption
from nncli.base.regular_files import read_regular
from nncli.run_directory.filenames import (
    CONFIG,
    CROSS_VALIDATION,
    FOLDS,
    MANIFEST,
    METRICS,
    MODEL,
    SEARCH,
    Status,
    checksum,
    is_locked,
)

RunStatus = Literal["done", "stopped", "failed", "running", "killed", "damaged", "pruned"]
RunKind = Literal["network", "ensemble", "cross-validation", "search"]
Json: TypeAlias = dict[str, Any]
T = TypeVar("T")

MAX_BYTES = 1 << 26
"""Size limit of the files that are read; the scores of a thousand classes are far smaller."""
MAIN_METRICS = (
    "cost_per_row",
    "rank_mae",
    "balanced_accuracy",
    "accuracy",
    "micro_f1",
    "rmse",
    "relative_loss",
    "concordance",
)
"""The first of these among the scores of a run is its main one; if a class is rare, balanced_accuracy comes first."""
TRIALS, TRIALS_TABLE = "trials", "trials.csv"
"""The folder of the trials of a search, and their table, whose third column is the metric."""
STATES: dict[str, RunStatus] = {"complete": "done", "pruned": "pruned", "failed": "failed"}
"""The states of finished trials."""
MAX_DEPTH = 2
"""Levels of folders that are searched."""


@dataclass(frozen=True)
class RunInfo:
    """A run directory by its manifest and its scores. None is unknown.

    A run is `killed` if its manifest says that it is running and no process holds its lock. `value` is the `metric` on
    validation rows: accuracy, balanced_accuracy if a class is rare, rmse, the mean r2 of several numbers alike, or the
    relative_loss of several targets; by a saved decision, which may have costs, the cost per row. `started`
    is ISO 8601 in UTC, `seconds` the training time, and `rows` the number of training rows, or that of all folds of a
    finished cross-validation. The score of a finished search is that of its best trial, `trials` the number of its
    trials. A trial has the state and the score that its `search` gave it. `error` says what is damaged.
    """

    path: Path
    kind: RunKind
    status: RunStatus
    metric: str | None = None
    value: float | None = None
    rows: int | None = None
    members: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    started: str | None = None
    seconds: float | None = None
    trials: int | None = None
    search: Path | None = None
    error: str | None = None

    def json(self) -> Json:
        """The fields as a JSON object."""
        return {**asdict(self), "path": str(self.path), "search": None if self.search is None else str(self.search)}

    @property
    def is_chosen(self) -> bool:
        """Whether its values were chosen by the scores of other trials; trial 0 is the configuration itself."""
        return self.search is not None and self.path.name.strip("0") != ""


def runs(folder: str | Path = "runs") -> tuple[RunInfo, ...]:
    """List the runs in a folder and its subfolders by start time; damaged ones come first.

    A cross-validation, an ensemble or a search is one run; its folds, members or trials are not listed, but those of
    a search are in its folder `trials`. The folder may itself be a run.

    Raises:
        RunError: there is no such folder, or it cannot be read.
    """
    folder = Path(folder)
    try:
        if not folder.is_dir():
            raise RunError(
                "the folder does not exist",
                location=Location(source=str(folder)),
                hint="`nncli train` creates the folder runs. For another one: nncli runs FOLDER",
            )
        listed = [info_of(path) for path in _find_runs(folder, MAX_DEPTH)]
    except OSError as error:
        raise RunError(
            f"the folder cannot be read: {error.strerror or error}",
            location=Location(source=str(error.filename or folder)),
        ) from error
    return tuple(sorted(listed, key=lambda run: (run.started or "", str(run.path))))


def is_run(folder: Path) -> bool:
    """Whether a folder is a run, a cross-validation or a search, or the remains of one."""
    exists = [(folder / name).is_file() for name in (MANIFEST, CONFIG, MODEL, CROSS_VALIDATION, SEARCH)]
    manifest, config, model, *records = exists
    return any(records) or (config and (manifest or model))


def _find_runs(folder: Path, depth: int) -> Iterator[Path]:
    if is_run(folder):
        yield folder
    elif depth:
        for inner in sorted(folder.iterdir()):
            if not inner.name.startswith(".") and inner.is_dir():
                try:
                    yield from _find_runs(inner, depth - 1)
                except PermissionError:  # of another user
                    continue


def info_of(path: Path) -> RunInfo:
    """The information on the run, cross-validation or search at `path`."""
    kind: RunKind = "network"
    try:
        if (path / SEARCH).is_file():
            kind = "search"
            return _search(path)
        if (path / CROSS_VALIDATION).is_file():
            kind = "cross-validation"
            return _as_trial(_cross_validation(path))
        return _as_trial(_run(path))
    except _DamageError as error:
        return RunInfo(path, kind, "damaged", error=str(error))


class _DamageError(Exception):
    """A file is not as nncli wrote it."""


def _run(path: Path) -> RunInfo:
    manifest = _object(MANIFEST, _bytes(path, MANIFEST))
    if manifest.get("checksum") not in (None, checksum(manifest)):
        raise _DamageError(f"{MANIFEST} is damaged: its checksum does not match its content")
    status, members, files = manifest.get("status"), manifest.get("members", 1), manifest.get("files")
    if status not in get_args(Status) or not isinstance(files, dict):
        raise _DamageError(f"{MANIFEST} is damaged: it is not a manifest")
    ended: RunStatus = "killed" if status == "running" and not is_locked(path) else cast("Status", status)
    metric = value = None
    if METRICS in files and ended in ("done", "stopped"):
        content = _bytes(path, METRICS)
        if hashlib.sha256(content).hexdigest() != files[METRICS]:
            raise _DamageError(f"{METRICS} is damaged: its checksum does not match that in {MANIFEST}")
        metric, value = _main_score(_object(METRICS, content).get("validation"))
        if isinstance(decided := manifest.get("decided"), dict):
            metric, value = _value(decided, "metric", str), _number(decided.get("value"))
    return RunInfo(
        path=path,
        kind="ensemble" if members != 1 else "network",
        status=ended,
        metric=metric,
        value=value,
        rows=_value(manifest, "training_rows", int),
        members=members if isinstance(members, int) else None,
        epochs=_value(manifest, "epochs", int),
        best_epoch=_value(manifest, "best_epoch", int),
        started=_value(manifest, "started", str),
        seconds=_number(manifest.get("seconds")),
    )


def _cross_validation(path: Path) -> RunInfo:
    record = _object(CROSS_VALIDATION, _bytes(path, CROSS_VALIDATION))
    done = (path / METRICS).is_file()
    metric = value = rows = None
    if done:
        out_of_fold = _object(METRICS, _bytes(path, METRICS)).get("out_of_fold")
        metric, value = _main_score(out_of_fold)
        rows = _value(out_of_fold, "rows", int) if isinstance(out_of_fold, dict) else None
    return RunInfo(
        path=path,
        kind="cross-validation",
        status="done" if done else "running" if is_locked(path) else "stopped",
        metric=metric,
        value=value,
        rows=rows,
        epochs=_value(record, "epochs", int),
        started=_started(path / FOLDS / "1"),
    )


def _search(path: Path) -> RunInfo:
    """A search; its score is known once it has ended, if it did not go on since."""
    folder = path / TRIALS
    records = sorted(folder.glob("*.json")) if folder.is_dir() else []
    result = _object(METRICS, _bytes(path, METRICS)) if (path / METRICS).is_file() else {}
    done = _value(result, "trials", int) == len(records) > 0
    first = folder / "0000"
    return RunInfo(
        path=path,
        kind="search",
        status="running" if is_locked(path) else "done" if done else "stopped",
        metric=_value(result, "metric", str) if done else None,
        value=_number(result.get("best_score")) if done else None,
        started=_started(first if (first / MANIFEST).is_file() else first / FOLDS / "1"),
        trials=len(records),
    )


def _started(path: Path) -> str | None:
    """When a fold or a trial started; None if it has not."""
    with suppress(_DamageError):
        return _value(_object(MANIFEST, _bytes(path, MANIFEST)), "started", str)
    return None


def _as_trial(info: RunInfo) -> RunInfo:
    """A run with the state and the score of the trial that it is, if a search made it."""
    folder = info.path.absolute().parent
    record = folder / f"{info.path.name}.json"
    if folder.name != TRIALS or not (folder.parent / SEARCH).is_file() or not record.is_file():
        return info
    trial, search = _object(record.name, _bytes(folder, record.name)), info.path.parent.parent
    status = STATES.get(str(trial.get("state")))
    if status is None:
        return replace(info, status="running" if is_locked(search) else "stopped", search=search)
    with suppress(OSError, UnicodeError):
        table = read_regular(folder.parent / TRIALS_TABLE, MAX_BYTES)
        titles = table.partition(b"\n")[0].decode().split(",")
        metric = titles[2] if len(titles) > 2 else info.metric
        return replace(info, status=status, metric=metric, value=_number(trial.get("score")), search=search)
    return replace(info, status=status, search=search)


def notes_on_choice(runs: Sequence[RunInfo]) -> list[str]:
    """A note if some of the runs are trials of a search, which were chosen by the rows that all are compared on."""
    chosen = [run for run in runs if run.is_chosen]
    if not chosen:
        return []
    names = ", ".join(run.path.name for run in chosen)
    return [
        Advice(
            f"{names}: a search chose its trials by the scores of these rows, so that their differences and tests are "
            "too good; corrected for the choice: ",
            *(RunCommand("show", (str(chosen[0].search),)), "; on new rows: "),
            UseOption("data", "data", placeholder="TABLE"),
        )
    ]


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return read_regular(folder / name, MAX_BYTES)
    except OSError as error:
        raise _DamageError(f"{name} cannot be read: {error.strerror or error}") from error


def _object(name: str, content: bytes) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _DamageError(f"{name} is damaged: it is not a JSON object")
    return document


def _main_score(card: object) -> tuple[str | None, float | None]:
    """The name and the value of the main metric of a score card."""
    scores = card.get("metrics") if isinstance(card, dict) else None
    if not isinstance(scores, dict):
        return None, None
    targets = scores.get("targets")
    if isinstance(targets, dict):
        scores_r2 = [_number(score.get("r2")) for score in targets.values() if isinstance(score, dict)]
        defined = [value for value in scores_r2 if value is not None]
        return "mean r2", sum(defined) / len(defined) if defined and len(defined) == len(scores_r2) else None
    # The first one in the file, which begins with balanced_accuracy if a class is rare.
    return next(((name, _number(scores[name])) for name in scores if name in MAIN_METRICS), (None, None))


def _value(document: Json, key: str, kind: type[T]) -> T | None:
    """The value of a key, None if it has another type; True is no number."""
    value = document.get(key)
    return value if type(value) is kind else None


def _number(value: object) -> float | None:
    is_finite = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_finite and isinstance(value, int | float) else None
