"""Training and validation rows, told apart before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the validation rows, each in the order of the table."""

    training: Rows
    validation: Rows


def split_rows(n: int, fraction: float, rng: np.random.Generator, classes: Rows | None = None) -> Split:
    """Hold out `fraction` of `n` rows, at random; with `classes` (n,) the same share of every class.

    The shares are rounded so that they add up to round(n · fraction); a class always keeps a row for training.
    """
    groups = [np.arange(n)] if classes is None else [np.flatnonzero(classes == c) for c in np.unique(classes)]
    exact = np.array([len(group) * fraction for group in groups])
    counts = np.floor(exact).astype(np.int64)
    left = round(n * fraction) - int(counts.sum())
    room = np.array([len(group) - 1 for group in groups]) - counts
    for g in np.argsort(counts - exact, kind="stable"):  # the largest remainders first
        if left > 0 and room[g] > 0:
            counts[g] += 1
            left -= 1
    held = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    validation = np.sort(np.concatenate(held))
    return Split(np.setdiff1d(np.arange(n), validation, assume_unique=True), validation)
