"""Small tables, and encoders fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import polars as pl
from hypothesis import strategies as st

from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import CategoricalOptions, Clip, EncodingOptions, NumericScaling
from nncli.data.table import Table

SCALINGS: tuple[NumericScaling, ...] = get_args(NumericScaling)
CLIPS: tuple[Clip, ...] = get_args(Clip)
ONE_HOT = CategoricalOptions()
RECIPE = CategoricalOptions(max_one_hot=8, binary="sign", scaling="robust", embedding_width=8)
MODERATE = st.none() | st.floats(-1e30, 1e30)
WORDS = st.none() | st.sampled_from(["a", "b", "c", "NA", "", "🐧", "a\nb", "1", "01"])


@st.composite
def tables(draw: st.DrawFn, rows: int = 12) -> Table:
    """A table of a column of numbers, one of numbers as text, and one of words."""

    def some(cells: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(cells, min_size=rows, max_size=rows))

    spelled = [None if x is None else repr(x) for x in some(MODERATE)]
    frame = pl.DataFrame(
        {
            "number": pl.Series(some(MODERATE), dtype=pl.Float64),
            "text": pl.Series(spelled, dtype=pl.String),
            "word": pl.Series(some(WORDS), dtype=pl.String),
        }
    )
    return Table(frame, "t.csv")


KINDS = (("number", ColumnType.NUMERIC), ("text", ColumnType.NUMERIC), ("word", ColumnType.CATEGORICAL))


def one(cells: Sequence[Any] | pl.Series, name: str = "x") -> Table:
    return Table(pl.DataFrame({name: cells}, strict=False), "t.csv")


def numeric(cells: Sequence[Any] | pl.Series, scaling: NumericScaling = "standard", clip: Clip = "none") -> Encoder:
    return Encoder.fit(one(cells), [("x", ColumnType.NUMERIC)], EncodingOptions(numeric=scaling, clip=clip))


def categorical(
    cells: Sequence[Any] | pl.Series,
    name: str = "x",
    choices: CategoricalOptions = ONE_HOT,
    clip: Clip = "none",
) -> Encoder:
    return Encoder.fit(
        one(cells, name), [(name, ColumnType.CATEGORICAL)], EncodingOptions(clip=clip, categories=choices)
    )


def first(encoder: Encoder) -> CategoricalColumn:
    column = encoder.columns[0]
    assert isinstance(column, CategoricalColumn)
    return column


def encoded(encoder: Encoder, cells: Sequence[Any] | pl.Series) -> list[list[float]]:
    X, *_ = encoder.encode(one(cells), "float64")
    rows: list[list[float]] = X.tolist()
    return rows


def bits(encoder: Encoder, table: Table, dtype: str = "float32") -> bytes:
    X, codes, _ = encoder.encode(table, dtype)
    return X.tobytes() + codes.tobytes()
