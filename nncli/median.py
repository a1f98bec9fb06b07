"""The median, without what NumPy's own imports at its first call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def median(values: npt.NDArray[np.floating[Any]]) -> float:
    """The middle of `values` (n,), n at least 1; of an even count the mean of the two in the middle.

    NaN where one is among them. The same bits as np.median, which however, to be sure of that, imports numpy.ma: for
    that alone a small training would take 10 ms longer.
    """
    middle = len(values) // 2
    parted = np.partition(values, middle)
    if np.isnan(parted[middle:].max()):  # NaN comes last
        return float("nan")
    return float(parted[middle] if len(values) % 2 else (parted[:middle].max() + parted[middle]) / 2)
