"""Short names of parameters of a search."""

from __future__ import annotations

import re
from collections.abc import Sequence


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last part of each name, or as many as it takes to tell it from others; a number is never alone.

    >>> short_names(["learning_rate.peak", "layers.0.units", "layers.1.units", "layers.2"])
    {'learning_rate.peak': 'peak', 'layers.0.units': '0.units', 'layers.1.units': '1.units', 'layers.2': 'layers.2'}
    """
    ends = {name: [name[match.start() :].lstrip(".") for match in re.finditer(r"(^|\.)[^.]+", name)] for name in names}
    counts: dict[str, int] = {}
    for possible in ends.values():
        for end in possible:
            counts[end] = counts.get(end, 0) + 1
    return {name: _shortest(name, possible, counts) for name, possible in ends.items()}


def _shortest(name: str, ends: Sequence[str], counts: dict[str, int]) -> str:
    """The shortest end of a name that no other has, and that has a word."""
    return next((end for end in reversed(ends) if counts[end] == 1 and re.search(r"[^\W\d]", end)), name)
