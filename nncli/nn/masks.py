"""Which units are kept: sixteen random bits for each, for half of the price of a random number for each.

A generator fills doubles u without allocating, and u + 1 has 52 random bits behind 12 constant ones. Three such words
take the bits that they lack from a fourth, so that four draws make twelve units: exclusive or with what is independent
leaves every bit as random as it was. The last of the 52 bits is rounded; an even threshold does not look at it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Draw: TypeAlias = Callable[[float], float]
"""draw(rate) keeps each unit with probability 1 - rate, within 2^-16, and returns the very probability."""

EVEN = 1 << 15
"""Even thresholds among the numbers of sixteen bits."""


def bind_draw(rng: np.random.Generator, kept: npt.NDArray[np.bool_]) -> Draw:
    """Tie the drawing to `kept`, of any shape and without gaps, which it fills."""
    m = -(-kept.size // 12)
    D = np.empty(4 * m)
    words = D.view(np.uint64)
    thirds, fourth = [words[i * m : (i + 1) * m] for i in range(3)], words[3 * m :]
    bits, flat = words[: 3 * m].view(np.uint16)[: kept.size], kept.reshape(-1)
    one, sixteen, threshold = np.array(1.0), np.array(16, np.uint64), np.array(0, np.uint16)

    def draw(rate: float) -> float:
        silenced = min(round(rate * EVEN), EVEN - 1)
        rng.random(out=D)
        np.add(D, one, out=D)
        for words in thirds:  # the fourth's bits 0 to 47, sixteen at a time, come to stand over the constant ones
            np.left_shift(fourth, sixteen, out=fourth)
            np.bitwise_xor(words, fourth, out=words)
        threshold.fill(2 * silenced)
        np.greater_equal(bits, threshold, out=flat)
        return 1.0 - silenced / EVEN

    return draw
