from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.data.encoders.categorical import FIRST_CATEGORY, CategoricalColumn
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import CategoricalOptions, Clip
from nncli.data.table import Table
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE
from tests.data.encoders.support import CLIPS, RECIPE, categorical, encoded, first, numeric, one

NAMES = ["x", "a.b", "n", "rows", "category", "🐧", "a\nb", "\x1b[31m", " ", "", "literal", "count"]


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
    assert first(encoder).codes(one(["never seen", None, "b"]))[0].tolist() == [
        OTHER_CODE,
        MISSING_CODE,
        FIRST_CATEGORY + 1,
    ]


@pytest.mark.parametrize("cells", [["a", "b"], [None, None], ["a", None], []])
def test_a_column_without_a_common_category_is_encoded(cells: list[str | None]) -> None:
    encoder = categorical(pl.Series(cells, dtype=pl.String))
    X, *_ = encoder.encode(one(pl.Series(["a", None, "z"], dtype=pl.String)), "float32")
    assert X.shape == (3, ("a" in cells) + (None in cells))
    assert first(encoder).codes(one(["a", None]))[0].tolist() == [OTHER_CODE, MISSING_CODE]


@pytest.mark.parametrize("word", ["NA", "", "null", "None", "nan", "rare", "missing", "007", " a", "a ", "A", "a\x00"])
def test_a_word_that_looks_special_is_a_category_like_any_other(word: str) -> None:
    column = first(categorical(["a", "a", word, word, None]))
    assert set(column.categories) == {"a", word}
    assert column.codes(one([word, "a", None]))[0].tolist() == [
        FIRST_CATEGORY + column.categories.index(word),
        FIRST_CATEGORY + column.categories.index("a"),
        MISSING_CODE,
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
    assert first(encoder).has_missing is (cells.dtype != pl.Enum(["b", "a"]) and len(cells) == 5)


@pytest.mark.parametrize(("c", "width"), [(32, None), (33, 12), (100, 22), (464, 50), (463, 50), (450, 49), (1000, 50)])
def test_many_categories_are_embedded(c: int, width: int | None) -> None:
    encoder = categorical([f"{i % c:04}" for i in range(2 * c)])
    assert width is None or width == min(50, math.ceil(1.6 * c**0.56))
    assert first(encoder).embedding_width == width
    assert (first(encoder).n_codes, encoder.width) == (c + 2, c if width is None else 0)
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


def test_two_categories_become_one_column_of_signs() -> None:
    encoder = categorical(["b", "a", "b", "a", "rare", None], choices=CategoricalOptions(binary="sign"))
    assert first(encoder).features == ("x = b, not a",)
    assert encoded(encoder, ["a", "b", "rare", "new", None]) == [[-1.0], [1.0], [0.0], [0.0], [0.0]]


@pytest.mark.parametrize("c", [1, 3])
def test_signs_are_for_two_categories(c: int) -> None:
    cells = [f"{n}" for n in range(c)] * 2
    assert categorical(cells, choices=CategoricalOptions(binary="sign")) == categorical(cells)


def test_signs_go_before_an_embedding() -> None:
    choices = CategoricalOptions(max_one_hot=0, binary="sign")
    assert first(categorical(["a", "b"] * 2, choices=choices)).binary_sign
    assert first(categorical(["a", "b", "c"] * 2, choices=choices)).embedding_width == 3


@pytest.mark.parametrize(("c", "width"), [(8, None), (9, 5)])
def test_how_many_become_columns_and_how_wide_the_rest_is_embedded_can_be_said(c: int, width: int | None) -> None:
    choices = CategoricalOptions(max_one_hot=8, embedding_width=5)
    assert first(categorical([f"{n}" for n in range(c)] * 2, choices=choices)).embedding_width == width


def test_a_rare_category_stands_out_when_it_is_scaled() -> None:
    encoder = categorical(["a"] * 18 + ["b"] * 2, choices=RECIPE.model_copy(update={"binary": "one_hot"}))
    assert encoded(encoder, ["a", "b", None]) == [[0.0, 0.0], [-2.0, 2.0], [-2.0, 0.0]]
    clipped = categorical(["a"] * 18 + ["b"] * 2, choices=RECIPE, clip="smooth")
    assert encoded(clipped, ["a", "b"]) == [[0.0], [pytest.approx(1.664, abs=1e-3)]]


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None, "e"]), min_size=1, max_size=40), st.sampled_from(CLIPS))
def test_scaled_columns_are_what_their_numbers_would_be_scaled_to(cells: list[str | None], clip: Clip) -> None:
    table = one(pl.Series(cells, dtype=pl.String))
    raw, *_ = categorical(table.frame["x"]).encode(table, "float64")
    scaled, *_ = categorical(table.frame["x"], choices=CategoricalOptions(scaling="robust"), clip=clip).encode(
        table, "float64"
    )
    for x, z in zip(raw.T, scaled.T, strict=True):
        assert encoded(numeric(x.tolist(), "robust", clip), x.tolist()) == z[:, None].tolist()


def test_a_column_without_rows_has_nothing_to_be_scaled_by() -> None:
    assert first(categorical(pl.Series([], dtype=pl.String), choices=RECIPE)).centers is None


@pytest.mark.parametrize(
    "parts",
    [
        {"categories": ("a",), "sign": True},
        {"categories": ("a", "b"), "sign": True, "embedding_width": 2},
        {"categories": ("a", "b"), "centers": (0.0,), "scales": (1.0, 1.0)},
        {"categories": ("a", "b"), "centers": (0.0, 0.0), "scales": (1.0, -1.0)},
        {"categories": ("a", "b"), "centers": (0.0, 0.0)},
    ],
)
def test_a_column_whose_parts_do_not_fit_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CategoricalColumn(name="x", has_other=False, has_missing=False, **parts)


@pytest.mark.parametrize("count", [2, 254, 255, 256, 257, 65_535, 65_536])
def test_a_category_is_told_from_the_unseen_however_many_there_are(count: int) -> None:
    *names, rare = [f"c{i:05}" for i in range(count)]
    column = CategoricalColumn(
        name="c", categories=tuple(names), has_other=True, has_missing=True, rare_categories=(rare,)
    )
    cells = pl.DataFrame({"c": [names[0], names[-1], rare, "new", None]})
    codes, strange = column.codes(Table(cells, "t"))
    assert codes.tolist() == [FIRST_CATEGORY, FIRST_CATEGORY + count - 2, OTHER_CODE, OTHER_CODE, MISSING_CODE]
    assert strange.unseen == 1


def test_columns_with_the_same_categories_read_a_table_once_and_others_for_themselves() -> None:
    rare = first(categorical(["a", "a", "b", "b", "rare"]))
    none = first(categorical(["a", "a", "b", "b"]))
    missing = first(categorical(["a", "a", "b", "b", None]))
    assert isinstance(rare, CategoricalColumn)
    assert isinstance(none, CategoricalColumn)
    assert isinstance(missing, CategoricalColumn)
    table = Table(pl.DataFrame({"x": ["b", "rare", "new", None, "a"]}), "t.csv")
    kept = table.with_cache()
    for column in (rare, none, missing):
        codes, anomalies = column.codes(kept)
        alone, alone_anomalies = column.codes(table)
        assert codes.tolist() == alone.tolist()
        assert anomalies == alone_anomalies
        assert column.model_copy().codes(kept)[0] is codes
