"""The encoder of a table: fitted on the training rows, it turns any rows into a matrix, or into a program's operations.

A numeric column is scaled; a missing cell becomes the training median, and a second 0/1 column marks it if the training
rows had missing cells (numeric.py). A categorical column of few categories becomes a 0/1 column for each; one of more
becomes codes for a learned embedding: 0 for a missing cell, 1 for a rare or unseen category, 2 and up for the others
(categorical.py). A date becomes its days, year, month, weekday and hour, where they vary (date.py). A text becomes
counts of its words (text.py). Values unlike those of the training rows are counted: see anomalies.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Annotated, NamedTuple, Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from nncli.base import plugins
from nncli.base.errors import Advice, UsageError
from nncli.base.spec import Shorthand, Spec, unchanged
from nncli.base.text import quote
from nncli.data.columns.parsing import kind_is
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.column_types import ENCODERS, Column, ColumnType
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.encoding_options import DEFAULT_OPTIONS, EncodingOptions, FittedClip
from nncli.data.encoders.numeric import (
    ContextColumn,
    ExposureColumn,
    NumericColumn,
    OffsetColumn,
    PositiveColumn,
    encode_many,
    has_plain_scaling,
    lower_columns,
)
from nncli.data.encoders.row_context import RowContext
from nncli.data.store.column_store import NO_COLUMNS, DenseColumns
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Matrix
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput
from nncli.nn.program.values import Builder, Value, join, round_to

BLOCK = 65_536
"""Rows encoded at a time. X is filled column by column, and a block of it stays in the cache."""


class Encoded(NamedTuple):
    """X (rows, width), codes (rows, embedded columns), and the anomalies among the rows."""

    X: Matrix
    codes: Codes
    anomalies: Anomalies


class Encoder(Spec):
    """The fitted columns of all features, in the order of the matrix."""

    columns: tuple[Annotated[Column, Field(discriminator="type"), Shorthand(unchanged)], ...]

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        if len({column.name for column in self.columns}) < len(self.columns):
            raise ValueError("a column is there twice")
        return self

    @classmethod
    def fit(
        cls, table: Table, kinds: Sequence[tuple[str, ColumnType]], options: EncodingOptions = DEFAULT_OPTIONS
    ) -> Encoder:
        """Fit every column on `table`, which holds the training rows alone."""
        columns = (kind.encoder.fit(table, name, options) for name, kind in kinds if kind is not ColumnType.EMPTY)
        return cls(columns=tuple(columns))

    @property
    def names(self) -> list[str]:
        """The names of the columns that a table must have."""
        return [column.name for column in self.columns]

    @property
    def dates(self) -> list[str]:
        """The names of the columns of dates."""
        return [column.name for column in self.columns if isinstance(column, DateColumn)]

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of X."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def width(self) -> int:
        """Number of columns of X."""
        return sum(column.width for column in self.columns)

    @property
    def embeddable_positions(self) -> tuple[int, ...]:
        """Positions in X that numeric embeddings may embed: numeric columns, and the days and years of dates."""
        return tuple(j for place, column in self.places for j in range(place.start, place.start + column.n_numeric))

    @property
    def context_columns(self) -> tuple[ContextColumn, ...]:
        """The columns that answers are relative to; they are no features."""
        return tuple(column for column in self.columns if isinstance(column, ContextColumn))

    def context(self, table: Table) -> RowContext | None:
        """What the answers of the rows of a table are relative to; None if there are no such columns.

        Raises:
            CellError: a cell is missing, or not a number that it may be.
        """
        columns = self.context_columns
        if not columns:
            return None
        exposure = next((column.read(table) for column in columns if isinstance(column, PositiveColumn)), None)
        offset = next((column.read(table) for column in columns if isinstance(column, OffsetColumn)), None)
        return RowContext(exposure, offset, in_link=self.exposure is not None)

    def of_column(self, name: str, context: RowContext) -> RowContext | None:
        """What of the context is in a column; None if nothing is."""
        column = next((column for column in self.context_columns if column.name == name), None)
        if column is None:
            return None
        return RowContext(offset=context.offset) if isinstance(column, OffsetColumn) else RowContext(context.exposure)

    @property
    def exposure(self) -> ExposureColumn | None:
        """The column of exposures that the network adds in its link, if there is one."""
        return next((column for column in self.columns if isinstance(column, ExposureColumn)), None)

    @property
    def offset(self) -> int | None:
        """The position in X of the exposure."""
        return next((place.start for place, column in self.places if isinstance(column, ExposureColumn)), None)

    @property
    def places(self) -> list[tuple[slice, Column]]:
        """Every column with its slice of X."""
        ends = list(accumulate(column.width for column in self.columns))
        return [(slice(end - column.width, end), column) for end, column in zip(ends, self.columns, strict=True)]

    @property
    def embedded(self) -> list[CategoricalColumn]:
        """The columns that become codes for learned embeddings."""
        return [c for c in self.columns if isinstance(c, CategoricalColumn) and c.embedding_width]

    @property
    def positions(self) -> dict[str, list[int]]:
        """The positions of each column in X, and of its code after these."""
        positions = {column.name: [*range(place.start, place.stop)] for place, column in self.places}
        for j, column in enumerate(self.embedded, self.width):
            positions[column.name].append(j)
        return positions

    def empty(self, rows: int, dtype: str) -> tuple[Matrix, Codes]:
        """Uninitialized X of `dtype` and codes for a number of rows."""
        return np.empty((rows, self.width), dtype), np.empty((rows, len(self.embedded)), np.int64)

    def encode(self, table: Table, dtype: str) -> Encoded:
        """X of `dtype`, codes, and the anomalies among the rows.

        Raises:
            DataError: a column is missing, or a cell cannot be encoded.
        """
        X, codes = self.empty(len(table), dtype)
        return Encoded(X, codes, self.encode_into(table, X, codes))

    @property
    def numeric_names(self) -> list[str]:
        """The names of the numeric columns."""
        return [column.name for column in self.columns if isinstance(column, NumericColumn)]

    @property
    def jointly_encoded(self) -> frozenset[str]:
        """The numeric columns that can be encoded at once, as long as none of their cells is missing."""
        return frozenset(c.name for c in self.columns if isinstance(c, NumericColumn) and c.is_linear)

    def encode_into(self, table: Table, X: Matrix, codes: Codes, dense: DenseColumns = NO_COLUMNS) -> Anomalies:
        """Fill X and codes, and count the anomalies; raises what `encode` does.

        Columns that are `jointly_encoded` may be in `dense` instead of the table.
        """
        anomalies = self._encode_dense(dense, X)
        if anomalies is None:  # a cell will be refused: encode column by column, to name the first
            table, dense, anomalies = dense.add_to(table), NO_COLUMNS, Anomalies()
        in_dense = set(dense.names)
        rest = [column for column in self.places if column[1].name not in in_dense]
        table.require([column.name for _, column in rest])
        for start in range(0, len(table), BLOCK):
            rows = slice(start, start + BLOCK)
            anomalies += self._encode(rest, table.part(rows.start, rows.stop), X[rows], codes[rows])
        return anomalies

    def _encode_dense(self, dense: DenseColumns, X: Matrix) -> Anomalies | None:
        """Fill the columns of X that are in `dense`, adjacent ones at once; None if a value is to be refused."""
        rows = {name: row for row, name in enumerate(dense.names)}
        columns_in_dense = [
            (rows[c.name], place.start, c)
            for place, c in self.places
            if isinstance(c, NumericColumn) and c.name in rows
        ]
        anomalies: list[tuple[str, ColumnAnomalies]] = []
        for _, run in groupby(columns_in_dense, lambda column: (column[1] - column[0], column[2].clip)):
            places, starts, columns = zip(*run, strict=True)
            x = dense.x[places[0] : places[-1] + 1]
            counts = encode_many(columns, x, X[:, starts[0] : starts[-1] + 1])
            if counts is None:
                return None
            anomalies += zip((column.name for column in columns), counts, strict=True)
        return Anomalies.from_columns(anomalies)

    def _encode(self, columns: Sequence[tuple[slice, Column]], table: Table, X: Matrix, codes: Codes) -> Anomalies:
        """Fill X and codes from a table that holds the `columns`, those that are `jointly_encoded` at once."""
        linear = self.jointly_encoded
        dense = DenseColumns.of(table, [column.name for _, column in columns if column.name in linear])
        jointly = self._encode_dense(dense, X)
        in_dense = set(dense.names if jointly is not None else ())
        anomalies = [
            (column.name, column.encode(table, X[:, place]))
            for place, column in columns
            if column.width and column.name not in in_dense
        ]
        for j, embedded in enumerate(self.embedded):
            codes[:, j], counts = embedded.codes(table)
            anomalies.append((embedded.name, counts))
        all_anomalies = Anomalies.from_columns(anomalies)
        return all_anomalies if jointly is None else jointly + all_anomalies


C = TypeVar("C", bound=ColumnEncoder)


@dataclass(frozen=True)
class EmbeddedCategories:
    """The value of an input of categories (rows, 1), and the member's own code of each of its codes (codes,)."""

    codes: Value
    member_codes: Codes


