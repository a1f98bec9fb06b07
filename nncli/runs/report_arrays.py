"""The reports of all epochs as a few arrays, which take some 40 bytes an epoch in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from nncli.nn.arrays import Array
from nncli.nn.training.loop import EpochReport

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
