"""Sample weights: a column of weights times a weight per class, scaled to mean 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from nncli.base.bounds import LARGEST, SMALLEST
from nncli.base.errors import ConfigError, ConfigIssue, DataError, Location
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.columns.parsing import read_numbers
from nncli.data.table import Table
from nncli.nn.arrays import Codes
from nncli.nn.arrays import Weights as Weights

ClassWeight = Literal["balanced"] | Mapping[str, float]


def read_weights(table: Table, name: str) -> Weights:
    """Read the column of sample weights (rows,).

    Raises:
        DataError: a weight is missing, negative or above 1e30, or all are zero or below 1e-30.
    """
    w = read_numbers(table, name)
    invalid = np.isnan(w) | (w < 0.0)
    if invalid.any():
        row = int(invalid.argmax())
        raise DataError(
            "a weight must be a number of 0 or more",
            location=table.location(row=row, column=name),
            hint="Fill in the cell, or remove the row.",
        )
    highest = w.max(initial=0.0)
    if highest > LARGEST or 0.0 < highest < SMALLEST:
        raise DataError(
            f"the largest weight is {highest:g}; it must be from {SMALLEST:g} to {LARGEST:g}",
            location=table.location(row=int(w.argmax()), column=name),
            hint="Correct the cell, or divide all weights by the same number.",
        )
    if len(w) and not w.any():
        raise DataError(
            "every weight is 0", location=table.location(column=name), hint="Name another column as data.sample_weight."
        )
    return w


def row_counts(w: Weights) -> Weights:
    """How many rows each row of sample weights w (rows,) stands for, where the number of rows matters.

    Whole weights are such numbers. Others are relative, as those of a survey are: their mean is 1.
    """
    return w if not w.any() or (w == np.floor(w)).all() else np.asarray(w / w.mean())


def class_weights(
    spec: ClassWeight, labels: Sequence[str], codes: Codes, sample_weight: Weights | None = None
) -> Weights:
    """The weight of each class (classes,). `balanced` gives n / (classes · rows of the class), so sums are equal.

    Rows count by their sample weights (rows,).

    Raises:
        ConfigError: a key is not a class.
    """
    if spec == "balanced":
        counts = np.bincount(codes, sample_weight, minlength=len(labels))
        n = len(codes) if sample_weight is None else counts.sum()
        return np.asarray(n / (len(labels) * np.where(counts > 0.0, counts, 1.0)), np.float64)
    unknown = [key for key in spec if key not in labels]
    if unknown:
        close = closest_match(unknown[0], labels)
        raise ConfigError(
            ConfigIssue(
                f"{quote(unknown[0])} is not a class of the target",
                Location(key=f"class_weight.{unknown[0]}"),
                f"Did you mean {quote(close)}?" if close else f"The classes are {join_quoted(labels)}.",
            )
        )
    return np.array([spec.get(label, 1.0) for label in labels])


def combine(sample: Weights | None, per_row: Weights | None) -> Weights | None:
    """The product of both weights (rows,), scaled to mean 1; None if both are None."""
    present = [w for w in (sample, per_row) if w is not None]
    if not present:
        return None
    # A maximum of 1 at every step keeps the product and the sum from overflowing or vanishing.
    w = _scale_to_max_one(np.prod([_scale_to_max_one(v) for v in present], axis=0))
    total = w.sum()
    return np.asarray(w * (len(w) / total)) if total > 0.0 else w


def _scale_to_max_one(w: Weights) -> Weights:
    return np.asarray(w / (w.max(initial=0.0) or 1.0))
