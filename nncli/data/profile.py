"""What each column of a table looks like, in a person's words: what it holds, and whether to train on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from nncli.data.columns.ambiguity import MAX_CATEGORIES
from nncli.data.columns.hints import MISSING_WORDS
from nncli.data.columns.parsing import parse_numbers, read_text, unit_of
from nncli.data.columns.units import infer_unit
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.errors import DataError

MAX_TOP_VALUES = 5
"""Values of a column that are shown."""
MIN_ROWS_FOR_KEY = 20
"""Rows below which values that all differ say nothing, unless the column is named like a key."""
BOOLEAN_PAIRS = frozenset(
    map(frozenset, (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"), ("0", "1")))
)
"""How the two values of a boolean column are spelled, whatever their capitals."""
NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
KEY_NAMES = frozenset(("id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "rownum", "rownumber", "rownames"))
ENTITY_KEY = re.compile(
    "(row|record|user|customer|client|passenger|patient|person|order|item|product|case|sample|subject|student|"
    "employee|member|account|transaction|event|session|device|image|file|object|loan|invoice|house)(id|key|no|nr)"
)
UNNAMED_COLUMN = re.compile(r"unnamed: ?[0-9]+|column_?[0-9]*|#|no\.?|nr\.?|")
"""What programs call a column of row numbers that had no name."""
SEVERAL_WORDS = r"\S\s+\S"
THOUSANDS = (",", ".", "'", " ")
TIME_WORDS = frozenset(
    ("time", "t", "date", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "period")
)


class Label(StrEnum):
    """What a column holds where its kind alone does not say it: an id of digits is numeric to training."""

    BOOLEAN = "boolean"
    ID = "id-like"
    CONSTANT = "constant"
    EMPTY = "empty"


@dataclass(frozen=True)
class ColumnProfile:
    """A column as it was found.

    `kind` is what training takes it for, or can be told to where it asks. `trouble` is the error of a training that is
    told nothing. Of `rows`, `missing` have no value; the others hold `distinct` different ones, the `commonest` of
    which are given as they are spelled, with their counts. Lowest, highest, mean and median are those of numbers that
    are finite. `words` are those spellings of a missing value that keep the column from being numbers, `thousands` what
    groups their digits in threes and does so, `unit` what is taken off of numbers; see units.py. `keep` says whether to
    train on it, and `reason` why not.
    """

    name: str
    kind: Kind
    label: Kind | Label
    rows: int
    missing: int
    distinct: int = 0
    top_values: tuple[tuple[str, int], ...] = ()
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    median: float | None = None
    na_spellings: tuple[str, ...] = ()
    thousands: str = ""
    unit: str | None = None
    error: DataError | None = None
    recommended: bool = True
    reason: str = ""

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value that no other has, as keys do."""
        return self.rows > 1 and self.distinct == self.rows


def profile(table: ColumnStore, names: Sequence[str] | None = None) -> tuple[ColumnProfile, ...]:
    """The profile of each column (default: all that were kept, in order), one column in memory at a time.

    Raises:
        DataError: there is no such column.
    """
    if names is None:
        names = [name for name in table.header.names if name in table.types]
    return tuple(profile_column(table.columns([name]), name) for name in names)


def profile_column(table: Table, name: str) -> ColumnProfile:
    """The profile of one column of a table.

    Raises:
        DataError: there is no such column.
    """
    cells, error_if_untyped, refusal = table.column(name), None, None
    try:
        kind = infer_kind(table, name)
        refusal = _read_error(table, name, kind)
    except DataError as error:  # in doubt; told to, training takes it for categories
        kind, error_if_untyped = Kind.CATEGORICAL, error
    cells = cells.fill_nan(None) if cells.dtype.is_float() else cells
    label: Kind | Label = Label.EMPTY if kind is Kind.EMPTY else kind
    unit = unit_of(table, name) if kind.is_numeric else None
    missing = cells.null_count()
    found = ColumnProfile(name, kind, label, len(cells), missing, unit=unit, error=error_if_untyped or refusal)
    if label is Label.EMPTY:
        return replace(found, recommended=False, reason="no value in any row")
    present = cells.drop_nulls()
    if refusal is not None:
        label = Kind.DATE if present.dtype.is_temporal() else label
        found = replace(found, label=label, recommended=False, reason=refusal.message)
    if present.dtype.is_nested() or present.dtype in (pl.Binary, pl.Object):
        return found
    found = _with_statistics(found, present, table)
    return found if refusal else _with_recommendation(found, present, table)


def _read_error(table: Table, name: str, kind: Kind) -> DataError | None:
    """Why the cells of a column cannot be read as what they are: one is infinite, or there is no such kind."""
    try:
        if kind is not Kind.EMPTY:
            kind.encoder.read_cells(table, name)
    except DataError as error:
        return error
    return None


