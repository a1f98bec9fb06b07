"""Rows of JSON as a table with the columns of a model.

A cell is read by itself, whatever the other rows hold: in the column of a row of its own it would be read alike.
Columns of numbers become Float64, all others text, so that the tables of all requests have the same types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import chain, islice
from math import isinf
from operator import itemgetter
from types import NoneType
from typing import Any, NoReturn

import polars as pl

from nncli.base.dataclass import dataclass
from nncli.base.errors import CellError, Location
from nncli.base.text import closest_match, quote
from nncli.data.columns.parsing import read_text
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.table import FEW_ROWS, Table, missing_features
from nncli.models.ensemble import AnyModel
from nncli.serving.columns.input_schema import InputSchema, member_columns, of_kind
from nncli.serving.problems import ProblemError, invalid_row

SOURCE = "the request"
"""What messages call the table of a request."""
INFINITE = float("inf")
OVERFLOW = 2**1024 - 2**970
"""The smallest integer that float64 rounds to infinity."""
ONLY_FLOATS, TEXT_OR_MISSING = {float}, {str, NoneType}
CELL_TYPES = {float, int, bool, str, NoneType}
MAX_ITEMS, MAX_SHOWN = 5, 60
"""Of a list or an object that is refused, the items that are shown, and the characters of a text."""

Row = Mapping[str, Any]
Cells = Sequence[Any]


@dataclass(frozen=True)
class RowReader:
    """Reads the rows of requests for the `model` of this name.

    `numbers` are the encoders of each column that all members read as numbers, one for each way of reading texts.
    """

    model: str
    schema: InputSchema
    names: tuple[str, ...]
    numbers: Mapping[str, tuple[NumericColumn, ...]]
    missing_values: frozenset[str]
    dialect: CsvDialect
    cells_of: Callable[[Row], tuple[Any, ...]]
    """The cells of a row in the order of the names; raises a KeyError if one is absent."""

    @classmethod
    def of(cls, name: str, model: AnyModel, schema: InputSchema) -> RowReader:
        """The reader of a model with this schema."""
        names, spec = tuple(feature.name for feature in schema.features), model.spec
        getter = itemgetter(*names)
        cells_of = getter if len(names) != 1 else lambda row: (getter(row),)
        return cls(name, schema, names, _numbers(model), frozenset(spec.missing_values), spec.dialect, cells_of)

    def table(self, rows: Sequence[Row], *, is_file: bool = False) -> Table:
        """The table of rows of JSON, at least one. Keys that are not columns of the model are ignored.

        Every column of a file must be in some of its rows.

        Raises:
            ProblemError: a row lacks a column, or a value is a list, an object or too large a number.
        """
        try:
            by_row = list(map(self.cells_of, rows))
        except KeyError:
            by_row = self._with_absent_cells(rows, is_file=is_file)
        columns: dict[str, Cells | pl.Series] = {}
        for name, cells in zip(self.names, zip(*by_row, strict=True), strict=True):
            columns[name] = self._number_cells(name, cells) if name in self.numbers else self._text_cells(name, cells)
        return Table(_frame(columns, len(rows), self.numbers), SOURCE, dialect=self.dialect)

    def _with_absent_cells(self, rows: Sequence[Row], *, is_file: bool) -> list[tuple[Any, ...]]:
        """The cells of rows some of which lack columns that may be missing."""
        columns = AbsentColumns(self.model, self.schema)
        if is_file:
            columns.check_table(list(dict.fromkeys(chain.from_iterable(rows))))
        layouts = set[tuple[str, ...]]()
        for number, row in enumerate(rows, start=1):
            absent = tuple(name for name in self.names if name not in row)
            if absent and len(row) < MAX_NAMES:
                layout = tuple(row)
                if layout in layouts:
                    continue
                layouts.add(layout)
            if absent:
                columns.check_row(list(row), absent, number)
        return [tuple(map(row.get, self.names)) for row in rows]

    def _number_cells(self, name: str, cells: Cells) -> Cells | pl.Series:
        """Cells of a column of numbers as float or None; as text if one of them is text that is not a number."""
        kinds = {*map(type, cells)}
        if kinds != ONLY_FLOATS:
            _check_types(name, cells, kinds)
            if str in kinds:
                return self._number_texts(name, cells)
            try:
                cells = [None if cell is None else float(cell) for cell in cells]
            except OverflowError:
                _refuse_large(name, cells)
        if INFINITE in cells or -INFINITE in cells:
            _refuse_large(name, cells)
        return cells

    def _number_texts(self, name: str, cells: Cells) -> Cells | pl.Series:
        """The numbers of cells some of which are text; if one is not a number, the texts alone, to be refused later."""
        texts = [cell if isinstance(cell, str) and cell not in self.missing_values else None for cell in cells]
        series = pl.Series(name, texts, dtype=pl.String)
        table = Table(series.to_frame(), SOURCE, dialect=self.dialect)
        try:
            read = [column.comparable_cells(table) for column in self.numbers[name]]
        except CellError:
            return series
        others = [cell if type(cell) is not str else None for cell in cells]
        numbers = self._number_cells(name, others)
        return [
            x if text is not None else number for text, x, number in zip(texts, read[0].tolist(), numbers, strict=True)
        ]

    def _text_cells(self, name: str, cells: Cells) -> Cells:
        """Cells of a column of another kind as text or None: numbers and booleans as `read_text` spells them."""
        kinds, missing = {*map(type, cells)}, self.missing_values
        if kinds <= TEXT_OR_MISSING:
            return cells if missing.isdisjoint(cells) else [None if cell in missing else cell for cell in cells]
        _check_types(name, cells, kinds)
        if any(map(_is_too_large, cells)):
            _refuse_large(name, cells)
        floats = iter(_spelled([cell for cell in cells if type(cell) is float]))
        spell: dict[type, Callable[[Any], str | None]] = {
            str: lambda cell: None if cell in missing else cell,
            int: str,
            bool: lambda cell: "true" if cell else "false",
            float: lambda cell: next(floats),
            NoneType: lambda cell: None,
        }
        return [spell[type(cell)](cell) for cell in cells]


def _check_types(name: str, cells: Cells, kinds: set[type]) -> None:
    """Raise a ProblemError for the first cell that is a list or an object."""
    if kinds <= CELL_TYPES:
        return
    row, cell = next((row, cell) for row, cell in enumerate(cells, start=1) if type(cell) not in CELL_TYPES)
    what = "a list" if isinstance(cell, list) else "an object"
    hint = "A value is a number, a text, true, false or null."
    raise invalid_row(f"the value is {what}", hint, row=row, column=name, value=_shown(cell))


def _refuse_large(name: str, cells: Cells) -> NoReturn:
    """Raise a ProblemError for the first cell that is a number beyond float64."""
    row, cell = next((row, cell) for row, cell in enumerate(cells, start=1) if _is_too_large(cell))
    hint = "Correct the number, or write null."
    raise invalid_row("the value is too large to be a number", hint, row=row, column=name, value=_shown(cell))


def _is_too_large(cell: object) -> bool:
    return (isinstance(cell, int) and abs(cell) >= OVERFLOW) or (isinstance(cell, float) and isinf(cell))


def _numbers(model: AnyModel) -> dict[str, tuple[NumericColumn, ...]]:
    """The encoders of the columns that all members read as numbers, one for each way of reading texts."""
    numbers = {}
    for name, columns in member_columns(model).items():
        numeric = of_kind(NumericColumn, columns)
        if len(numeric) == len(columns):
            by_reading: dict[object, NumericColumn] = {}
            for column in numeric:
                by_reading.setdefault((column.unit, column.reads_booleans), column)
            numbers[name] = tuple(by_reading.values())
    return numbers


def _frame(columns: Mapping[str, Cells | pl.Series], rows: int, numbers: Container[str]) -> pl.DataFrame:
    """The frame of columns of Float64, of text where they are not numbers."""
    by_row: list[dict[str, Any]] = []
    if rows <= FEW_ROWS:  # then Polars makes a frame faster from rows than from columns
        by_row = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        frame = pl.from_dicts(by_row)
        if pl.Null not in frame.dtypes:
            return frame
    schema = {
        name: pl.Float64 if name in numbers and not isinstance(cells, pl.Series) else pl.String
        for name, cells in columns.items()
    }
    if by_row:
        return pl.from_dicts(by_row, schema=schema)
    return pl.DataFrame([pl.Series(name, cells, dtype=schema[name]) for name, cells in columns.items()])


def _spelled(numbers: list[float]) -> list[str | None]:
    """Numbers as `read_text` spells them in a column of floats."""
    return read_text(Table(pl.DataFrame({"x": numbers}, {"x": pl.Float64}), SOURCE), "x").to_list()


def _shown(cell: object) -> str:
    """A cell that is refused, shortened: its first items, without what they hold."""
    if isinstance(cell, list):
        return f"[{_items(map(_shown_item, cell[:MAX_ITEMS]), len(cell))}]"
    if isinstance(cell, dict):
        items = list(cell.items())[:MAX_ITEMS]
        return f"{{{_items((f'{_shown_item(key)}: {_shown_item(item)}' for key, item in items), len(cell))}}}"
    return f"an integer of {cell.bit_length():,} bits" if isinstance(cell, int) else str(cell)


def _items(shown: Iterable[str], count: int) -> str:
    return ", ".join([*shown, *["…"] * (count > MAX_ITEMS)])


def _shown_item(item: object) -> str:
    if isinstance(item, list | dict) or (isinstance(item, int) and abs(item) >= OVERFLOW):
        return "…"
    return json.dumps(item[:MAX_SHOWN] if isinstance(item, str) else item, ensure_ascii=False)


MAX_NAMES, MAX_NAME = 100, 200
"""Names of a request that are compared with those of the columns that it lacks, and the characters of one."""
MAX_COMPARISONS = 20_000
"""Pairs of names that are compared for one request: a pair takes some microseconds."""


@dataclass
class AbsentColumns:
    """Compares the names of one request with the columns of a model, and remembers the closest column of each."""

    model: str
    schema: InputSchema
    _closest: dict[str, str | None] = field(default_factory=dict)

    def check_row(self, names: Sequence[str], absent: Sequence[str], row: int | None = None) -> None:
        """Check the names of a row, or of rows alike, that lack the `absent` columns.

        Raises:
            ProblemError: a column is required, one is spelled in another way, or all columns are absent.
        """
        features = self.schema.by_name
        if len(absent) == len(features):
            raise self.error(absent, names, row)
        unused = unused_names(names, features)
        near = {self._closest_column(name) for name in unused}
        if required := [name for name in absent if not features[name].is_optional]:
            raise self.error(required, names, row)
        if misspelled := [name for name in absent if name in near]:
            raise self.error(misspelled, names, row, may_be_null=True)

    def check_table(self, names: Sequence[str]) -> None:
        """Check the names of a table, which must have all columns; a ProblemError if one is absent."""
        names_of_table = set(names)
        if absent := [name for name in self.schema.by_name if name not in names_of_table]:
            raise self.error(absent, names)

    def error(
        self, absent: Sequence[str], names: Sequence[str], row: int | None = None, *, may_be_null: bool = False
    ) -> ProblemError:
        """The error that columns are absent, as `nncli predict` words it."""
        features: Mapping[str, object] = self.schema.by_name
        what = "table" if row is None else "row"
        model = f"the model {quote(self.model)}"
        unused = unused_names(names, features)
        error = missing_features(absent, features, unused, Location(row=row), what, model)
        hint = f"{error.hint} If its value is missing, send null." if may_be_null else error.hint
        return invalid_row(error.message, hint, row, absent[0])

    def _closest_column(self, name: str) -> str | None:
        """The column that a name is closest to; None if there is none, or too many names were compared before."""
        if name not in self._closest:
            if len(self._closest) * len(self.schema.by_name) > MAX_COMPARISONS:
                return None
            self._closest[name] = closest_match(name[:100], self.schema.by_name)
        return self._closest[name]


def unused_names(names: Iterable[str], features: Container[str]) -> list[str]:
    """Names that are not features, to be compared with those that are missing: not too many, nor too long ones."""
    return list(islice((name for name in names if name not in features and len(name) <= MAX_NAME), MAX_NAMES))
