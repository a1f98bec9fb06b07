"""Cells of a training table that are no numbers or dates as the others of their column: k.A., n/a and inf among prices.

A few words among many numbers are typing errors or marks of missing cells, not categories: by themselves they would
turn a column of numbers into one of thousands of categories. As missing cells they are marked by a feature of their
column; see encoders/numeric.py. The dialect of the table has them as `missing_words`, so that its model reads new rows
alike; see `Table.column`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

import polars as pl

from nncli.data.columns.datetimes import infer_date_formats, parse_any_date
from nncli.data.columns.parsing import MISSING_WORDS, CellErrors, exact_numbers
from nncli.data.columns.raw_column import DIGIT, MIN_CODES, RawColumn, are_categories, are_codes, looks_like_a_number
from nncli.data.encoders.anomalies import InvalidCells, InvalidCounts
from nncli.data.encoders.column_types import ColumnType
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.nn.arrays import Mask

OnInvalidCell: TypeAlias = Literal["auto", "fail", "missing", "skip"]
"""What happens to a cell that cannot be read, as in `data.on_error`."""
MAX_SHARE = 0.01
"""Share of the present cells of a column below which words among numbers are missing cells."""
MIN_REPEATS, MAX_SHARE_OF_TWO = 3, 0.1
"""Cells of a word without a digit from which it marks missing cells: up to half of the present cells if it
is the only one, up to this share if there are two, or numbers of few values."""
SAMPLE_ROWS, MIN_SHARE = 256, 0.25
"""About so many cells tell columns of words and codes: of others such a share, or more, has a digit, or is a number."""


def remove_invalid_cells(
    store: ColumnStore,
    kinds: Mapping[str, ColumnType],
    names: Collection[str],
    policy: OnInvalidCell,
    *,
    targets: Collection[str] = (),
) -> ColumnStore:
    """The table in which the invalid cells of the columns `names` are missing, or with `skip`, without their rows.

    `kinds` are those that are configured. The cells are in `header.invalid_cells`; of `skip` there is a note. By `auto`
    they are words, or infinite numbers, that are fewer than 1 % of the cells of their column; or one or two words that
    repeat. Few different values of `targets` are classes, some of which may be words.
    """
    if policy == "fail" or not len(store):
        return store
    cells = InvalidCells.none()
    columns: dict[str, pl.Series] = {}
    for name in _candidates(store, names, policy):
        table = store.columns([name])
        mask = invalid_cells_of(table, name, kinds.get(name), policy, is_target=name in targets)
        if mask is None or not mask.any():
            continue
        of_column = InvalidCells.of(table, [(name, CellErrors.of(mask, "is not a number", ""))])
        cells = cells.joined(of_column)
        cleaned = of_column.removed_from(table)
        exact = exact_numbers(cleaned.frame, table.dialect_of(name)) if table.column(name).dtype == pl.String else {}
        columns[name] = exact.get(name, cleaned.frame.get_column(name))
    if not columns:
        return store
    store, header = store.with_columns(columns), store.header
    if policy != "skip":
        words = cells.frame.group_by("column").agg(pl.col("value").unique().sort()).sort("column")
        dialect = header.dialect.model_copy(
            update={"missing_words": tuple((name, tuple(values)) for name, values in words.iter_rows())}
        )
        return replace(store, header=replace(header, invalid_cells=cells.frame, dialect=dialect))
    note = f"{header.source}: {InvalidCounts.of(cells).note(skipped=True)}"
    store = replace(store, header=replace(header, notes=(*header.notes, note)))
    return store.take(cells.valid_rows(len(store)))


def invalid_cells_of(
    table: Table, name: str, kind: ColumnType | None, policy: OnInvalidCell, *, is_target: bool = False
) -> Mask | None:
    """The invalid cells (rows,) of a column of the configured kind; None if they are to be refused, or are none."""
    column = RawColumn(table, name)
    cells = column.cells
    if cells.dtype.is_float():
        mask = cells.is_infinite().fill_null(False)
        return _as_allowed(mask, cells.count(), policy)
    if kind is ColumnType.DATE or (kind is None and policy != "auto" and _are_mostly_dates(column)):
        formats = infer_date_formats(cells, table.dialect.date_format).formats
        odd = parse_any_date(cells, formats).is_null() & cells.is_not_null() if formats else None
        return None if odd is None or policy == "auto" else _as_allowed(odd, cells.count(), policy)
    numbers = min(column.numbers, column.numbers_without_unit, key=lambda x: x.null_count())
    odd = cells.is_not_null() & (numbers.is_null() | numbers.is_infinite()).fill_null(True)
    count, present = int(odd.sum()), cells.count()
    if not count or 2 * count >= present:
        return None
    words = cells.filter(odd)
    if kind is None:
        if column.has_leading_zeros or are_codes(cells, odd):
            return None
        if are_categories(cells, odd) and (is_target or policy != "auto" or not _mark_missing(words, present)):
            return None
    if policy == "auto" and (looks_like_a_number(words).any() or words.str.contains(DIGIT).sum() >= MIN_CODES):
        return None
    if policy == "auto" and not (words.str.contains(DIGIT).any() or (numbers.is_infinite() & odd).any()):
        counts: list[int] = words.value_counts()["count"].to_list()
        are_few = len(counts) == 1 or (len(counts) == 2 and count <= MAX_SHARE_OF_TWO * present)
        if are_few and min(counts) >= MIN_REPEATS:
            return odd.to_numpy()
    return _as_allowed(odd, present, policy)


def _mark_missing(words: pl.Series, present: int) -> bool:
    """Whether one word among numbers of few values, all of its cells `words`, marks missing cells and is no category.

    It is rare, or means nothing else: persons of "2", "4" and "more" are categories.
    """
    if words.n_unique() > 1 or len(words) < MIN_REPEATS or words.str.contains(DIGIT).any():
        return False
    return len(words) <= MAX_SHARE_OF_TWO * present or words[0].strip().casefold() in MISSING_WORDS


def _as_allowed(mask: pl.Series, present: int, policy: OnInvalidCell) -> Mask | None:
    """The mask of invalid cells; None if they are too many to be missing without being asked for."""
    return None if policy == "auto" and mask.sum() >= MAX_SHARE * present else mask.to_numpy()


def _are_mostly_dates(column: RawColumn) -> bool:
    cells = column.cells
    formats = infer_date_formats(cells, column.table.dialect.date_format).formats
    return bool(formats) and 2 * parse_any_date(cells, formats).count() > cells.count()


def _candidates(store: ColumnStore, names: Collection[str], policy: OnInvalidCell) -> list[str]:
    """The columns that may have invalid cells: of text in which digits are frequent, or with infinite numbers."""
    texts = [name for name in names if store.types[name] == pl.String]
    infinite = [name for name in names if any(group.spans[name].has_infinite for group in store.row_groups)]
    chosen = set(infinite)
    if texts:
        first_table = next(store.blocks(texts))
        sample = first_table.frame.gather_every(max(len(first_table) // SAMPLE_ROWS, 1))
        shares = sample.select(pl.all().cast(pl.String).str.contains(DIGIT).mean())
        chosen |= {name for name in texts if (share := shares.item(0, name)) is None or share >= MIN_SHARE}
        if policy == "auto":  # of numbers alone
            columns = {name: RawColumn(replace(first_table, frame=sample), name) for name in texts if name in chosen}
            chosen -= {
                name
                for name, column in columns.items()
                if max(column.numbers.count(), column.numbers_without_unit.count()) < MIN_SHARE * len(column.present)
            }
    return [name for name in names if name in chosen]
