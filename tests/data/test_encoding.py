from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data import encoding
from nncli.data.categorical import FIRST, MISSING, OTHER, CategoricalColumn, Categories
from nncli.data.columns import Kind, infer_kind
from nncli.data.encoding import Encoder
from nncli.data.numeric import NumericColumn
from nncli.data.scaling import Clip, NumericScaling
from nncli.data.table import Table
from nncli.errors import DataError

SCALINGS: tuple[NumericScaling, ...] = get_args(NumericScaling)
CLIPS: tuple[Clip, ...] = get_args(Clip)
RECIPE = Categories(one_hot=8, binary="signs", scaling="robust", embedding_width=8)
MODERATE = st.none() | st.floats(-1e30, 1e30)
WORDS = st.none() | st.sampled_from(["a", "b", "c", "NA", "", "🐧", "a\nb", "1", "01"])
NAMES = ["x", "a.b", "n", "rows", "category", "🐧", "a\nb", "\x1b[31m", " ", "", "literal", "count"]


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


KINDS = (("number", Kind.NUMERIC), ("text", Kind.NUMERIC), ("word", Kind.CATEGORICAL))


def one(cells: Sequence[Any] | pl.Series, name: str = "x") -> Table:
    return Table(pl.DataFrame({name: cells}, strict=False), "t.csv")


def numeric(cells: Sequence[Any] | pl.Series, scaling: NumericScaling = "standard") -> Encoder:
    return Encoder.fit(one(cells), [("x", Kind.NUMERIC)], scaling)


def categorical(cells: Sequence[Any] | pl.Series, name: str = "x") -> Encoder:
    return Encoder.fit(one(cells, name), [(name, Kind.CATEGORICAL)], "standard")


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


# Numbers


def test_numbers_are_centred_and_scaled_by_the_standard_deviation() -> None:
    X, *_ = numeric([1.0, 2.0, 3.0, 6.0]).encode(one([3.0, 5.0]), "float64")
    assert X[:, 0] == pytest.approx((np.array([3.0, 5.0]) - 3.0) / math.sqrt(14 / 4))


def test_min_max_maps_the_training_rows_onto_zero_to_one() -> None:
    assert encoded(numeric([-1.0, 3.0, None], "min_max"), [-1.0, 3.0, 1.0, 5.0, None]) == [
        [0.0, 0.0],
        [1.0, 0.0],
        [0.5, 0.0],
        [1.5, 0.0],
        [0.5, 1.0],
    ]


def test_none_leaves_numbers_as_they_are() -> None:
    assert encoded(numeric([10.0, 20.0], "none"), ["7", "-0.5"]) == [[7.0], [-0.5]]


@given(tables())
def test_every_finite_cell_gives_a_finite_row(table: Table) -> None:
    for scaling in SCALINGS:
        for clip in CLIPS:
            X, *_ = Encoder.fit(table, KINDS, scaling, clip, RECIPE).encode(table, "float32")
            assert np.isfinite(X).all()


def test_a_missing_number_becomes_the_median_and_says_so() -> None:
    encoder = numeric([1.0, None, 2.0, 9.0], "none")
    assert encoder.columns[0].features == ("x", "x is missing")
    assert encoded(encoder, [None, 5.0, math.nan]) == [[2.0, 1.0], [5.0, 0.0], [2.0, 1.0]]


def test_a_missing_number_where_training_had_none_becomes_the_median() -> None:
    encoder = numeric([1.0, 2.0, 9.0], "none")
    assert encoder.columns[0].features == ("x",)
    assert encoded(encoder, [None, "nan"]) == [[2.0], [2.0]]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("value", [0.1, -7.0, 0.0, 1e150, 5e-324, 123456.789])
def test_a_constant_column_has_scale_one(value: float, scaling: NumericScaling) -> None:
    column = numeric([value] * 999, scaling).columns[0]
    assert isinstance(column, NumericColumn)
    assert column.scale == (0.0 if scaling == "robust" else 1.0)
    if scaling != "none":
        assert encoded(numeric([value] * 999, scaling), [value]) == pytest.approx(
            np.zeros((1, 1)), abs=abs(value) / 1e12
        )


