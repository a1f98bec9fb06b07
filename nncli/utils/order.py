"""Finding what stands in the middle without sorting everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nncli.utils.median import median

FEW = 1 << 14
"""Numbers up to which the plain way is as fast."""
PIECE = 1 << 15
"""Numbers looked through at a time, which stay in the cache."""
FEWEST_SAMPLED, MOST_SAMPLED, ROWS_A_SAMPLE = 1 << 12, 1 << 14, 64
"""Numbers in the sample: one of so many, between the two."""
DEVIATIONS = 4.0
"""The middle of all is looked for within so many standard deviations of where it would be in a random sample."""


def fast_median(x: npt.NDArray[np.float64]) -> float:
    """The median of x (n,), none of which is NaN: every bit as `median` has it.

    A sample says between which two numbers the middle will be; only what lies between them is partitioned, once the
    numbers beneath were counted. Where the sample was wrong, everything is looked at.
    """
    n = len(x)
    if n <= FEW:
        return median(x)
    sampled = min(max(n // ROWS_A_SAMPLE, FEWEST_SAMPLED), MOST_SAMPLED)
    sample = np.sort(x[:: n // sampled])
    middle, around = len(sample) // 2, int(DEVIATIONS * np.sqrt(len(sample)) / 2.0)
    low, high = sample[max(middle - around, 0)], sample[min(middle + around, len(sample) - 1)]
    beneath, found = n, []
    for start in range(0, n, PIECE):
        piece = x[start : start + PIECE]
        above = piece >= low
        beneath -= int(np.count_nonzero(above))
        above &= piece <= high
        found.append(piece.compress(above))
    between = np.concatenate(found)
    first, last = (n - 1) // 2 - beneath, n // 2 - beneath
    if first < 0 or last >= len(between):
        return median(x)
    middle_ones = np.partition(between, (first, last))[first : last + 1]
    # Of 0.0 and -0.0, which are equal, chance decides which stands in the middle: here as there.
    return median(middle_ones) if middle_ones.all() else median(x)
