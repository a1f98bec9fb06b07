"""Comparing the files of a run with those of the same training again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from nncli.analysis.reproduction.run_record import Network, RunRecord
from nncli.base.text import json_safe
from nncli.nn.training.loop import EpochReport
from nncli.runs.history import parse_history
from nncli.runs.manifest import HELD_OUT, HISTORY, METRICS, MODEL, REFERENCE, WEIGHTS

NUMBERS = ("loss", "penalty", "val_loss", "learning_rate")
"""The values of an epoch that are compared first, and then its metric, which may jump.

Its seconds are not, and its being the best follows from these."""

IGNORED = ("findings", "decision")
"""Keys of metrics.json and model.json that are not compared.

Findings name the table where it is; a decision threshold was chosen after the training."""


@dataclass(frozen=True)
class Comparison:
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
        document: dict[str, Any] = json_safe(
            {
                "file": self.file,
                "identical": self.is_identical,
                "difference": self.difference,
                "changed": self.is_changed,
                "where": self.where or None,
                "epochs": self.epochs,
                "first_epoch": self.first_epoch,
            }
        )
        return document


def compare_runs(recorded: RunRecord, again: Path) -> tuple[Comparison, ...]:
    """Compare all that a training leads to; `again` is the run directory of the same training again."""
    results = [
        compare_file(recorded, network, again, name) for network in recorded.networks for name in (WEIGHTS, MODEL)
    ]
    if recorded.is_ensemble:
        results.append(compare_file(recorded, Network("", recorded.manifest), again, MODEL))
    top = Network("", recorded.manifest)
    results += [compare_file(recorded, top, again, name) for name in (METRICS, HELD_OUT, REFERENCE)]
    return (*compare_histories(recorded, again), *(one for one in results if one is not None))


def compare_file(recorded: RunRecord, network: Network, again: Path, name: str) -> Comparison | None:
    """Compare a file; None if the run has none, as runs of older versions."""
    expected = network.manifest.files.get(name)
    if expected is None:
        return None
    file = network.file(name)
    content, new = _content(recorded.path / file), _content(again / file)
    # The checksum tells whether the training led to the same bits, also if the file was changed since.
    is_reproduced = new is not None and hashlib.sha256(new).hexdigest() == expected
    if content is None or new is None:
        return Comparison(file, inf, "the file is missing", is_changed=is_reproduced)
    difference = of_json(content, new, IGNORED) if name in (METRICS, MODEL) else of_safetensors(content, new)
    return Comparison(file, difference.size, difference.where, is_changed=is_reproduced and content != new)


def compare_histories(recorded: RunRecord, again: Path, quick: int | None = None) -> list[Comparison]:
    """Compare history.csv of every network, epoch by epoch; with `quick` the first epochs."""
    return [
        _compare_history(
            network.file(HISTORY),
            _reports(recorded.path / network.file(HISTORY)),
            _reports(again / network.file(HISTORY)),
            quick,
        )
        for network in recorded.networks
    ]


def _compare_history(
    file: str, recorded: Sequence[EpochReport] | None, again: Sequence[EpochReport] | None, quick: int | None
) -> Comparison:
    if recorded is None or again is None:
        return Comparison(file, inf, "the file cannot be read", 0)
    recorded, again = recorded[:quick], again[:quick]
    differences = [_of_epoch(before, after) for before, after in zip(recorded, again, strict=False)]
    first = next((epoch for epoch, difference in enumerate(differences, 1) if difference.size), None)
    if first is not None:
        where = differences[first - 1].where
        then, now = (getattr(reports[first - 1], where) for reports in (recorded, again))
        return Comparison(file, max(differences).size, where, len(recorded), first, then, now)
    if len(recorded) != len(again):
        return Comparison(file, inf, "number of epochs", len(recorded), len(differences) + 1)
    return Comparison(file, 0.0, epochs=len(recorded))


def _of_epoch(recorded: EpochReport, again: EpochReport) -> Difference:
    of_loss, of_metric = (
        max(Difference(of_numbers(getattr(recorded, name), getattr(again, name)), name) for name in names)
        for names in (NUMBERS, ("metric",))
    )
    return of_loss if of_loss.size else of_metric


def _reports(path: Path) -> Sequence[EpochReport] | None:
    """The epochs in a history.csv; None if it cannot be read."""
    content = _content(path)
    try:
        return None if content is None else parse_history(content).reports
    except ValueError:
        return None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@dataclass(frozen=True, order=True)
class Difference:
    """The largest relative difference of some values, and where it is.

    It is 0 for the same bits, and infinite for values that cannot be compared.
    """

    size: float = 0.0
    where: str = ""


SAME = Difference()


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


def of_safetensors(recorded: bytes, again: bytes) -> Difference:
    """The difference of two files of arrays: the largest one of the arrays that the first holds."""
    if recorded == again:
        return SAME
    try:
        before, now = safetensors.numpy.load(recorded), safetensors.numpy.load(again)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError):
        return Difference(inf, "the file cannot be read")
    return max(
        (
            Difference(of_arrays(array, now[name]) if name in now else inf, name)
            for name, array in sorted(before.items())
        ),
        default=SAME,
    )


def of_json(recorded: bytes, again: bytes, ignored: tuple[str, ...] = ()) -> Difference:
    """The difference of two JSON documents: of what the first one holds, without the keys `ignored` at its top."""
    if recorded == again:
        return SAME
    try:
        before, now = json.loads(recorded), json.loads(again)
    except (ValueError, RecursionError):
        return Difference(inf, "the file cannot be read")
    if isinstance(before, dict):
        before = {key: value for key, value in before.items() if key not in ignored}
    return _of_values(before, now, "")


def _of_values(recorded: Any, again: Any, where: str) -> Difference:
    """The difference of two JSON values at a dotted path."""
    if isinstance(recorded, Mapping) and isinstance(again, Mapping):
        return max(
            (
                _of_values(value, again[key], f"{where}.{key}".lstrip("."))
                if key in again
                else Difference(inf, f"{where}.{key}".lstrip("."))
                for key, value in recorded.items()
            ),
            default=SAME,
        )
    if isinstance(recorded, list) and isinstance(again, list):
        if len(recorded) != len(again):
            return Difference(inf, where)
        pairs = enumerate(zip(recorded, again, strict=True))
        return max((_of_values(a, b, f"{where}[{i}]") for i, (a, b) in pairs), default=SAME)
    if _is_number(recorded) and _is_number(again):
        size = of_numbers(recorded, again)
    else:
        size = 0.0 if recorded == again and type(recorded) is type(again) else inf
    return Difference(size, where) if size else SAME


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