def test_a_column_without_a_value_in_training_counts_as_zeros() -> None:
    encoder = numeric(pl.Series([None, None], dtype=pl.String))
    assert encoded(encoder, [None, "3"]) == [[0.0, 1.0], [3.0, 0.0]]


@pytest.mark.parametrize("rows", [0, 1])
def test_only_a_cell_that_is_missing_calls_for_an_indicator(rows: int) -> None:
    assert numeric(pl.Series([None] * rows, dtype=pl.Float64)).width == 1 + rows


@pytest.mark.parametrize(
    ("cells", "scaling"),
    [
        ([1.0, 1e200, 2.0], "standard"),
        ([1e308, 1.7e308], "standard"),
        ([-1.7e308, 1.7e308], "min_max"),
        ([1.7e308, 1.7e308], "none"),
        ([1.7e308, -1.7e308] * 16, "standard"),  # whose sum is infinity less infinity
    ],
)
def test_values_too_large_to_be_scaled_are_refused_with_their_row(cells: list[float], scaling: NumericScaling) -> None:
    table = Table(pl.DataFrame({"x": [None, *cells]}), "t.csv", first_row=100)
    with pytest.raises(DataError, match="too large") as caught:
        Encoder.fit(table, [("x", Kind.NUMERIC)], scaling)
    assert caught.value.place == table.place(row=1 + int(np.argmax(np.abs(cells))), column="x")
    assert caught.value.hint == "Mend the cell, or write the column in another unit."


@pytest.mark.parametrize(("dtype", "cell"), [("float32", 1e39), ("float32", -1e300), ("float64", 1.7e308)])
def test_a_cell_that_the_matrix_cannot_hold_is_refused_with_its_row(dtype: str, cell: float) -> None:
    encoder = numeric([0.0, 0.1])
    table = one([0.0, None, cell, 0.1])
    with pytest.raises(DataError, match="too far from the training values") as caught:
        encoder.encode(table, dtype)
    assert caught.value.place == table.place(row=2, column="x")
    assert caught.value.hint == "Mend the cell, or leave it empty."


def test_a_cell_that_is_no_number_is_refused_with_its_row_in_the_file() -> None:
    table = Table(pl.DataFrame({"x": ["1", "2", "3", "4", "oops"]}), "t.csv", first_row=11)
    with pytest.raises(DataError, match="'oops' is not a number") as caught:
        numeric([1, 2]).encode(table.take(np.array([0, 3, 4])), "float32")
    assert caught.value.place is not None
    assert (caught.value.place.row, caught.value.place.column) == (15, "x")


def test_a_bad_cell_in_a_later_block_is_refused_with_its_row() -> None:
    n = 2 * encoding.BLOCK + 5
    table = one(["1"] * (n - 1) + ["1,5"])
    for place in (table, table.take(np.arange(n))):
        with pytest.raises(DataError) as caught:
            numeric([1, 2]).encode(place, "float32")
        assert caught.value.place is not None
        assert caught.value.place.row == n


def test_integers_text_floats_and_decimals_of_the_same_value_give_the_same_bits() -> None:
    encoder = numeric([1, 2, 4])
    forms = [
        pl.Series("x", [1, 3, None], dtype=pl.Int8),
        pl.Series("x", [1, 3, None], dtype=pl.UInt64),
        pl.Series("x", [1, 3, None], dtype=pl.Int128),
        pl.Series("x", [1.0, 3.0, math.nan]),
        pl.Series("x", [1.0, 3.0, None], dtype=pl.Float32),
        pl.Series("x", ["1", " 3.0", None]),
        pl.Series("x", ["1", "3e0", None], dtype=pl.Categorical),
        pl.Series("x", [1, 3, None]).cast(pl.Decimal(20, 2)),
    ]
    assert len({bits(encoder, one(cells)) for cells in forms}) == 1


# Categories


def test_categories_become_zeros_and_ones_in_order_of_spelling() -> None:
    encoder = categorical(["b", "a", "b", "a", "c", "c"])
    assert first(encoder).features == ("x = a", "x = b", "x = c")
    assert encoded(encoder, ["c", "a"]) == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_rare_and_missing_cells_have_a_column_where_training_had_them() -> None:
    encoder = categorical(["a", "a", "rare", None])
    assert first(encoder).features == ("x = a", "x is rare", "x is missing")
    assert encoded(encoder, ["a", "rare", "never seen", None]) == [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
    ]


