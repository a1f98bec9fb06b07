"""Counts of what was predicted, and the functions that are called with counts and notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.invalid_cells import InvalidCounts, OnError

OnNote: TypeAlias = Callable[[str], object]
OnInvalid: TypeAlias = Callable[[pl.DataFrame], object]
"""Called with the invalid cells of each chunk: the number of the row, the column, the value and the reason."""
OnSummary: TypeAlias = Callable[["PredictionSummary"], object]


@dataclass(frozen=True)
class PredictionSummary:
    """Counts of the rows of one or several tables, of their anomalies and of their invalid cells."""

    rows: int = 0
    anomalies: Anomalies = field(default_factory=Anomalies)
    invalid: InvalidCounts = field(default_factory=InvalidCounts)

    def __add__(self, other: PredictionSummary) -> PredictionSummary:
        return PredictionSummary(self.rows + other.rows, self.anomalies + other.anomalies, self.invalid + other.invalid)

    def notes(self, on_error: OnError) -> list[str]:
        """A line on the invalid cells and one on the anomalies, where there are any."""
        return [note for note in (self.invalid.note(on_error), self.anomalies.note) if note is not None]
