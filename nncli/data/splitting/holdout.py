"""Split rows into training and validation rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nncli.base.errors import Advice, DataError, SetKey
from nncli.base.text import quote
from nncli.data.columns.datetimes import infer_date_formats, parse_any_date
from nncli.data.columns.parsing import TEXT_TYPES, parse_numbers
from nncli.data.number_and_date_forms import ISO
from nncli.data.splitting.strata import Strata, assign_groups, time_blocks
from nncli.data.table import Table
from nncli.nn.arrays import Codes, RowIndices

SINGLE_ROWS_HINT = Advice(
    "A class needs at least two rows. Check the target column; to predict numbers, use ", SetKey("loss", "mse"), "."
)


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the validation rows, each in the order of the table.

    A bootstrap may draw a training row more than once.
    """

    training: RowIndices
    validation: RowIndices


def holdout_split(strata: Strata, fraction: float, rng: np.random.Generator) -> Split:
    """Use a fraction of the rows for validation: the latest rows, whole groups, or random rows.

    Raises:
        DataError: there are too few rows, groups or times for both sides.
    """
    if strata.times is not None:
        blocks = time_blocks(strata, np.array([strata.n * (1.0 - fraction)]))
        split = _split_by_side(np.zeros(strata.n, np.int64) if blocks is None else blocks - 1)
    elif strata.groups is not None:
        split = _split_by_side(assign_groups(strata, np.array([1.0 - fraction, fraction]), rng, first=-1))
    else:
        split = stratified_split(strata.n, fraction, rng, strata.classes)
    if not len(split.training) or not len(split.validation):
        raise DataError(
            f"found {strata.description}, too few for a validation fraction of {fraction:g}",
            location=strata.location,
            hint=SINGLE_ROWS_HINT
            if strata.has_only_unique_classes
            else Advice("Add rows, or use ", SetKey("validation", "0"), "."),
        )
    return split


def _split_by_side(side: Codes) -> Split:
    """The split with training rows where `side` (n,) is -1 and validation rows where it is 0."""
    return Split(np.flatnonzero(side < 0), np.flatnonzero(side == 0))


def stratified_split(n: int, fraction: float, rng: np.random.Generator, classes: RowIndices | None = None) -> Split:
    """Draw a random `fraction` of `n` rows for validation; with `classes` (n,), the same fraction of every class.

    The counts are rounded so that they add up to round(n · fraction). Every class keeps at least one training row;
    what it lacks for validation is taken from other classes if possible.
    """
    groups = [np.arange(n)] if classes is None else indices_by_class(classes)
    exact = np.array([len(group) * fraction for group in groups])
    counts = np.floor(exact).astype(np.int64)
    remaining = round(n * fraction) - int(counts.sum())
    room = np.array([len(group) - 1 for group in groups]) - counts
    order = np.argsort(counts - exact, kind="stable")  # the largest remainders first
    while remaining > 0 and len(order := order[room[order] > 0]):
        chosen = order[:remaining]
        counts[chosen] += 1
        room[chosen] -= 1
        remaining -= len(chosen)
    drawn = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    validation = np.sort(np.concatenate(drawn))
    return Split(np.setdiff1d(np.arange(n), validation, assume_unique=True), validation)


def indices_by_class(classes: RowIndices) -> list[RowIndices]:
    """The positions of the rows of each class, in ascending order."""
    _, counts = np.unique(classes, return_counts=True)
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])


def read_groups(table: Table, name: str) -> Codes:
    """A code for each row's group (rows,).

    Raises:
        DataError: a cell is missing, or the column has a nested type or bytes.
    """
    cells = _require_present(table, name, "group")
    _check_type(table, name, "groups", "Write groups as text or whole numbers.")
    return cells.rank("dense").to_numpy().astype(np.int64)


def group_numbers(table: Table, name: str | None) -> Codes | None:
    """A number for each row's group (rows,), where a missing cell is a group; None without such a column.

    Raises:
        DataError: the column has a nested type or bytes.
    """
    if name is None or name not in table.names:
        return None
    _check_type(table, name, "groups", "Write groups as text or whole numbers.")
    cells = table.column(name)
    cells = cells.to_physical() if cells.dtype == pl.Duration else cells  # which Polars cannot write as text
    return cells.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)


def read_times(table: Table, name: str) -> Codes:
    """The rank of each row's time (rows,), from 0. Times are numbers, or dates and times, typed or as text.

    A time without a time zone is read as UTC.

    Raises:
        DataError: a cell is missing, or is neither a number nor a date, or the column has a nested type or bytes.
    """
    cells = _require_present(table, name, "time")
    _check_type(table, name, "times", "Write times as numbers or dates.")
    if cells.dtype.is_integer() or cells.dtype.is_decimal():  # more digits than a float64 has tell times apart
        return cells.rank("dense").to_numpy().astype(np.int64) - 1
    if cells.dtype.is_temporal():
        times = cells.to_physical()
    else:
        times = parse_numbers(cells, table.dialect_of(name))
        if cells.dtype in TEXT_TYPES and times.has_nulls():
            text = cells.cast(pl.String)
            dates = parse_any_date(text, infer_date_formats(text, table.dialect.date_format).formats or (ISO,))
            times = dates if dates.null_count() < len(dates) else times
    invalid = times.is_null() | (times.is_nan() if times.dtype.is_float() else False)
    if invalid.any():
        row = int(invalid.arg_max() or 0)
        raise DataError(
            f"{quote(cells[row])} is not a time",
            location=table.location(row=row, column=name),
            hint=Advice(
                "Write the column as numbers, or as dates such as 2024-05-31 or 2024-05-31 14:30, or use its format, "
                "such as ",
                *(SetKey("data.date_format", "%d/%m/%Y"), "."),
            ),
        )
    return np.unique(times.to_numpy(), return_inverse=True)[1].astype(np.int64)


def _check_type(table: Table, name: str, what: str, hint: str) -> None:
    """Raise a DataError if the column holds lists, objects or bytes."""
    kind = table.column(name).dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"a column of type {kind} cannot hold {what}", location=table.location(column=name), hint=hint)


def _require_present(table: Table, name: str, what: str) -> pl.Series:
    """The column; raise a DataError if a cell is missing."""
    cells = table.column(name)
    missing = cells.is_null() | (cells.is_nan() if cells.dtype.is_float() else False)
    if missing.any():
        row = int(missing.arg_max() or 0)
        raise DataError(
            f"the {what} is missing",
            location=table.location(row=row, column=name),
            hint=Advice(
                "Fill in the cell, remove the row, or do not name the column: ", SetKey(f"data.{what}", "null"), "."
            ),
        )
    return cells
