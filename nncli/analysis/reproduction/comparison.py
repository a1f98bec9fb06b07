"""The files of a run beside those of the same training again: relative differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from nncli.analysis.reproduction.record import RunRecord, content_of, file_of
from nncli.base.regular_files import read_regular
from nncli.base.text import json_safe
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.filenames import LARGEST_FILE
from nncli.run_directory.history_and_metrics import parse_history
from nncli.run_directory.manifest import HELD_OUT, HISTORY, METRICS, MODEL, REFERENCE, WEIGHTS

NUMBERS = ("loss", "penalty", "val_loss", "learning_rate")
"""The values of an epoch that are compared first, and then its metric, which may jump.

Its seconds are not, and its being the best follows from these."""

IGNORED = ("findings", "decision")
"""Keys of metrics.json and model.json that are not compared.

Findings name the table where it is; a decision threshold was chosen after the training."""


@dataclass(frozen=True)
class FileDifference:
    """A file of a run beside that of the same training again: the largest relative difference.

    It is 0 for the same bits, and infinite if the files cannot be compared. `is_changed` says that the file was changed
    or removed after the training, which leads to the recorded one again. Of history.csv, `epochs` were compared, and
    `first_epoch` is the first one that differs, with the values `then` and `now`.
    """

    file: str
    difference: float
    where: str = ""
    epochs: int | None = None
    first_epoch: int | None = None
    then: float | None = None
    now: float | None = None
    is_changed: bool = False

    @property
    def is_identical(self) -> bool:
        """Whether the file has the same bits as that of the training again."""
        return self.difference == 0.0 and not self.is_changed

    @property
    def is_reproduced(self) -> bool:
        """Whether the training again leads to the bits that the run recorded."""
        return self.is_identical or self.is_changed

    def json(self) -> dict[str, Any]:
        """{"file": …, "identical": …, "difference": …, "changed": …, "where": …, "epochs": …, "first_epoch": …}.

        The difference is null if it is infinite.
        """
        return {
            "file": self.file,
            "identical": self.is_identical,
            "difference": json_safe(self.difference),
            "changed": self.is_changed,
            "where": self.where or None,
            "epochs": self.epochs,
            "first_epoch": self.first_epoch,
        }


def compare_runs(recorded: RunRecord, again: Path, quick: int | None = None) -> tuple[FileDifference, ...]:
    """Compare all that a training leads to with the run directory `again`; with `quick` the first epochs alone.

    A file that a run of an older version does not have is not compared.
    """
    histories = [_compare_history(recorded, again, file_of(folder, HISTORY), quick) for folder in recorded.networks]
    if quick is not None:
        return tuple(histories)
    top = (*((MODEL,) if recorded.is_ensemble else ()), METRICS, HELD_OUT, REFERENCE)
    files = [(folder, manifest, name) for folder, manifest in recorded.networks.items() for name in (WEIGHTS, MODEL)]
    files += [("", recorded.manifest, name) for name in top]
    return (
        *histories,
        *(
            _compare_file(recorded.path, again, file_of(folder, name), manifest.files[name])
            for folder, manifest, name in files
            if name in manifest.files
        ),
    )


def _compare_file(run: Path, again: Path, file: str, expected: str) -> FileDifference:
    """Compare a file whose SHA-256 was the `expected` one when it was written."""
    content, new = content_of(run / file), content_of(again / file)
    # The checksum tells whether the training led to the same bits, also if the file was changed since.
    is_reproduced = new is not None and hashlib.sha256(new).hexdigest() == expected
    if content is None or new is None:
        return FileDifference(file, inf, "the file is missing", is_changed=is_reproduced)
    load = json.loads if file.endswith(".json") else safetensors.numpy.load
    difference = of_contents(content, new, load, IGNORED)
    return FileDifference(file, difference.size, difference.where, is_changed=is_reproduced and content != new)


def _compare_history(run: RunRecord, again: Path, file: str, quick: int | None) -> FileDifference:
    """Compare a history.csv, epoch by epoch."""
    try:
        contents = [read_regular(path / file, LARGEST_FILE) for path in (run.path, again)]
        before, after = (parse_history(content).reports[:quick] for content in contents)
    except (OSError, ValueError):
        return FileDifference(file, inf, "the file cannot be read", 0)
    differences = [_of_epoch(*reports) for reports in zip(before, after, strict=False)]
    first = next((i for i, difference in enumerate(differences) if difference.size), None)
    if first is not None:
        where = differences[first].where
        then, now = getattr(before[first], where), getattr(after[first], where)
        return FileDifference(file, max(differences).size, where, len(before), first + 1, then, now)
    if len(before) != len(after):
        return FileDifference(file, inf, "number of epochs", len(before), len(differences) + 1)
    return FileDifference(file, 0.0, epochs=len(before))


class Difference(NamedTuple):
    """The largest relative difference of some values, and where it is.

    It is 0 for the same bits, and infinite for values that cannot be compared.
    """

    size: float = 0.0
    where: str = ""


SAME = Difference()
ABSENT = object()
"""Stands for a value that only the recorded document has."""


def _of_epoch(recorded: EpochReport, again: EpochReport) -> Difference:
    of_loss = max(Difference(of_numbers(getattr(recorded, name), getattr(again, name)), name) for name in NUMBERS)
    return of_loss if of_loss.size else Difference(of_numbers(recorded.metric, again.metric), "metric")


def of_numbers(recorded: float | None, again: float | None) -> float:
    """The difference of two numbers, relative to the larger one."""
    if recorded == again or (recorded != recorded and again != again):
        return 0.0
    if recorded is None or again is None or not (isfinite(recorded) and isfinite(again)):
        return inf
    return abs(recorded - again) / max(abs(recorded), abs(again))


def of_arrays(recorded: npt.NDArray[Any], again: npt.NDArray[Any]) -> float:
    """The largest difference of the elements, relative to the largest finite element.

    NaN equals NaN, as in `of_numbers`. It is infinite for other shapes or types, and where only one element is finite.
    """
    if recorded.shape != again.shape or recorded.dtype != again.dtype:
        return inf
    if recorded.tobytes() == again.tobytes():
        return 0.0
    a, b = recorded.astype(np.float64), again.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return inf
    a, b = a[finite], b[finite]
    tiny = float(np.finfo(np.float64).tiny)  # 0.0 and -0.0 are equal, but not the same bits
    largest = max(float(np.abs(a).max(initial=tiny)), float(np.abs(b).max(initial=tiny)))
    return max(float(np.abs(a - b).max(initial=0.0)) / largest, tiny)


def of_contents(
    recorded: bytes, again: bytes, load: Callable[[bytes], Any], ignored: tuple[str, ...] = ()
) -> Difference:
    """The difference of two files of values or arrays: of what the first one holds, without the keys `ignored`."""
    if recorded == again:
        return SAME
    try:
        before, now = load(recorded), load(again)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError, RecursionError):
        return Difference(inf, "the file cannot be read")
    if isinstance(before, dict):
        before = {key: value for key, value in before.items() if key not in ignored}
    return _of_values(before, now)


def _of_values(recorded: Any, again: Any, where: str = "") -> Difference:
    """The difference of two values at a dotted path."""
    if isinstance(recorded, dict) and isinstance(again, dict):
        inner = [(value, again.get(key, ABSENT), f"{where}.{key}".lstrip(".")) for key, value in recorded.items()]
        return max((_of_values(*values) for values in inner), default=SAME)
    if isinstance(recorded, list) and isinstance(again, list) and len(recorded) == len(again):
        pairs = enumerate(zip(recorded, again, strict=True))
        return max((_of_values(a, b, f"{where}[{i}]") for i, (a, b) in pairs), default=SAME)
    if isinstance(recorded, np.ndarray) and isinstance(again, np.ndarray):
        size = of_arrays(recorded, again)
    elif {type(recorded), type(again)} <= {int, float}:
        size = of_numbers(recorded, again)
    else:
        size = 0.0 if type(recorded) is type(again) and recorded == again else inf
    return Difference(size, where) if size else SAME
