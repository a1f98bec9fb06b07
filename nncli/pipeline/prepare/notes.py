"""What a person should know of a table that is no mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import polars as pl

from nncli.data.columns.datetimes import is_ambiguous_date
from nncli.data.columns.units import PARENTHESES, PERCENT
from nncli.data.encoders.encoder import Encoder
from nncli.data.table import Table
from nncli.text import join_quoted, quote

YES_OR_NO = frozenset(["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "0", "1", "0.0", "1.0"])


def spelled_alike(name: str, categories: Iterable[str]) -> str | None:
    """A note if some `categories` of the column `name` seem to mean the same: True and true, yes and 1."""
    same = defaultdict(list)
    for category in categories:
        same[category.strip().casefold()].append(category)
    twins = [spellings for spellings in same.values() if len(spellings) > 1]
    if twins:
        more = f", and {len(twins) - 1:,} more such" if len(twins) > 1 else ""
        return f"column {quote(name)}: {join_quoted(twins[0])} are spelled alike{more}; each is a category of its own"
    if len(same) > 2 and YES_OR_NO.issuperset(same):
        return f"column {quote(name)} spells yes and no as {join_quoted(sorted(same))}; each is a category of its own"
    return None


def note_similar_categories(encoder: Encoder, notes: list[str]) -> None:
    """Note categories that seem to mean the same."""
    notes += filter(None, (spelled_alike(column.name, column.spellings) for column in encoder.columns))


def note_units(units: Iterable[tuple[str, str | None]], notes: list[str]) -> None:
    """Note columns, given with their units, of whose cells a sign is taken off."""
    columns = defaultdict(list)
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


def nothing_to_learn(name: str, value: str) -> tuple[str, str]:
    """What is to be said of a target that is the same in all rows, and what is to be done."""
    return (
        f"the target {quote(name)} is {quote(value)} in all rows, so there is nothing to learn",
        "Name another target, or add rows in which it differs.",
    )


def note_uninformative(encoder: Encoder, notes: list[str]) -> None:
    """Note columns of which no value is ever seen twice, and texts that have no common word."""
    names = defaultdict(list)
    for column in encoder.columns:
        if column.is_uninformative:
            names[type(column)].append(column.name)
    notes += (encoder.uninformative_note(tuple(columns)) for encoder, columns in names.items())


def ambiguous_dates(table: Table, name: str) -> str | None:
    """A note if the column `name`, which is taken for categories, seems to hold dates that can be read in two ways."""
    cells = table.column(name)
    if cells.dtype != pl.String or not is_ambiguous_date(cells):
        return None
    return (
        f"{quote(name)} seems to hold dates, and is taken for categories, since day and month cannot be told apart; "
        'say which comes first: `date_format: "%d/%m/%Y"` or `date_format: "%m/%d/%Y"` under data'
    )
