"""Checkpoints: the whole state of a training in one file, so that it is either there or not.

A checkpoint is a safetensors file, checkpoints/STEP.safetensors: the state's vectors, and in its header, as JSON, the
rest of the state, the reports of the epochs so far, and a checksum of it all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from nncli.errors import Place, RunError
from nncli.files import write_bytes
from nncli.nn.arrays import Array
from nncli.runs.manifest import CHECKPOINTS
from nncli.training.loop import EpochReport
from nncli.training.state import Snapshot, State

GOOD = "good."


def _checksum(arrays: Mapping[str, Array], text: str) -> str:
    seen = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        seen.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        seen.update(np.ascontiguousarray(arrays[name]).data)
    return seen.hexdigest()


def save_checkpoint(run: Path, state: State, reports: Sequence[EpochReport], *, keep: int) -> None:
    """Write a checkpoint, and then remove all but the latest `keep`."""
    now, good = state.snapshot(), state.good
    arrays = dict(now.arrays)
    if good is not None:
        arrays |= {GOOD + name: array for name, array in good.arrays.items()}
    text = json.dumps(
        {"state": now.plain, "good": good.plain if good else None, "reports": [asdict(report) for report in reports]}
    )
    content = safetensors.numpy.save(arrays, {"training": text, "sha256": _checksum(arrays, text)})
    folder = run / CHECKPOINTS
    write_bytes(folder / f"{state.step:012d}.safetensors", content)
    for old in sorted(folder.glob("*.safetensors"))[:-keep]:
        with suppress(OSError):
            old.unlink()


def load_checkpoint(run: Path, state: State) -> list[EpochReport]:
    """Restore `state`, which is fresh, from the latest checkpoint that is whole, and return the reports so far.

    A run that was cut short before its first checkpoint has none: it begins anew, to the same bits.

    Raises:
        RunError: there are checkpoints, and all of them are damaged.
    """
    files = sorted((run / CHECKPOINTS).glob("*.safetensors"), reverse=True)
    for file in files:
        try:
            arrays, training = read_checkpoint(file)
            good = training["good"]
            state.restore(Snapshot({n: a for n, a in arrays.items() if not n.startswith(GOOD)}, training["state"]))
            if good is not None:
                saved = {n.removeprefix(GOOD): a for n, a in arrays.items() if n.startswith(GOOD)}
                state.good = Snapshot(saved, good)
            return [EpochReport(**report) for report in training["reports"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError):
            continue
    if files:
        raise RunError(
            "every checkpoint of this run is damaged, or of another training",
            place=Place(source=str(run / CHECKPOINTS)),
            hint="Train again from its config.yaml.",
        )
    return []


def read_checkpoint(file: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The vectors of a checkpoint, and the rest of what it says.

    Raises:
        OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError: it is damaged.
    """
    content = file.read_bytes()
    arrays = safetensors.numpy.load(content)
    size = int.from_bytes(content[:8], "little")
    noted = json.loads(content[8 : 8 + size])["__metadata__"]
    if _checksum(arrays, noted["training"]) != noted["sha256"]:
        raise ValueError("the checksum does not agree")
    return arrays, json.loads(noted["training"])
