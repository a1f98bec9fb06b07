"""File names, checksum and lock of a run directory; imports neither NumPy nor pydantic."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from nncli.base.atomic_files import FOLDER_LOCK
from nncli.config import RECORDS

MANIFEST, SEARCH = RECORDS
"""The records of a run and of a search of hyperparameters."""
CONFIG = "config.yaml"
WEIGHTS = "model.safetensors"
MODEL = "model.json"
HISTORY = "history.csv"
HEALTH = "health.csv"
METRICS = "metrics.json"
REMEDIES = "remedies.json"
"""What `nncli diagnose --try` measured."""
HELD_OUT = "held_out.safetensors"
REFERENCE = "reference.safetensors"
VALIDATION = "validation.safetensors"
"""A file of older versions, which is not read."""
TRAINING_ROWS = "training_rows.safetensors"
TRAINING_ROWS_KEY = "training_rows.key"
"""The key of the hashes of a private run, which is not in the manifest and not shared."""
CHECKPOINTS = "checkpoints"
SNAPSHOTS = "snapshots"
MEMBERS = "members"
SCORED = "scored"
"""The folder of a network that is trained for the scores alone, without the rows that another one is trained on."""
TARGETS = "targets"
"""The folder of a run of several targets that holds a run of each."""
CONTROL_FOLDER = ".work"
"""The folder for the control files of the members' training."""
LOCK = FOLDER_LOCK
"""Of a run directory too, so that one which is not whole is known to be in creation."""

CROSS_VALIDATION = "cross-validation.json"
FOLDS = "folds"
"""The folder of a cross-validation that holds the run directories of its trainings."""


Status = Literal["running", "done", "stopped", "failed"]
LARGEST_FILE = 1 << 33
"""Bytes of any file of a run at most, where nothing says how many it has."""
LARGEST_MANIFEST = 1 << 26
"""Bytes of a manifest at most; a table of 100,000 files has some 20 MB."""


def target_folders(names: Sequence[str]) -> list[str]:
    """The folder of the run of each of several targets: its name, or its number, from 1, if it cannot be a folder's."""
    plain = [re.fullmatch(r"\w[\w.-]{0,99}", name) is not None for name in names]
    is_unique = len({name.casefold() for name in names}) == len(names)
    return [f"{TARGETS}/{name if is_unique and all(plain) else j + 1}" for j, name in enumerate(names)]


def checksum(document: dict[str, Any]) -> str:
    """The SHA-256 of a manifest's JSON document without its checksum."""
    content = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def train_command(folder: Path) -> str:
    """The command that trains a run again in another directory."""
    return f"nncli train {shlex.quote(str(folder / CONFIG))}"


def is_locked(folder: Path) -> bool:
    """Whether a training holds the lock of the directory; True also if that cannot be determined."""
    from filelock import FileLock, Timeout  # a slow import that most runs do not need

    path = folder / LOCK
    if path.is_symlink() or not path.is_file():  # links are not followed
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        return True
    lock.release()
    return False
