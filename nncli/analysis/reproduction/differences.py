"""Relative differences of numbers, arrays and JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy


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