@dataclass(frozen=True)
class LoweredFeatures:
    """X (rows, width), None for a width of 0, and the columns that become codes for learned embeddings."""

    X: Value | None
    embedded: tuple[EmbeddedCategories, ...]


def program_inputs(
    encoders: Sequence[Encoder], dialect: CsvDialect = PLAIN_NUMBERS, *, lenient: bool = False
) -> dict[str, ProgramInput]:
    """The input of each column, by name, from the encoders of all members and the dialect of the training table.

    Where the members read a column differently, a `lenient` caller gets the input of those with the first kind of
    kinds.py, or of the first of these.

    Raises:
        UsageError: the members read a column differently.
    """
    columns: dict[str, list[Column]] = {}
    for encoder in encoders:
        for column in encoder.columns:
            columns.setdefault(column.name, []).append(column)
    inputs = {name: _input_of(name, same_name, lenient=lenient) for name, same_name in columns.items()}
    for name, mark in dialect.decimals:
        if isinstance(number := inputs.get(name), NumberInput):
            inputs[name] = replace(number, decimal=mark)
    for name, words in dialect.missing_words:
        if isinstance(read := inputs.get(name), NumberInput | DateInput):
            inputs[name] = replace(read, missing_words=words)
    return inputs


def _input_of(name: str, columns: Sequence[Column], *, lenient: bool) -> ProgramInput:
    kinds = sorted({column.type for column in columns})
    if len(kinds) > 1 and not lenient:
        raise UsageError(
            f"to some networks {quote(name)} is {kinds[0]}, to others {kinds[1]}",
            hint=Advice("Train again, and set the kind of the column, such as ", kind_is(name, kinds[0]), "."),
        )
    order = (*ENCODERS.values(), *plugins.loaded("encoders").values(), ContextColumn)
    kind = next(kind for kind in order if any(isinstance(column, kind) for column in columns))
    return _input_of_kind(kind, columns, lenient=lenient)