def test_unseen_and_missing_cells_are_zeros_where_training_had_none() -> None:
    encoder = categorical(["a", "a", "b", "b"])
    assert encoded(encoder, ["never seen", None, "b"]) == [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    assert first(encoder).codes(one(["never seen", None, "b"]))[0].tolist() == [OTHER, MISSING, FIRST + 1]


@pytest.mark.parametrize("cells", [["a", "b"], [None, None], ["a", None], []])
def test_a_column_without_a_common_category_is_encoded(cells: list[str | None]) -> None:
    encoder = categorical(pl.Series(cells, dtype=pl.String))
    X, *_ = encoder.encode(one(pl.Series(["a", None, "z"], dtype=pl.String)), "float32")
    assert X.shape == (3, ("a" in cells) + (None in cells))
    assert first(encoder).codes(one(["a", None]))[0].tolist() == [OTHER, MISSING]


@pytest.mark.parametrize("word", ["NA", "", "null", "None", "nan", "rare", "missing", "007", " a", "a ", "A", "a\x00"])
def test_a_word_that_looks_special_is_a_category_like_any_other(word: str) -> None:
    column = first(categorical(["a", "a", word, word, None]))
    assert set(column.categories) == {"a", word}
    assert column.codes(one([word, "a", None]))[0].tolist() == [
        FIRST + column.categories.index(word),
        FIRST + column.categories.index("a"),
        MISSING,
    ]


@pytest.mark.parametrize(
    ("cells", "categories"),
    [
        (pl.Series("x", [True, True, False, False, None]), ("false", "true")),
        (pl.Series("x", [2, 10, 2, 10, None]), ("10", "2")),
        (pl.Series("x", [2.0, 2.0, 0.5, 0.5, math.nan]), ("0.5", "2")),
        (pl.Series("x", [9007199254740993] * 2 + [9007199254740992] * 2), ("9007199254740992", "9007199254740993")),
        (pl.Series("x", ["b", "b", "a", "a", None], dtype=pl.Categorical), ("a", "b")),
        (pl.Series("x", ["b", "b"], dtype=pl.Enum(["b", "a"])), ("b",)),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_typed_columns_become_categories(cells: pl.Series, categories: tuple[str, ...]) -> None:
    encoder = categorical(cells)
    assert first(encoder).categories == categories
    assert first(encoder).missing is (cells.dtype != pl.Enum(["b", "a"]) and len(cells) == 5)


@pytest.mark.parametrize(("c", "width"), [(32, None), (33, 12), (100, 22), (464, 50), (463, 50), (450, 49), (1000, 50)])
def test_many_categories_are_embedded(c: int, width: int | None) -> None:
    encoder = categorical([f"{i % c:04}" for i in range(2 * c)])
    assert width is None or width == min(50, math.ceil(1.6 * c**0.56))
    assert first(encoder).embedding_width == width
    assert (first(encoder).slots, encoder.width) == (c + 2, c if width is None else 0)
    X, codes, _ = encoder.encode(one(["0000", None, "new", f"{c - 1:04}"]), "float32")
    assert X.shape == (4, encoder.width)
    assert codes.tolist() == ([[]] * 4 if width is None else [[2], [0], [1], [c + 1]])


def test_rare_categories_do_not_count_towards_the_embedding() -> None:
    common = [f"{i % 32:04}" for i in range(64)]
    encoder = categorical(common + [f"rare {i}" for i in range(99)])
    assert first(encoder).embedding_width is None
    assert encoder.width == 33


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_column_does(name: str) -> None:
    encoder = categorical(["a", "a", "b", "b", None], name)
    X, *_ = encoder.encode(one(["b", "c"], name), "float32")
    assert X.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert Encoder.model_validate_json(encoder.model_dump_json()) == encoder


# The whole


@given(tables(), st.sampled_from(SCALINGS), st.sampled_from(["float32", "float64"]))
def test_an_encoder_from_json_gives_the_same_bits(table: Table, scaling: NumericScaling, dtype: str) -> None:
    encoder = Encoder.fit(table, KINDS, scaling)
    again = Encoder.model_validate_json(encoder.model_dump_json())
    assert again == encoder
    assert bits(again, table, dtype) == bits(encoder, table, dtype)


@given(tables(), st.lists(st.integers(0, 12), max_size=4))
def test_chunks_give_the_same_bits_as_the_whole(table: Table, cuts: list[int]) -> None:
    encoder = Encoder.fit(table, KINDS, "standard")
    edges = [0, *sorted(cuts), len(table)]
    parts = [encoder.encode(table.part(a, b), "float32") for a, b in pairwise(edges)]
    X, codes, _ = encoder.encode(table, "float32")
    assert np.concatenate([part[0] for part in parts]).tobytes() == X.tobytes()
    assert np.concatenate([part[1] for part in parts]).tobytes() == codes.tobytes()


def test_blocks_give_the_same_bits_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=1000), "w": rng.integers(0, 50, 1000), "v": rng.integers(0, 5, 1000)})
    table = Table(frame, "t.csv")
    kinds = [("x", Kind.NUMERIC), ("w", Kind.CATEGORICAL), ("v", Kind.CATEGORICAL)]
    encoder = Encoder.fit(table, kinds, "standard")
    whole = bits(encoder, table)
    for size in (1, 7, 999, 1000):
        monkeypatch.setattr(encoding, "BLOCK", size)
        assert bits(encoder, table) == whole


