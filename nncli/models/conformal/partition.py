"""Calibration rows in parts, each with a coverage of its own: of a group of rows, or of a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.targets.metrics.sorted_scores import Integers


@dataclass(frozen=True)
class Partition:
    """The positions of the calibration `rows` of each part, and the part of each code.

    The last part is for the codes of too few rows, and for unknown ones: it has the rows of all these codes, or all
    rows (`others_are_all`) where these are too few, too.
    """

    rows: tuple[Integers, ...]
    part: Integers
    others_are_all: bool = True

    @classmethod
    def whole(cls, n: int) -> Partition:
        """All rows in one part, without codes."""
        return cls((np.arange(n),), np.empty(0, np.int64))

    @classmethod
    def of(cls, codes: Integers, count: int, min_rows: int) -> Partition:
        """Parts of at least `min_rows` rows, for rows with these codes (n,) from 0 to count - 1."""
        own = np.flatnonzero(np.bincount(codes, minlength=count) >= min_rows)
        part = np.full(count, len(own))
        part[own] = np.arange(len(own))
        of_row = part[codes]
        others = np.flatnonzero(of_row == len(own))
        too_few = len(others) < min_rows
        if too_few:
            others = np.arange(len(codes))
        return cls((*(np.flatnonzero(of_row == p) for p in range(len(own))), others), part, too_few)

    @property
    def small(self) -> Integers:
        """The codes of too few rows."""
        return np.flatnonzero(self.part == len(self.rows) - 1)

    def parts(self, codes: Integers) -> Integers:
        """The part (rows,) of the code of each row; a code of -1 is unknown."""
        last = len(self.rows) - 1
        return np.full(len(codes), last) if last == 0 else np.append(self.part, last)[codes]
