"""Findings about columns and targets as a training reads and encodes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt
import polars as pl

from nncli.base.errors import Advice, Location, SetKey, UseOption, sentences
from nncli.base.findings import Finding, FindingCode, note, warning
from nncli.base.text import join_quoted, quote
from nncli.config.schema import Config
from nncli.data.columns.datetimes import DateDoubt, readings_hint
from nncli.data.columns.parsing import kind_is, leave_out
from nncli.data.dialect import AUTO
from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.encoder import Encoder
from nncli.data.number_and_date_forms import PARENTHESES, PERCENT
from nncli.data.table import Table
from nncli.fitting.checks.column import column_finding
from nncli.targets.orders import in_order
from nncli.targets.target import Target

YES_OR_NO = frozenset(["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "0", "1", "0.0", "1.0"])


def table_reading(table: Table) -> list[Finding]:
    """The notes of a table on how it was read, and the warning of its invalid cells."""
    found = [] if table.invalid_cells is None else [invalid_cells(table.invalid_cells, table)]
    return [*found, *(note(FindingCode.TABLE_READING, text) for text in table.notes)]


MAX_CELLS = 3
"""Columns, and different cells of each, that the warning of invalid cells names; the most frequent ones first."""


def invalid_cells(cells: pl.DataFrame, table: Table) -> Finding:
    """The warning of the cells of a table that are treated as missing; see data.on_error."""
    words, names = list[str](), cells["column"].value_counts(sort=True)["column"].to_list()
    for name in names[:MAX_CELLS]:
        values = cells.filter(pl.col("column") == name).group_by("value", maintain_order=True).agg("row", pl.len())
        values = values.sort("len", descending=True, maintain_order=True)
        shown = [
            f"{quote(value)} in row {table.row_name(rows[0])}{f' and {count - 1:,} more' if count > 1 else ''}"
            for value, rows, count in values.head(MAX_CELLS).iter_rows()
        ]
        more = len(cells.filter(pl.col("column") == name)) - values["len"].head(MAX_CELLS).sum()
        words.append(f"{quote(name)}: {', '.join(shown)}{f', {more:,} others' if more else ''}")
    others = f"; and in {len(names) - MAX_CELLS:,} more columns" if len(names) > MAX_CELLS else ""
    are = "cell is not a number like the others of its column and is"
    if len(cells) > 1:
        are = "cells are not numbers like the others of their columns and are"
    message = f"{len(cells):,} {are} treated as missing ({'; '.join(words)}{others})"
    columns = [part for name in names[:MAX_CELLS] for part in (" ", kind_is(name, "categorical"))]
    hint = Advice(
        "The same cells are missing in new rows, too; for others, add them to data.missing_values. The model marks "
        "missing cells by a feature of their column. To treat such a column as categories, use",
        *(*columns, "; to refuse the cells, ", UseOption("on_error", "on_error", "fail"), "."),
    )
    return Finding("warning", FindingCode.INVALID_CELLS, Location(source=table.source), message, hint)


def check_similar_categories(encoder: Encoder, target: Target) -> list[Finding]:
    """Categories, and classes or labels of the target, that seem to mean the same."""
    similar = [similar_categories(column.name, column.spellings) for column in encoder.columns]
    for name, words in target.spellings.items():
        of_target = similar_categories(name, words, target.output_noun)
        similar.append(of_target and replace(of_target, level="warning"))
    return [finding for finding in similar if finding]


def similar_categories(name: str, categories: Iterable[str], noun: str = "category") -> Finding | None:
    """A note if some `categories` of the column `name` seem to mean the same: True and true, yes and 1."""
    same = defaultdict(list)
    for category in categories:
        same[category.strip().casefold()].append(category)
    groups = [spellings for spellings in same.values() if len(spellings) > 1]
    message = ""
    if groups:
        others = f", and {len(groups) - 1:,} more such" if len(groups) > 1 else ""
        message = f"{join_quoted(groups[0])} are spelled alike{others}"
    elif len(same) > 2 and YES_OR_NO.issuperset(same):
        message = f"yes and no are spelled as {join_quoted(sorted(same))}"
    if not message:
        return None
    hint = "If they mean the same, spell them alike in the table."
    return note(FindingCode.SIMILAR_CATEGORIES, f"{message}; each is a {noun} of its own", column=name, hint=hint)


def column_units(encoder: Encoder, target: Target) -> list[tuple[str, str | None]]:
    """The numeric columns and targets, each with the unit that is stripped from its cells, or None."""
    return [*((column.name, column.removed_unit) for column in encoder.columns), *target.removed_units]


def removed_units(units: Iterable[tuple[str, str | None]]) -> list[Finding]:
    """Notes on columns, given with their units, from whose cells a unit is stripped."""
    messages, columns = [], defaultdict(list)
    for name, unit in units:
        if unit is not None:
            columns[unit].append(name)
    for unit, names in columns.items():
        are = "is" if len(names) == 1 else "are"
        if unit == PARENTHESES:
            messages.append(f"{join_quoted(names)} {are} read as numbers; (12) and 12.50- are negative, 12.- is 12")
        else:
            example = f": 12 {unit} is 12" if unit in PERCENT else ""
            messages.append(f"{join_quoted(names)} {are} read as numbers without their {unit}{example}")
    return [note(FindingCode.UNIT_REMOVED, message) for message in messages]


def class_orders(orders: Iterable[tuple[str, Sequence[str]]]) -> list[Finding]:
    """Notes on the order of classes, which are given for each target, lowest first."""
    return [
        note(
            FindingCode.CLASS_ORDER,
            f"the classes of {quote(name)} are learned in the order {in_order(labels)}",
            column=name,
            hint="To set another, write data.order, lowest first.",
        )
        for name, labels in orders
    ]


def constant_target(name: str, value: str, location: Location) -> Finding:
    """The warning of a target that has the same value in all rows of the table at `location`."""
    message = f"the target {quote(name)} is {quote(value)} in all rows, so there is nothing to learn"
    hint = "Name another target, or add rows in which it differs."
    return Finding("warning", FindingCode.CONSTANT_TARGET, replace(location, column=name), message, hint)


def uninformative_column(column: type[ColumnEncoder], name: str, location: Location) -> Finding:
    """A column that carries no information, such as a categorical column in which every value is unique."""
    message, alternative = column.uninformative_note(name)
    hint = sentences(Advice("Drop it: ", leave_out(name), "."), alternative)
    return column_finding("warning", FindingCode.ID_LIKE_COLUMN, location, [name], message, hint)


def check_uninformative(encoder: Encoder, location: Location) -> list[Finding]:
    """The encoded columns that carry no information."""
    return [
        uninformative_column(type(column), column.name, location)
        for column in encoder.columns
        if column.is_uninformative
    ]


def ignored_columns(names: Sequence[str]) -> list[Finding]:
    """A note on columns without a value in any training row."""
    message = f"ignored {join_quoted(names)}: no value in any training row"
    return [note(FindingCode.EMPTY_COLUMN, message)] if names else []


def unused_date_format(configured: str, formats: Iterable[str]) -> list[Finding]:
    """A warning if `data.date_format` is none of the formats of the features that are dates."""
    if configured in (AUTO, *formats):
        return []
    message = f"no feature has dates in the format {configured}, as data.date_format says"
    hint = Advice("Leave it out, or correct it: ", SetKey("data.date_format", AUTO))
    return [warning(FindingCode.UNUSED_DATE_FORMAT, message, hint=hint)]


def short_years(columns: Iterable[tuple[str, str | None]], configured: str) -> list[Finding]:
    """Notes on columns of dates, given with their formats, whose years have two digits.

    There is none on the format that is `configured`.
    """
    names = defaultdict(list)
    for name, form in columns:
        if form is not None and form != configured:
            names[form].append(name)
    return [
        note(
            FindingCode.TABLE_READING,
            f"{join_quoted(of_form)} {'is' if len(of_form) == 1 else 'are'} read as dates in the format {form}: "
            "the years 00 to 69 are 2000 to 2069, 70 to 99 are 1970 to 1999",
            hint=Advice("For another format: ", SetKey("data.date_format", form)),
        )
        for form, of_form in names.items()
    ]


def dates_as_categories(name: str, doubt: DateDoubt, location: Location) -> Finding:
    """The warning of a column of which most cells look like dates, and which is not read as such."""
    place, message = replace(location, column=name), f"{doubt.message}; the column is treated as categories"
    if doubt.readings:
        return Finding("warning", FindingCode.AMBIGUOUS_DATES, place, message, readings_hint(doubt.readings))
    hint = Advice(
        "If these are dates, write all of them as 2024-05-31, or use their format, as in ",
        SetKey("data.date_format", "%d/%m/%Y"),
        *(". If they are not: ", kind_is(name, "categorical"), "."),
    )
    return Finding("warning", FindingCode.DATES_AS_CATEGORIES, place, message, hint)


def unreachable_targets(config: Config, y: npt.NDArray[Any]) -> Finding | None:
    """A warning if encoded training targets are outside the range of the configured output activation."""
    f = config.output_activation
    if f is None:
        return None
    low, high = f.output_range
    count = int(((y < low) | (y > high)).sum())
    if not count:
        return None
    message = (
        f"a {f.type} output lies between {low:g} and {high:g} and cannot reach {count:,} of the {y.size:,} "
        f"training targets, which lie between {y.min():.4g} and {y.max():.4g}"
    )
    hint = (
        "Remove output_activation, which leaves the output unbounded, or write the target in a unit that lies "
        "within its range."
    )
    column = config.data.target[0] if len(config.data.target) == 1 else None
    return warning(FindingCode.UNREACHABLE_TARGET, message, column=column, hint=hint)


def two_valued_target(target: Target, y: npt.NDArray[Any]) -> Finding | None:
    """A note if a regression target has only two values, both whole numbers, and so may be a class."""
    if len(target.number_columns(target.names)) != 1:
        return None
    low, high = float(y.min()), float(y.max())
    if low < high and low.is_integer() and high.is_integer() and ((y == low) | (y == high)).all():
        message = f"{quote(target.names[0])} holds only {low:g} and {high:g} and is predicted as a number"
        hint = Advice("If these are classes, use ", SetKey("loss", "cross_entropy"), ".")
        return note(FindingCode.TARGET_AS_NUMBER, message, column=target.names[0], hint=hint)
    return None
