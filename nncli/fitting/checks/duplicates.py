"""Duplicate rows within a table, and between its training and validation rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.findings import Finding, FindingCode, Level
from nncli.fitting.checks.column import Column, SplitTable, count, percentage

Digests = npt.NDArray[np.uint64]
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MAX_OVERLAP = 0.01
"""Fraction of duplicates in the validation rows from which they are a warning."""


class DuplicateRows:
    """64-bit digests of the features and the target of every row, built column by column.

    Among a million different rows, two share a digest with a probability of 3e-8.
    """

    def __init__(self, split: SplitTable) -> None:
        self._split = split
        self._training = np.zeros(len(split.training), np.uint64)
        self._validation = np.zeros(len(split.validation), np.uint64)

    def add(self, column: Column) -> Digests:
        """Add a feature and return the digests of its training cells (rows,)."""
        both, n = _digests(pl.concat([column.training, column.validation])), len(column.training)
        self._training = _mixed(self._training, both[:n])
        self._validation = _mixed(self._validation, both[n:])
        return both[:n]

    def findings(self, targets: list[Column]) -> list[Finding]:
        """The findings, once all features are added."""
        training, validation = self._training, self._validation
        for target in targets:
            training = _mixed(training, _digests(target.training))
            validation = _mixed(validation, _digests(target.validation))
        same_features = np.isin(self._validation, self._training)
        same_rows = np.isin(validation, training)
        n_duplicates = len(training) - len(np.unique(training))
        findings = []
        if same_rows.any():
            first = int(np.argmax(same_rows))
            findings.append(self._overlap(int(same_rows.sum()), first, int(np.argmax(training == validation[first]))))
        elif n_duplicates:
            message = f"{count(n_duplicates, 'training row is', 'training rows are')} equal to an earlier one"
            hint = "If they are copies, remove them; if they are different cases with equal values, keep them."
            findings.append(Finding("note", FindingCode.DUPLICATE_ROWS, self._split.location, message, hint))
        if not same_rows.any() and same_features.any():
            n = int(same_features.sum())
            message = (
                f"{count(n, 'validation row has', 'validation rows have')} the features of a training row and another "
                f"target ({percentage(n, len(validation))}): no model can predict both"
            )
            hint = "Check whether a column is missing, or whether a case was entered twice."
            findings.append(Finding("note", FindingCode.CONFLICTING_TARGETS, self._split.location, message, hint))
        return findings

    def _overlap(self, n: int, i: int, j: int) -> Finding:
        """The finding of `n` validation rows that are also training rows; validation row `i` is training row `j`."""
        total = len(self._split.validation)
        message = (
            f"{count(n, 'validation row is', 'validation rows are')} equal to training rows, target included "
            f"({percentage(n, total)}; for example row {self._split.validation_row(i)} and row "
            f"{self._split.training_row(j)}): validation scores are too optimistic"
        )
        hint = "If they are copies, remove them; if they are different cases with equal values, keep them."
        level: Level = "warning" if n >= MAX_OVERLAP * total else "note"
        return Finding(level, FindingCode.TRAIN_VALIDATION_OVERLAP, self._split.location, message, hint)


def _digests(cells: pl.Series) -> Digests:
    digests: Digests = cells.hash().to_numpy()
    return digests


def _mixed(rows: Digests, more: Digests) -> Digests:
    """Digests of the rows with one more column."""
    with np.errstate(over="ignore"):
        mixed: Digests = ((rows ^ (rows >> np.uint64(29))) * MULTIPLIER) ^ more
    return mixed
