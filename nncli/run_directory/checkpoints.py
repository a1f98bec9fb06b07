"""Checkpoints: the whole state of a training in one file, so that it is complete or absent.

A checkpoint is a safetensors file, checkpoints/STEP.safetensors. It holds the state's vectors; the reports of the
epochs so far as arrays; as a further array, the bytes of a JSON text with the rest of the state and the owner; and in
its header a checksum of everything. Earlier versions kept the reports in the JSON, at 200 bytes an epoch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from nncli.base.atomic_files import write_bytes
from nncli.base.errors import Location, RunError
from nncli.base.regular_files import NotRegularError, read_regular
from nncli.nn.arrays import Array
from nncli.nn.training.health import Health, LayerHealth
from nncli.nn.training.loop import EpochReport
from nncli.nn.training.state import Snapshot, TrainState
from nncli.run_directory.manifest import CHECKPOINTS

LAST_GOOD = "last_good."
TRAINING = "training"
LARGEST_TRAINING = 4 << 30
"""Bytes that are read at most besides the vectors: the reports of a hundred million epochs."""


def _checksum(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def save_checkpoint(
    run: Path,
    state: TrainState,
    reports: Sequence[EpochReport],
    *,
    owner: str,
    keep: int,
    health: Sequence[Health] = (),
) -> None:
    """Write a checkpoint of the training `owner`, and remove all but the latest `keep`.

    Checkpoints of later steps, left behind by a training that was rolled back, are removed first.
    """
    current, last_good = state.snapshot(), state.last_good
    arrays: dict[str, Array] = dict(current.arrays)
    if last_good is not None:
        arrays |= {LAST_GOOD + name: array for name, array in last_good.arrays.items()}
    document = {
        "owner": owner,
        "state": current.metadata,
        "last_good": last_good.metadata if last_good else None,
        "health": [asdict(moment) for moment in health],
    }
    arrays |= to_arrays(reports)
    arrays[TRAINING] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    folder = run / CHECKPOINTS
    latest = folder / f"{state.step:012d}.safetensors"
    write_bytes(latest, safetensors.numpy.save(arrays, {"sha256": _checksum(arrays)}), in_place=True)
    files = sorted(folder.glob("*.safetensors"))
    left_behind = [file for file in files if file > latest]
    for old in left_behind + files[: len(files) - len(left_behind)][:-keep]:
        with suppress(OSError):
            old.unlink()


def load_checkpoint(run: Path, state: TrainState, *, owner: str) -> tuple[list[EpochReport], list[Health]]:
    """Restore `state` from the latest undamaged checkpoint of the training `owner`, and return what it recorded.

    A run that was interrupted before its first checkpoint starts again, to the same bits.

    Raises:
        RunError: there are checkpoints, and all of them are damaged, or cannot be read.
    """
    refused: OSError | None = None
    files = sorted((run / CHECKPOINTS).glob("*.safetensors"), reverse=True)
    largest = 2 * sum(vector.nbytes for vector in state.vectors.values()) + LARGEST_TRAINING
    for file in files:
        try:
            arrays, training = read_checkpoint(file, largest)
            if training["owner"] != owner:
                continue
            good = training["last_good"]
            current = {n: a for n, a in arrays.items() if not n.startswith((LAST_GOOD, PREFIX))}
            written = training.get("reports")
            reports = from_arrays(arrays) if written is None else [EpochReport(**report) for report in written]
            state.restore(Snapshot(current, training["state"]))
            if good is not None:
                saved = {n.removeprefix(LAST_GOOD): a for n, a in arrays.items() if n.startswith(LAST_GOOD)}
                state.last_good = Snapshot(saved, good)
            return reports, [_health(moment) for moment in training.get("health", [])]
        except NotRegularError:
            continue
        except OSError as error:
            refused = error
        except (ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError):
            continue
    if refused is not None:
        raise RunError(
            f"no checkpoint of this run can be read: {refused.strerror or refused}",
            location=Location(source=str(run / CHECKPOINTS)),
            hint="They may be undamaged: make them readable, and a resumed training continues from them.",
        )
    if files:
        raise RunError(
            "every checkpoint of this run is damaged, or of another training",
            location=Location(source=str(run / CHECKPOINTS)),
            hint="Train again from its config.yaml.",
        )
    return [], []


def _health(document: dict[str, Any]) -> Health:
    layers = list[LayerHealth]()
    for layer in document["layers"]:
        values: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in layer.items()}
        layers.append(LayerHealth(**values))
    return Health(**{**document, "layers": tuple(layers)})


def read_checkpoint(file: Path, largest: int = LARGEST_TRAINING) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read the vectors and the JSON document of a checkpoint.

    Raises:
        OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError: the file is damaged.
    """
    content = read_regular(file, largest)
    arrays = safetensors.numpy.load(content)
    size = int.from_bytes(content[:8], "little")
    if _checksum(arrays) != json.loads(content[8 : 8 + size])["__metadata__"]["sha256"]:
        raise ValueError("the checksum does not agree")
    return arrays, json.loads(arrays.pop(TRAINING).tobytes())


PREFIX = "reports."
MISSING = ".missing"
NAMES = tuple(field.name for field in fields(EpochReport))
LENGTH = "is_best"
"""This array is always stored in full: its length is the number of epochs."""
INTEGERS, BOOLEANS = ("epoch",), ("is_best",)


def to_arrays(reports: Sequence[EpochReport]) -> dict[str, Array]:
    """The reports as arrays: one for each field, of one element if all values are the same.

    A field that is None in some epochs only has a second array, which is 1 where it is None; one that is None in all
    epochs has no array.
    """
    arrays: dict[str, Array] = {}
    for name in NAMES:
        values = [getattr(report, name) for report in reports]
        missing: Array = np.array([value is None for value in values], np.uint8)
        if name != LENGTH and missing.all():
            continue
        if missing.any():
            arrays[PREFIX + name + MISSING] = missing
        column: Array = np.array([0 if value is None else value for value in values], _dtype(name))
        constant = name != LENGTH and (column.view(np.uint64) == column.view(np.uint64)[0]).all()
        arrays[PREFIX + name] = column[:1] if constant else column
    return arrays


def from_arrays(arrays: Mapping[str, Array]) -> list[EpochReport]:
    """The reports that `to_arrays` stored.

    Raises:
        ValueError, KeyError, TypeError: the arrays are damaged.
    """
    count = len(arrays[PREFIX + LENGTH])
    return [EpochReport(*values) for values in zip(*(_values(arrays, name, count) for name in NAMES), strict=True)]


def _values(arrays: Mapping[str, Array], name: str, count: int) -> list[object]:
    column = arrays.get(PREFIX + name)
    if column is None:
        if name not in ("val_loss", "metric") and count:
            raise KeyError(name)
        return [None] * count
    if column.dtype != _dtype(name) or column.shape not in ((count,), (1,)):
        raise ValueError(f"{name} has another shape")
    values: list[object] = column.tolist() if len(column) == count else column.tolist() * count
    if name in BOOLEANS:
        values = [bool(value) for value in values]
    missing = arrays.get(PREFIX + name + MISSING)
    if missing is None:
        return values
    return [None if absent else value for value, absent in zip(values, missing.tolist(), strict=True)]


def _dtype(name: str) -> type[np.generic]:
    return np.int64 if name in INTEGERS else np.uint8 if name in BOOLEANS else np.float64
