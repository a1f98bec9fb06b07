"""Counts of what was predicted, and the functions that are called with counts and notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from nncli.api.options import InvalidCellOptions
from nncli.data.encoders.anomalies import Anomalies, InvalidCounts
from nncli.runs.monitoring.profiler import Profile

OnInvalid: TypeAlias = Callable[[pl.DataFrame], object]
"""Called with the invalid cells of each chunk: the number of the row, the column, the value and the reason."""
OnSummary: TypeAlias = Callable[["PredictionSummary"], object]


@dataclass(frozen=True)
class PredictionSummary:
    """Counts of the rows of one or several tables, of their anomalies and of their invalid cells.

    `unknown_groups` counts rows of groups that were not calibrated. `profile` is that of the rows, if it was asked for.
    """

    rows: int = 0
    anomalies: Anomalies = field(default_factory=Anomalies)
    invalid: InvalidCounts = field(default_factory=InvalidCounts)
    unknown_groups: int = 0
    profile: Profile | None = None

    def __add__(self, other: PredictionSummary) -> PredictionSummary:
        return PredictionSummary(
            self.rows + other.rows,
            self.anomalies + other.anomalies,
            self.invalid + other.invalid,
            self.unknown_groups + other.unknown_groups,
            self.profile + other.profile if self.profile and other.profile else self.profile or other.profile,
        )

    def notes(self, options: InvalidCellOptions) -> list[str]:
        """A line on the invalid cells, one on the anomalies and one on unknown groups, where there are any."""
        notes = [self.invalid.note(skipped=options.skips), self.anomalies.note]
        if self.unknown_groups:
            rows = f"{self.unknown_groups:,} row{'s' * (self.unknown_groups > 1)}"
            notes.append(f"{rows} of groups without held-out rows, which are calibrated like groups of few rows")
        return [note for note in notes if note is not None]
