"""Checks of single columns: missing, empty, constant, duplicate, id-like and group-like columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nncli.base.errors import Location
from nncli.base.findings import Finding, FindingCode
from nncli.base.text import join_quoted, quote
from nncli.data.column_profile import ColumnProfile, Label
from nncli.data.encoders.categorical import MIN_COUNT
from nncli.data.profile import is_named_like_a_key
from nncli.fitting.checks.column import MAX_NAMES, Column, column_finding, count, drop_key, percentage
from nncli.fitting.checks.notes import uninformative_column

NEARLY_EMPTY = 0.95
"""Fraction of missing cells from which a column is nearly empty."""
NEARLY_UNIQUE = 0.9
"""Fraction of distinct values from which a text column is like an id."""
MIN_DISTINCT = 50
"""Fewest rows or values from which a column is called id-like or group-like."""


def missing_cells(profiles: Sequence[ColumnProfile], location: Location) -> list[Finding]:
    """Columns with missing cells and their fractions."""
    incomplete = sorted((p for p in profiles if 0 < p.missing < p.rows), key=lambda p: -p.missing / p.rows)
    findings = []
    nearly_empty = [p for p in incomplete if p.missing >= NEARLY_EMPTY * p.rows]
    if nearly_empty:
        names = [p.name for p in nearly_empty]
        message = f"nearly empty: {_shares(nearly_empty)} of the cells are missing"
        hint = f"If the remaining values matter little, drop {_them(names)}: {drop_key(names)}."
        findings.append(column_finding("note", FindingCode.NEARLY_EMPTY_COLUMN, location, names, message, hint))
    rest = incomplete[len(nearly_empty) :]
    if rest:
        message = f"{len(rest):,} of {count(len(profiles), 'column', 'columns')} with missing cells: {_shares(rest)}"
        hint = (
            "No action needed: a missing number becomes the median with an indicator, a missing category is a category."
        )
        names = [p.name for p in rest]
        findings.append(column_finding("note", FindingCode.MISSING_VALUES, location, names, message, hint))
    return findings


def _shares(profiles: Sequence[ColumnProfile]) -> str:
    shown = [f"{quote(p.name)} {percentage(p.missing, p.rows)}" for p in profiles[:MAX_NAMES]]
    more = [f"{len(profiles) - MAX_NAMES:,} more"] if len(profiles) > MAX_NAMES else []
    return ", ".join([*shown, *more])


def uninformative(profiles: Sequence[ColumnProfile], location: Location) -> list[Finding]:
    """Columns without a value, and columns with the same value in every row."""
    empty = [p.name for p in profiles if p.label is Label.EMPTY]
    constant = [p.name for p in profiles if p.label is Label.CONSTANT]
    findings = []
    if empty:
        message = f"{join_quoted(empty)} {_has(empty)} no value in any row and will be ignored"
        hint = f"No action needed; to drop it explicitly: {drop_key(empty)}."
        findings.append(column_finding("note", FindingCode.EMPTY_COLUMN, location, empty, message, hint))
    if constant:
        message = (
            f"{join_quoted(constant)} {_has(constant)} the same value in every row, so nothing can be learned from it"
        )
        hint = f"Drop {_them(constant)}: {drop_key(constant)}."
        findings.append(column_finding("note", FindingCode.CONSTANT_COLUMN, location, constant, message, hint))
    return findings


def id_like(profile: ColumnProfile, column: Column, location: Location) -> Finding | None:
    """A column whose values identify rows."""
    name, drop = quote(profile.name), drop_key([profile.name])
    needs_repeats = column.kind.encoder.needs_repeats
    hint = f"If so, drop it: {drop}."
    if needs_repeats and len(column.training) > 1 and not _has_frequent_value(column):
        return uninformative_column(column.kind.encoder, profile.name, location)
    if profile.label is Label.ID:
        message = f"{name} has a different value in every row; is it an id or a row number?"
    elif needs_repeats and profile.present >= MIN_DISTINCT and profile.distinct >= NEARLY_UNIQUE * profile.present:
        message = (
            f"{name} has {profile.distinct:,} different values in {profile.present:,} rows; "
            "is it an id, a name or free text?"
        )
    else:
        return None
    return column_finding("warning", FindingCode.ID_LIKE_COLUMN, location, [profile.name], message, hint)


def _has_frequent_value(column: Column) -> bool:
    counts = column.training.drop_nulls().value_counts(name="rows")["rows"]
    return counts.is_empty() or bool((counts >= MIN_COUNT).any())


def group_like(profile: ColumnProfile, row_columns: Sequence[str], location: Location) -> Finding | None:
    """A column named like a key whose values repeat, so that rows may belong together.

    `row_columns` are the columns by which rows are already grouped, ordered or weighted.
    """
    repeats = 2 * profile.distinct <= profile.present
    if row_columns or not repeats or profile.distinct < MIN_DISTINCT or not is_named_like_a_key(profile.name):
        return None
    message = (
        f"{quote(profile.name)} is named like a key, and each of its {profile.distinct:,} values occurs in "
        f"{profile.present / profile.distinct:.2g} rows on average; do these rows belong together?"
    )
    name = quote(profile.name)
    hint = f"If so, set `group: {name}` under data: each group is then either in training or in validation."
    return column_finding("note", FindingCode.GROUP_LIKE_COLUMN, location, [profile.name], message, hint)


class IdenticalColumns:
    """Columns that are equal in every row, found by a digest of each column."""

    def __init__(self) -> None:
        self._names: dict[int, list[str]] = defaultdict(list)

    def add(self, column: Column, digests: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        """Add a column with the digests (rows,) of its cells."""
        with np.errstate(over="ignore"):
            weights = np.arange(1, len(digests) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            self._names[hash((int((digests ^ weights).sum()), int((digests * weights).sum())))].append(column.name)

    def findings(self, location: Location, ignored: Sequence[str]) -> list[Finding]:
        """A finding for each set of equal columns, without the `ignored` ones."""
        findings = []
        for names in self._names.values():
            first, *rest = [name for name in names if name not in ignored] or [""]
            if rest:
                message = (
                    f"{join_quoted(rest)} {'is' if len(rest) == 1 else 'are'} equal to {quote(first)} in every row"
                )
                hint = f"Drop {_them(rest)}: {drop_key(rest)}."
                findings.append(column_finding("note", FindingCode.DUPLICATE_COLUMN, location, rest, message, hint))
        return findings


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
