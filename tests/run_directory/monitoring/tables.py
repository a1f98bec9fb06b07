"""A run's parts without a training: a reference of random rows, and rows to profile."""

from __future__ import annotations

import numpy as np

from nncli.nn.arrays import Codes, Floats
from nncli.run_directory.monitoring.profiler import BinCodes, Profile
from nncli.run_directory.monitoring.reference import CategoryBins, NumberBins, Reference
from nncli.targets.metrics.sums import ClassRows

LABELS = ("no", "yes")


def some_reference(rows: int = 2_000) -> Reference:
    """Normal numbers `x` of which one in ten is missing, three categories `c`, and two classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    x[::10] = np.nan
    p = rng.uniform(size=rows)
    counts = np.array([0, *np.bincount(rng.integers(0, 3, rows), minlength=3), 0])
    columns = (NumberBins.fit("x", "number", x, 201), CategoryBins("c", ("a", "b", "d"), counts, 0, 0))
    classes = CategoryBins.of_classes("y", LABELS, (p > 0.5).astype(np.int64))
    return Reference(rows, rows, columns, (classes, NumberBins.fit("yes", "probability", p, 51)), (rows,))


def bin_codes(reference: Reference, x: Floats, c: Codes, p: Floats, labels: Codes | None = None) -> BinCodes:
    """Rows with numbers, codes of categories (3: unseen, -1: missing) and probabilities of `yes`."""
    number, probability = reference.columns[0], reference.predictions[1]
    assert isinstance(number, NumberBins)
    assert isinstance(probability, NumberBins)
    values, classes, bins = np.stack([1.0 - p, p], axis=1), (p > 0.5).astype(np.int64), probability.bin_codes(p)
    rows = ClassRows.of(values, classes, bins, probability.n_bins, labels)
    return BinCodes(reference, len(x), (number.bin_codes(x), c + 1), ((classes + 1, bins),), rows)


def profile_of(reference: Reference, x: Floats, c: Codes, p: Floats, labels: Codes | None = None) -> Profile:
    """The profile of such rows."""
    return bin_codes(reference, x, c, p, labels).profile()
