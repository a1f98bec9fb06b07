"""Notes on a table or a target that are not errors, but that the user should know."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy.typing as npt
import polars as pl

from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.writer import dump_scalar
from nncli.data.columns.datetimes import is_ambiguous_date
from nncli.data.columns.units import PARENTHESES, PERCENT
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.target import Target
from nncli.data.table import Table
from nncli.text import join_quoted, quote

YES_OR_NO = frozenset(["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "0", "1", "0.0", "1.0"])


def note_similar_categories(encoder: Encoder) -> list[str]:
    """Note categories that seem to mean the same."""
    notes = [similar_categories(column.name, column.spellings) for column in encoder.columns]
    return [note for note in notes if note]


def similar_categories(name: str, categories: Iterable[str]) -> str | None:
    """A note if some `categories` of the column `name` seem to mean the same: True and true, yes and 1."""
    same = defaultdict(list)
    for category in categories:
        same[category.strip().casefold()].append(category)
    groups = [spellings for spellings in same.values() if len(spellings) > 1]
    if groups:
        others = f", and {len(groups) - 1:,} more such" if len(groups) > 1 else ""
        alike = f"{join_quoted(groups[0])} are spelled alike{others}"
        return f"column {quote(name)}: {alike}; each is a category of its own"
    if len(same) > 2 and YES_OR_NO.issuperset(same):
        return f"column {quote(name)} spells yes and no as {join_quoted(sorted(same))}; each is a category of its own"
    return None


def column_units(encoder: Encoder, target: Target) -> list[tuple[str, str | None]]:
    """The numeric columns and targets, each with the unit that is stripped from its cells, or None."""
    columns = [(column.name, column.removed_unit) for column in encoder.columns]
    if target.task == "regression" and target.units is not None:
        columns += zip(target.names, target.units, strict=True)
    return columns


def note_units(units: Iterable[tuple[str, str | None]]) -> list[str]:
    """Note columns, given with their units, from whose cells a unit is stripped."""
    notes, columns = [], defaultdict(list)
    for name, unit in units:
        if unit is not None:
            columns[unit].append(name)
    for unit, names in columns.items():
        are = "is" if len(names) == 1 else "are"
        if unit == PARENTHESES:
            notes.append(f"{join_quoted(names)} {are} read as numbers, those in brackets as negative ones")
        else:
            example = f": 12 {unit} is 12" if unit in PERCENT else ""
            notes.append(f"{join_quoted(names)} {are} read as numbers without their {unit}{example}")
    return notes


def time_feature(config: Config, features: Iterable[str]) -> str | None:
    """A note if the column by which rows are split in time is also a feature without being listed as one."""
    time = config.data.time
    if time is None or config.data.features is not None or time not in features:
        return None
    return f"rows are split in time by {quote(time)}, which is also a feature; to leave it out, add it to data.drop"


def random_split(config: Config, dates: Sequence[str]) -> str | None:
    """A note if rows are split at random although the columns `dates` hold dates."""
    validation, data = config.validation, config.data
    unsplit = validation == 0.0 and config.bagging_mode == "seeds"
    if (
        not dates
        or data.time is not None
        or data.group is not None
        or unsplit
        or isinstance(validation, ValidationFile)
    ):
        return None
    option = shlex.quote(f"data.time={dump_scalar(dates[0])}")
    return (
        f"rows are split at random, so the scores are for dates among those of training ({join_quoted(dates)}); "
        f"later dates are usually predicted worse: to score the latest rows, --set {option}"
    )


def constant_target(name: str, value: str) -> tuple[str, str]:
    """The message and the hint for a target that has the same value in all rows."""
    return (
        f"the target {quote(name)} is {quote(value)} in all rows, so there is nothing to learn",
        "Name another target, or add rows in which it differs.",
    )


def note_uninformative(encoder: Encoder) -> list[str]:
    """Note columns that carry no information, such as categorical columns in which every value is unique."""
    names = defaultdict(list)
    for column in encoder.columns:
        if column.is_uninformative:
            names[type(column)].append(column.name)
    return [encoder.uninformative_note(tuple(columns)) for encoder, columns in names.items()]


def ambiguous_dates(table: Table, name: str) -> str | None:
    """A note if the categorical column `name` seems to hold dates whose day and month are ambiguous."""
    cells = table.column(name)
    return note_ambiguous_dates(name) if cells.dtype == pl.String and is_ambiguous_date(cells) else None


def note_ambiguous_dates(name: str) -> str:
    """The note on a column of dates whose day and month are ambiguous."""
    return (
        f"{quote(name)} seems to hold dates, but day and month cannot be told apart, so it is treated as categorical; "
        'say which comes first: `date_format: "%d/%m/%Y"` or `date_format: "%m/%d/%Y"` under data'
    )


def unreachable_targets(config: Config, y: npt.NDArray[Any]) -> str | None:
    """A note if encoded training targets are outside the range of the configured output activation."""
    f = config.output_activation
    if f is None:
        return None
    low, high = f.output_range
    count = int(((y < low) | (y > high)).sum())
    if not count:
        return None
    return (
        f"a {f.type} output lies between {low:g} and {high:g} and cannot reach {count:,} of the {y.size:,} "
        f"training targets, which lie between {y.min():.4g} and {y.max():.4g}"
    )


def two_valued_target(target: Target, y: npt.NDArray[Any]) -> str | None:
    """A note if a regression target has only two values, both whole numbers, and so may be a class."""
    if target.task == "classification" or len(target.names) > 1:
        return None
    low, high = float(y.min()), float(y.max())
    if low < high and low.is_integer() and high.is_integer() and ((y == low) | (y == high)).all():
        return (
            f"{quote(target.names[0])} holds only {low:g} and {high:g} and is predicted as a number; "
            "if these are classes, set loss: cross_entropy"
        )
    return None