@given(tables(), st.permutations(["number", "text", "word", "extra", "more"]))
def test_permuted_and_extra_columns_give_the_same_bits(table: Table, order: list[str]) -> None:
    encoder = Encoder.fit(table, KINDS, "standard")
    other = table.frame.with_columns(extra=pl.lit("oops"), more=pl.lit(None)).select(order)
    assert bits(encoder, Table(other, "other.csv")) == bits(encoder, table)


@given(tables(), st.permutations(range(12)))
def test_a_row_has_the_same_bits_wherever_it_stands(table: Table, order: list[int]) -> None:
    encoder = Encoder.fit(table, KINDS, "standard")
    X, *_ = encoder.encode(table, "float32")
    moved, *_ = encoder.encode(table.take(np.array(order)), "float32")
    assert moved.tobytes() == X[order].tobytes()


@given(tables(), tables(), st.sets(st.integers(0, 11), min_size=1))
def test_fitting_never_looks_at_validation_rows(table: Table, edits: Table, held: set[int]) -> None:
    training = np.array(sorted(set(range(12)) - held), np.int64)
    keep = pl.Series([i not in held for i in range(12)])
    edited = Table(
        table.frame.select(pl.when(keep).then(pl.col(c)).otherwise(edits.frame[c]).alias(c) for c in table.names),
        table.source,
    )

    def fitted(whole: Table) -> str:
        rows = whole.take(training)
        try:
            kinds = [(name, infer_kind(rows, name)) for name in rows.names]
        except DataError as error:
            return str(error)
        return Encoder.fit(rows, kinds, "standard").model_dump_json()

    assert fitted(edited) == fitted(table)


def test_ignored_columns_are_left_out() -> None:
    encoder = Encoder.fit(one(["a"]), [("x", Kind.IGNORE)], "standard")
    X, codes, _ = encoder.encode(one(["b", "c"]), "float32")
    assert (encoder.names, X.shape, codes.shape) == ([], (2, 0), (2, 0))


def test_a_table_without_rows_is_encoded() -> None:
    table = Table(pl.DataFrame(schema=dict.fromkeys(["number", "text", "word"], pl.String)), "t.csv")
    X, codes, _ = Encoder.fit(table, KINDS, "standard").encode(table, "float32")
    assert (len(X), len(codes)) == (0, 0)


def test_a_missing_column_is_refused_also_when_there_are_no_rows() -> None:
    with pytest.raises(DataError, match="no column 'x'"):
        numeric([1.0, 2.0]).encode(Table(pl.DataFrame({"y": []}), "t.csv"), "float32")
