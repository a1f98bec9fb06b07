"""What single columns hold: missing cells, nothing, one value, one for every row, another one's values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nncli.checks.column import MOST_NAMED, Column, about, dropped, have, share
from nncli.checks.findings import Finding
from nncli.data.encoders.categorical import MIN_COUNT
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key
from nncli.errors import Location
from nncli.text import join_quoted, quote

NEARLY_ALL = 0.95
"""Share of missing cells from which a column hardly says anything."""
NEARLY_DIFFERENT = 0.9
"""Share of rows with a value of their own from which text says next to nothing."""
ENOUGH = 50
"""Rows from which that is no accident."""


def missing_cells(profiles: Sequence[ColumnProfile], place: Location) -> list[Finding]:
    """The columns with missing cells, and their shares."""
    holes = sorted((p for p in profiles if 0 < p.missing < p.rows), key=lambda p: -p.missing / p.rows)
    findings = []
    hardly = [p for p in holes if p.missing >= NEARLY_ALL * p.rows]
    if hardly:
        names = [p.name for p in hardly]
        message = f"hardly any row has a value: {_shares(hardly)} of the cells are missing"
        mend = f"If the few mean little, leave {_them(names)} out: {dropped(names)}."
        findings.append(about("note", "nearly-empty-column", place, names, message, mend))
    rest = holes[len(hardly) :]
    if rest:
        columns = f"of {have(len(profiles), 'column', 'columns')}, {have(len(rest), 'has', 'have')} missing cells"
        mend = (
            "Nothing need be done: a missing number becomes the median and sets a flag, a missing word is a category."
        )
        names = [p.name for p in rest]
        findings.append(about("note", "missing-cells", place, names, f"{columns}: {_shares(rest)}", mend))
    return findings


def _shares(profiles: Sequence[ColumnProfile]) -> str:
    shown = [f"{quote(p.name)} {share(p.missing, p.rows)}" for p in profiles[:MOST_NAMED]]
    more = [f"{len(profiles) - MOST_NAMED:,} more"] if len(profiles) > MOST_NAMED else []
    return ", ".join([*shown, *more])


def uninformative(profiles: Sequence[ColumnProfile], place: Location) -> list[Finding]:
    """Columns without a value, with one value, with a value of its own in every row, or in nearly every row."""
    empty = [p.name for p in profiles if p.label is Label.EMPTY]
    constant = [p.name for p in profiles if p.label is Label.CONSTANT]
    findings = []
    if empty:
        message = f"{join_quoted(empty)} {_has(empty)} no value in any row, and will be ignored"
        mend = f"Nothing need be done, or say so: {dropped(empty)}."
        findings.append(about("note", "empty-column", place, empty, message, mend))
    if constant:
        message = (
            f"{join_quoted(constant)} {_has(constant)} the same value in every row, from which nothing can be learnt"
        )
        findings.append(
            about(
                "note",
                "constant-column",
                place,
                constant,
                message,
                f"Leave {_them(constant)} out: {dropped(constant)}.",
            )
        )
    return findings


def id_like(profile: ColumnProfile, column: Column, place: Location) -> Finding | None:
    """A column that tells rows apart and nothing else."""
    name, drop = quote(profile.name), dropped([profile.name])
    words = column.kind.encoder.needs_repeats
    mend = f"If so, leave it out: {drop}."
    if words and len(column.cells) > 1 and not _seen_twice(column):
        message, mend = column.kind.encoder.uninformative_note((profile.name,)), f"Leave it out: {drop}."
    elif profile.label is Label.ID:
        message = f"{name} has a different value in every row; does it number or name the rows?"
    elif words and profile.present >= ENOUGH and profile.distinct >= NEARLY_DIFFERENT * profile.present:
        message = (
            f"{name} has {profile.distinct:,} different values in {profile.present:,} rows, so hardly any is seen "
            "twice; is it a name, a number of something, or free text?"
        )
    else:
        return None
    return about("warning", "id-like-column", place, [profile.name], message, mend)


def _seen_twice(column: Column) -> bool:
    counts = column.cells.drop_nulls().value_counts(name="rows")["rows"]
    return counts.is_empty() or bool((counts >= MIN_COUNT).any())


def group_like(profile: ColumnProfile, apart: Sequence[str], place: Location) -> Finding | None:
    """A column named like a key whose values come several times: rows that belong together."""
    several = 2 * profile.distinct <= profile.present
    if apart or not several or profile.distinct < ENOUGH or not is_named_like_a_key(profile.name):
        return None
    message = (
        f"{quote(profile.name)} is named like a key, and each of its {profile.distinct:,} values stands in "
        f"{profile.present / profile.distinct:.2g} rows in the mean; do these belong together?"
    )
    name = quote(profile.name)
    mend = f"If so, set `group: {name}` under data: then none of them is both trained on and held out."
    return about("note", "group-like-column", place, [profile.name], message, mend)


class IdenticalColumns:
    """Finds columns that are equal in every row, a column at a time: only digests are kept."""

    def __init__(self) -> None:
        self._names: dict[int, list[str]] = defaultdict(list)

    def add(self, column: Column, digests: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        """Take note of a column, and of its cells' digests (rows,)."""
        with np.errstate(over="ignore"):
            places = np.arange(1, len(digests) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            self._names[hash((int((digests ^ places).sum()), int((digests * places).sum())))].append(column.name)

    def findings(self, place: Location, nothing: Sequence[str]) -> list[Finding]:
        """A finding for every set of equal columns, apart from those that carry `nothing` anyway."""
        found = []
        for names in self._names.values():
            first, *rest = [name for name in names if name not in nothing] or [""]
            if rest:
                message = f"{join_quoted(rest)} {'repeats' if len(rest) == 1 else 'repeat'} {quote(first)} in every row"
                mend = f"Leave {_them(rest)} out: {dropped(rest)}."
                found.append(about("note", "duplicate-column", place, rest, message, mend))
        return found


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
