"""The median, without what NumPy's own imports at its first call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def median(values: npt.NDArray[np.floating[Any]]) -> float:
    """The middle of `values` (n,), n at least 1; of an even count the mean of the two in the middle; NaN if one is NaN.

    Every bit as np.median has it, which however imports numpy.ma to see whether that is what it was given: 10 ms.
    """
    last = len(values) - 1
    low, high = last // 2, (last + 1) // 2
    parted = np.partition(values, sorted({low, high, last}))  # NaN comes last
    return float("nan") if np.isnan(parted[last]) else float(parted[low : high + 1].mean())
