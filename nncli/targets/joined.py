"""Targets whose columns are one target together: labels of which a row has any number, or a time and its event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from nncli.data.columns.parsing import CellErrors, read_text
from nncli.data.columns.spellings import NO, YES, category_keys
from nncli.data.encoders.column_types import ColumnType
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Mask, RowIndices
from nncli.targets.kind import Refusal
from nncli.targets.probabilities import Probabilities

EVENT_WORDS = YES | {
    "died",
    "dead",
    "death",
    "deceased",
    "event",
    "failed",
    "failure",
    "churned",
}
CENSORED_WORDS = NO | {
    *("alive", "living", "survived", "censored", "censor", "active", "none"),
}


class JoinedColumns(Probabilities):
    """The interface of a target of several columns, which is fitted on every row.

    The validation rows tell, too, what there is to predict, as a rare label may be in one of them alone.
    """

    @classmethod
    def split_names(cls, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return (names,)

    @classmethod
    def rows_with_target(cls, table: Table, names: tuple[str, ...], *, every: bool = True) -> RowIndices:
        """The rows that have all columns: they are one target, of which no part tells anything by itself."""
        return super().rows_with_target(table, names)

    @classmethod
    def joined_cells(
        cls, read: Callable[[], Sequence[Table]], names: tuple[str, ...]
    ) -> Mapping[str, tuple[ColumnType, Sequence[pl.Series]]]:
        tables = read()
        target = cls.fit(tables[0], names)
        ys = [target.read(table) for table in tables]
        return {
            name: (ColumnType.CATEGORICAL, [_yes_no(y[:, j]) for y in ys])
            if is_yes_no
            else (ColumnType.NUMERIC, [pl.Series(y[:, j]) for y in ys])
            for j, (name, is_yes_no) in enumerate(target.truth_columns)
        }

    @classmethod
    def count_outputs(cls, table: Table, names: tuple[str, ...]) -> int:
        return cls.fit(table, names).n_outputs

    @classmethod
    def refusal(cls, key: str, loss: str, names: tuple[str, ...]) -> Refusal | None:
        refusal = super().refusal(key, loss, names)
        if refusal is None or key == "target_weights":
            return refusal
        return refusal[0], "Remove the key."  # no other loss makes classes of several columns

    @classmethod
    def rows_to_fit(cls, training: Table, every: Table, *, of_several: bool = False) -> Table:
        return every


def _yes_no(y: Floats) -> pl.Series:
    """yes for 1, no for 0, and null for NaN."""
    return pl.Series(y, nan_to_null=True).replace_strict({1.0: "yes", 0.0: "no"}, default=None, return_dtype=pl.String)


def are_events(table: Table, name: str) -> bool:
    """Whether the cells of a column tell which rows have an event, and some have it and others not."""
    y, errors = events(table, name)
    return not errors and {*np.unique(y)} == {0.0, 1.0}


def events(table: Table, name: str) -> tuple[Floats, list[CellErrors]]:
    """1 for an event, 0 for none and NaN for an empty cell (rows,), and the other cells, which are NaN too."""
    cells = read_text(table, name)
    words = category_keys(cells, folds_case=True)
    is_event, is_censored = (
        words.is_in(list(kind)).fill_null(False).to_numpy() for kind in (EVENT_WORDS, CENSORED_WORDS)
    )
    y = np.where(is_event, 1.0, np.where(is_censored, 0.0, np.nan))
    others: Mask = np.isnan(y) & cells.is_not_null().to_numpy()
    hint = "Write 1 for an event and 0 for a censored row, or yes and no."
    if others.any() and set(words.drop_nulls().unique().to_list()) == {"1", "2"}:
        hint = f"{hint} In the data sets of R, 1 is often a censored row and 2 an event."
    return y, CellErrors.of(others, "does not tell whether the event happened", hint)
