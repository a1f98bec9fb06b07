"""The encoding of a table as operations of a program: the inputs of all members of a model, and the matrix of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from nncli.base.errors import UsageError
from nncli.base.text import quote
from nncli.data.encoders.base import ColumnEncoder
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.kinds import Column
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.numeric_blocks import has_plain_scaling, lower_columns
from nncli.data.encoders.options import Clip
from nncli.nn.arrays import Codes
from nncli.nn.program.inputs import ProgramInput
from nncli.nn.program.values import Builder, Value, join, round_to

C = TypeVar("C", bound=ColumnEncoder)


@dataclass(frozen=True)
class EmbeddedCategories:
    """The value of an input of categories (rows, 1), and the member's own code of each of its codes (codes,)."""

    codes: Value
    own: Codes


@dataclass(frozen=True)
class LoweredFeatures:
    """X (rows, width), None for a width of 0, and the columns that become codes for learned embeddings."""

    X: Value | None
    embedded: tuple[EmbeddedCategories, ...]


def program_inputs(encoders: Sequence[Encoder]) -> dict[str, ProgramInput]:
    """The input of each column, by name, from the encoders of all members.

    Raises:
        UsageError: the members read a column differently.
    """
    columns: dict[str, list[Column]] = {}
    for encoder in encoders:
        for column in encoder.columns:
            columns.setdefault(column.name, []).append(column)
    return {name: _input_of(name, own) for name, own in columns.items()}


def _input_of(name: str, columns: Sequence[Column]) -> ProgramInput:
    kinds = sorted({column.type for column in columns})
    if len(kinds) > 1:
        raise UsageError(
            f"to some members {quote(name)} is {kinds[0]}, to others {kinds[1]}",
            hint="Train again with the kind of the column set under data: `columns`.",
        )
    return _input_of_kind(type(columns[0]), columns)


def _input_of_kind(kind: type[C], columns: Sequence[ColumnEncoder]) -> ProgramInput:
    return kind.program_input([column for column in columns if isinstance(column, kind)])


def lower_encoder(
    encoder: Encoder, builder: Builder, inputs: Mapping[str, ProgramInput], precision: str
) -> LoweredFeatures:
    """The operations of `Encoder.encode` for a matrix of a precision. A value that is refused there becomes NaN."""
    raw = {name: builder.input(inputs[name]) for name in encoder.names}
    parts, positions = _Parts([]), dict[int, int]()
    starts = list(accumulate((column.width for column in encoder.columns), initial=0))
    jointly: dict[Clip, list[tuple[int, NumericColumn]]] = {}
    for start, column in zip(starts, encoder.columns, strict=False):
        if isinstance(column, NumericColumn) and has_plain_scaling(column):
            jointly.setdefault(column.clip, []).append((start, column))
        elif column.width:
            place = parts.add(column.lower(raw[column.name], inputs[column.name]))
            positions |= {start + j: place + j for j in range(column.width)}
    for group in jointly.values():
        z, missing = lower_columns([column for _, column in group], join([raw[column.name] for _, column in group]))
        marked = [j for j, (_, column) in enumerate(group) if column.missing_indicator]
        place = parts.add(z)
        positions |= {start: place + j for j, (start, _) in enumerate(group)}
        if marked:
            place = parts.add(missing.columns(marked))
            positions |= {group[j][0] + 1: place + i for i, j in enumerate(marked)}
    embedded = (c for c in encoder.columns if isinstance(c, CategoricalColumn) and c.embedding_width)
    codes = tuple(EmbeddedCategories(raw[c.name], c.input_codes(inputs[c.name])) for c in embedded)
    if not positions:
        return LoweredFeatures(None, codes)
    X = join(parts.values).columns([positions[j] for j in range(encoder.width)])
    return LoweredFeatures(round_to(precision, X), codes)


@dataclass(frozen=True)
class _Parts:
    """Values that are joined later."""

    values: list[Value]

    def add(self, value: Value) -> int:
        """Add a value; returns the position of its first column."""
        place = sum(part.width for part in self.values)
        self.values.append(value)
        return place
