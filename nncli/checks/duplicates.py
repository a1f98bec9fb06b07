"""Rows that stand in a table more than once, above all on both sides of the split. All rows are looked at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.checks.column import Column, SplitTable, have, share
from nncli.checks.findings import Finding, Level

Digests = npt.NDArray[np.uint64]
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MANY = 0.01
"""Share of the validation rows from which copies shift the score; a few alike by chance do no harm."""


class DuplicateRows:
    """Digests of 64 bits of every row's features, and of its features and target, taken up a column at a time.

    Among a million rows two different ones share a digest with a probability of 3e-8.
    """

    def __init__(self, sides: SplitTable) -> None:
        self._sides = sides
        self._rows = np.zeros(len(sides.training), np.uint64)
        self._held = np.zeros(len(sides.held), np.uint64)

    def add(self, column: Column) -> Digests:
        """Take note of a feature; returns the digests of its training cells (rows,)."""
        own = _digests(column.cells)
        self._rows, self._held = _mixed(self._rows, own), _mixed(self._held, _digests(column.held))
        return own

    def findings(self, targets: list[Column]) -> list[Finding]:
        """What is to be said once all features are known."""
        rows, held = self._rows, self._held
        for target in targets:
            rows, held = _mixed(rows, _digests(target.cells)), _mixed(held, _digests(target.held))
        alike = _shared(self._held, self._rows)
        shared = _shared(held, rows)
        copies = len(rows) - len(np.unique(rows))
        place, findings = self._sides.place, []
        if shared.any():
            first = int(np.argmax(shared))
            same = int(np.argmax(rows == held[first]))
            count = int(shared.sum())
            message = (
                f"{have(count, 'validation row stands', 'validation rows stand')} among the training rows too, target "
                f"and all, {share(count, len(held))} of them (row {self._sides.held_row(first):,} is equal to row "
                f"{self._sides.row(same):,}): scores on them are better than on new rows"
            )
            mend = (
                "If they are copies, remove them from the table; if they are cases of their own which look alike, "
                "all is well, though scores vouch for less."
            )
            level: Level = "warning" if count >= MANY * len(held) else "note"
            findings.append(Finding(level, "shared-rows", place, message, mend))
        elif copies:
            message = f"{have(copies, 'training row is', 'training rows are')} equal to an earlier one, target and all"
            mend = "If they are copies, remove them; cases of their own that look alike are fine."
            findings.append(Finding("note", "duplicate-rows", place, message, mend))
        if not shared.any() and alike.any():
            count = int(alike.sum())
            message = (
                f"{have(count, 'validation row has', 'validation rows have')} the features of a training row and "
                f"another target, {share(count, len(held))} of them: no network can tell these apart"
            )
            mend = "Look whether a column is missing that would, or whether the same case was entered twice."
            findings.append(Finding("note", "contradicting-rows", place, message, mend))
        return findings


def _digests(cells: pl.Series) -> Digests:
    digests: Digests = cells.hash().to_numpy()
    return digests


def _mixed(rows: Digests, more: Digests) -> Digests:
    """Digests of rows that are one column longer."""
    with np.errstate(over="ignore"):
        mixed: Digests = ((rows ^ (rows >> np.uint64(29))) * MULTIPLIER) ^ more
    return mixed


def _shared(held: Digests, rows: Digests) -> npt.NDArray[np.bool_]:
    return np.isin(held, rows)
