"""The names of a run directory's files, its checksum and its lock: what can be known of a run without its libraries."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

CONFIG = "config.yaml"
WEIGHTS = "model.safetensors"
MODEL = "model.json"
HISTORY = "history.csv"
METRICS = "metrics.json"
CHECKPOINTS = "checkpoints"
MANIFEST = "manifest.json"
MEMBERS = "members"
LOCK = ".lock"

CROSS_VALIDATION = "cross-validation.json"
FOLDS = "folds"
"""Of a cross-validation, whose folds are run directories."""

Status = Literal["running", "done", "stopped", "failed"]


def checksum(document: dict[str, Any]) -> str:
    """The SHA-256 of what a manifest's JSON says, its checksum apart."""
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def is_locked(folder: Path) -> bool:
    """Whether a training holds the lock of the directory; True also where that cannot be found out."""
    from filelock import FileLock, Timeout  # most runs have ended, and nobody need wait for it

    path = folder / LOCK
    if path.is_symlink() or not path.is_file():  # no training makes anything else, and a link is not followed
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        return True
    lock.release()
    return False