def _with_statistics(found: ColumnProfile, present: pl.Series, table: Table) -> ColumnProfile:
    """The profile with the counts, and the figures of a column of numbers."""
    cells = present.cast(pl.String) if present.dtype in (pl.Categorical, pl.Enum) else present
    counts = cells.alias("value").value_counts(name="rows")
    most = counts.sort(["rows", "value"], descending=[True, False]).head(MAX_TOP_VALUES)
    value, rows = most.get_columns()
    spelled = read_text(Table(value.to_frame(), ""), "value") if value.dtype.is_float() else value.cast(pl.String)
    found = replace(found, distinct=len(counts), top_values=tuple(zip(spelled.to_list(), rows.to_list(), strict=True)))
    if not found.kind.is_numeric:
        return found
    x = parse_numbers(present, table.dialect, found.unit).fill_nan(None)
    x = x.filter(x.is_finite())
    lowest, highest, mean, median = x.min(), x.max(), x.mean(), x.median()
    return replace(found, lowest=lowest, highest=highest, mean=mean, median=median)  # type: ignore[arg-type]


def _with_recommendation(found: ColumnProfile, present: pl.Series, table: Table) -> ColumnProfile:
    """The profile with the label that a person would give, and whether to train on such a column."""
    if found.distinct == 1 and found.rows == found.present > 1:
        return replace(found, label=Label.CONSTANT, recommended=False, reason="one value in all rows")
    trouble = found.error
    if trouble is not None and not _are_all_integers(present):
        if words := _na_spellings(found, present, table):
            return replace(found, na_spellings=words)
        found = replace(found, thousands=_infer_thousands(present, table))
        if found.is_unique and found.rows >= MIN_ROWS_FOR_KEY:  # too many to be categories
            return replace(found, recommended=False, reason=trouble.message)
        return found
    if found.is_unique and _is_key(found, present, table):
        return replace(found, label=Label.ID, recommended=False, reason="a different value in every row")
    if found.kind.encoder.needs_repeats:
        if present.dtype == pl.String and (words := _na_spellings(found, present, table)):
            return replace(found, na_spellings=words)
        found = replace(found, thousands=_infer_thousands(present, table))
        if found.is_unique and found.rows >= MIN_ROWS_FOR_KEY:
            return replace(found, label=Kind.TEXT, recommended=False, reason="text, and a different one in every row")
    if found.distinct == 2 and frozenset(value.strip().lower() for value, _ in found.top_values) in BOOLEAN_PAIRS:
        return replace(found, label=Label.BOOLEAN)
    return found


def _infer_thousands(present: pl.Series, table: Table) -> str:
    """The mark that makes numbers of all cells, if it groups their digits: 1,234,567 and 950; not 0,123."""
    dialect = table.dialect
    if present.dtype != pl.String or dialect.thousands is not None:
        return ""
    unit = infer_unit(present)
    for mark in THOUSANDS:
        if mark == dialect.decimal or present.str.contains(rf"^\s*[+-]?0+{re.escape(mark)}").any():
            continue
        if not parse_numbers(present, dialect.model_copy(update={"thousands": mark}), unit).has_nulls():
            return mark
    return ""


def _are_all_integers(present: pl.Series) -> bool:
    """Whether all cells are whole numbers, which may be too long for training to take them as such."""
    return present.dtype.is_integer() or bool(present.cast(pl.String).str.contains(r"^\s*[+-]?[0-9]+\s*$").all())


def _is_key(found: ColumnProfile, present: pl.Series, table: Table) -> bool:
    """Whether values that all differ are words or whole numbers that name the row.

    A measurement may differ in every row as well; so numbers have to have a key's name, or to be those of the rows.
    """
    named = is_named_like_a_key(found.name)
    if found.rows < MIN_ROWS_FOR_KEY and not named:
        return False
    if found.kind.is_numeric:
        x = parse_numbers(present, table.dialect, found.unit)
        first, last = found.lowest, found.highest
        if first is None or last is None or not (x == x.floor()).all():
            return False
        counted = first in (0.0, 1.0) and last - first == found.rows - 1
        return named or (counted and not TIME_WORDS & set(words_of_name(found.name)))
    if present.dtype == pl.String:
        return found.label is not Kind.DATE and not present.str.contains(SEVERAL_WORDS).any()
    return present.dtype.is_integer()  # with more digits than a number can keep


def _na_spellings(found: ColumnProfile, present: pl.Series, table: Table) -> tuple[str, ...]:
    """The cells of a column of text that are no numbers, if each means that there is none, and all others are numbers.

    Where training has no doubt that these are categories, they are left so unless they are too many for that.
    """
    numbers = parse_numbers(present, table.dialect, infer_unit(present))
    odd = present.filter(numbers.is_null()).unique().to_list()
    if found.error is None and found.distinct <= MAX_CATEGORIES + len(odd):
        return ()
    return tuple(sorted(odd)) if all(word.strip().casefold() in MISSING_WORDS for word in odd) else ()


def words_of_name(name: str) -> list[str]:
    """`customerID` in parts: customer, id."""
    return [part.lower() for part in NAME_PARTS.findall(name)]


def is_named_like_a_key(name: str) -> bool:
    """Whether a column's name says that its values name the rows: id, rowid, PassengerId, order_no, Unnamed: 0."""
    parts = words_of_name(name)
    ends = {*parts[:1], *parts[-1:]}
    return bool(
        ends & KEY_NAMES or ENTITY_KEY.fullmatch("".join(parts)) or UNNAMED_COLUMN.fullmatch(name.strip().lower())
    )