def _input_of_kind(kind: type[C], columns: Sequence[ColumnEncoder], *, lenient: bool) -> ProgramInput:
    of_kind = [column for column in columns if isinstance(column, kind)]
    try:
        return kind.program_input(of_kind)
    except UsageError:  # such as another unit
        if not lenient:
            raise
        return kind.program_input(of_kind[:1])


def lower_encoder(
    encoder: Encoder, builder: Builder, inputs: Mapping[str, ProgramInput], precision: str
) -> LoweredFeatures:
    """The operations of `Encoder.encode` for a matrix of a precision. A value that is refused there becomes NaN."""
    raw = {name: builder.input(inputs[name]) for name in encoder.names}
    parts, positions = list[Value](), dict[int, int]()

    def add(value: Value) -> int:
        """Add a value that is joined later; returns the position of its first column."""
        parts.append(value)
        return sum(part.width for part in parts[:-1])

    jointly: dict[FittedClip, list[tuple[int, NumericColumn]]] = {}
    for columns_of_X, column in encoder.places:
        start = columns_of_X.start
        if isinstance(column, NumericColumn) and has_plain_scaling(column):
            jointly.setdefault(column.clip, []).append((start, column))
        elif column.width:
            place = add(column.lower(raw[column.name], inputs[column.name]))
            positions |= {start + j: place + j for j in range(column.width)}
    for group in jointly.values():
        z, missing = lower_columns([column for _, column in group], join([raw[column.name] for _, column in group]))
        marked = [j for j, (_, column) in enumerate(group) if column.missing_indicator]
        place = add(z)
        positions |= {start: place + j for j, (start, _) in enumerate(group)}
        if marked:
            place = add(missing.columns(marked))
            positions |= {group[j][0] + 1: place + i for i, j in enumerate(marked)}
    embedded = (c for c in encoder.columns if isinstance(c, CategoricalColumn) and c.embedding_width)
    codes = tuple(EmbeddedCategories(raw[c.name], c.input_codes(inputs[c.name])) for c in embedded)
    if not positions:
        return LoweredFeatures(None, codes)
    X = join(parts).columns([positions[j] for j in range(encoder.width)])
    return LoweredFeatures(round_to(precision, X), codes)
