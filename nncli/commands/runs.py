"""`nncli runs`: the run directories in a folder, and how each of them ended.

Only manifest.json and metrics.json are read, as plain JSON, and none of the libraries is loaded: a folder of a thousand
runs is listed in a moment. So a run is damaged here where these two files are; what reads all of it finds the rest.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from nncli.errors import Location, RunError
from nncli.runs.filenames import CONFIG, CROSS_VALIDATION, FOLDS, MANIFEST, METRICS, MODEL, Status, checksum, is_locked

RunStatus = Literal["done", "stopped", "failed", "running", "killed", "damaged"]
Kind = Literal["network", "ensemble", "cross-validation"]
Json: TypeAlias = dict[str, Any]

LARGEST = 1 << 26
"""Bytes of a file that is read: far more than the scores of a thousand classes need."""
DEPTH = 2
"""Folders within folders that are looked into."""


@dataclass(frozen=True)
class RunInfo:
    """A run directory, as far as its manifest and its scores tell.

    A run is `killed` if it says that it is running and no process holds its lock. `value` is that of the `metric` on
    validation rows: the accuracy of classes, the root mean squared error of a number, the mean r2 of several.
    `started` is ISO 8601 in UTC, `seconds` the time it trained, `rows` those that were trained on, of a
    cross-validation, once it is done, those of all folds. `trouble` says what is damaged. None is not known.
    """

    path: Path
    kind: Kind
    status: RunStatus
    metric: str | None = None
    value: float | None = None
    rows: int | None = None
    members: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    started: str | None = None
    seconds: float | None = None
    trouble: str | None = None

    def json(self) -> Json:
        """All of it."""
        return {**asdict(self), "path": str(self.path)}


def list_runs(folder: str | Path = "runs") -> tuple[RunInfo, ...]:
    """The runs in a folder and in the folders of that, the newest last; damaged ones, whose time is not known, first.

    A cross-validation is one of them, and its folds are not; neither are the members of an ensemble. A folder that is
    itself a run is the one that is listed.

    Raises:
        RunError: there is no such folder, or it cannot be read.
    """
    folder = Path(folder)
    try:
        if not folder.is_dir():
            raise RunError(
                "there is no such folder",
                place=Location(source=str(folder)),
                hint="The first `nncli train` makes the folder runs. To name another: nncli runs FOLDER",
            )
        found = [info_of(path) for path in _beneath(folder, DEPTH)]
    except OSError as error:
        raise RunError(
            f"the folder cannot be read: {error.strerror or error}",
            place=Location(source=str(error.filename or folder)),
        ) from error
    return tuple(sorted(found, key=lambda run: (run.started or "", str(run.path))))


def is_run(folder: Path) -> bool:
    """Whether there is a run, or a cross-validation, or what is left of one."""
    there = [(folder / name).is_file() for name in (MANIFEST, CONFIG, MODEL, CROSS_VALIDATION)]
    manifest, config, model, record = there
    return record or (config and (manifest or model))


def _beneath(folder: Path, depth: int) -> Iterator[Path]:
    if is_run(folder):
        yield folder
    elif depth:
        for inner in sorted(folder.iterdir()):
            if not inner.name.startswith(".") and inner.is_dir():
                try:
                    yield from _beneath(inner, depth - 1)
                except PermissionError:  # somebody else's
                    continue


def info_of(path: Path) -> RunInfo:
    """What is known of the run, or of the cross-validation, at `path`."""
    kind: Kind = "network"
    try:
        if (path / CROSS_VALIDATION).is_file():
            kind = "cross-validation"
            return _cross_validation(path)
        return _run(path)
    except _DamageError as error:
        return RunInfo(path, kind, "damaged", trouble=str(error))


class _DamageError(Exception):
    """A file is not what nncli writes."""


def _run(path: Path) -> RunInfo:
    manifest = _object(MANIFEST, _bytes(path, MANIFEST))
    if manifest.get("checksum") not in (None, checksum(manifest)):
        raise _DamageError(f"{MANIFEST} is damaged: its checksum is not that of what it says")
    status, members, files = manifest.get("status"), manifest.get("members", 1), manifest.get("files")
    if status not in get_args(Status) or not isinstance(files, dict):
        raise _DamageError(f"{MANIFEST} is damaged: it is not a manifest")
    ended: RunStatus = "killed" if status == "running" and not is_locked(path) else cast("Status", status)
    metric = value = None
    if METRICS in files and ended in ("done", "stopped"):
        content = _bytes(path, METRICS)
        if hashlib.sha256(content).hexdigest() != files[METRICS]:
            raise _DamageError(f"{METRICS} is damaged: its checksum is not that of {MANIFEST}")
        metric, value = _best(_object(METRICS, content).get("validation"))
    return RunInfo(
        path=path,
        kind="ensemble" if members != 1 else "network",
        status=ended,
        metric=metric,
        value=value,
        rows=_whole(manifest, "training_rows"),
        members=members if isinstance(members, int) else None,
        epochs=_whole(manifest, "epochs"),
        best_epoch=_whole(manifest, "best_epoch"),
        started=_text(manifest, "started"),
        seconds=_number(manifest.get("seconds")),
    )


def _cross_validation(path: Path) -> RunInfo:
    record = _object(CROSS_VALIDATION, _bytes(path, CROSS_VALIDATION))
    done = (path / METRICS).is_file()
    metric = value = rows = None
    if done:
        together = _object(METRICS, _bytes(path, METRICS)).get("out_of_fold")
        metric, value = _best(together)
        rows = _whole(together, "rows") if isinstance(together, dict) else None
    try:
        first = _object(MANIFEST, _bytes(path / FOLDS / "1", MANIFEST))
    except _DamageError:  # it has not come that far
        first = {}
    return RunInfo(
        path=path,
        kind="cross-validation",
        status="done" if done else "running" if is_locked(path) else "stopped",
        metric=metric,
        value=value,
        rows=rows,
        epochs=_whole(record, "epochs"),
        started=_text(first, "started"),
    )


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            raise _DamageError(f"{name} is no plain file of a likely size")
        return path.read_bytes()
    except OSError as error:
        raise _DamageError(f"{name} cannot be read: {error.strerror or error}") from error


def _object(name: str, content: bytes) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _DamageError(f"{name} is damaged: it holds no JSON object")
    return document


def _best(card: object) -> tuple[str | None, float | None]:
    """The metric that says the most, and its value on the rows of a card."""
    scores = card.get("metrics") if isinstance(card, dict) else None
    if not isinstance(scores, dict):
        return None, None
    targets = scores.get("targets")
    if isinstance(targets, dict):  # a column of several may itself be called so, but is then within
        shares = [_number(one.get("r2")) for one in targets.values() if isinstance(one, dict)]
        known = [share for share in shares if share is not None]
        return "mean r2", sum(known) / len(known) if known and len(known) == len(shares) else None
    return next(((name, _number(scores[name])) for name in ("accuracy", "rmse") if name in scores), (None, None))


def _whole(document: Json, key: str) -> int | None:
    value = document.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(document: Json, key: str) -> str | None:
    value = document.get(key)
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if known and isinstance(value, int | float) else None
