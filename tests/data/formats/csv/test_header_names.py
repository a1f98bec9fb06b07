from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.formats.csv.header import made_names, name_columns, name_like, unique_names

HEADERS = st.lists(st.sampled_from(["", "a", "b", "a_2", "column_1", "column_2", "a_3"]), max_size=7)


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["", "a", ""], ["column_1", "a", "column_3"]),
        (["price", "price", "price"], ["price", "price_2", "price_3"]),
        (["price", "price_2", "price"], ["price", "price_2", "price_3"]),
        (["price", "price", "price_2"], ["price", "price_3", "price_2"]),
        (["column_2", ""], ["column_2", "column_2_2"]),
        (["", "column_1"], ["column_1_2", "column_1"]),
        ([" ", "a"], [" ", "a"]),
    ],
)
def test_unnamed_and_repeated_columns_get_names_of_their_own(cells: list[str], names: list[str]) -> None:
    assert unique_names(cells) == tuple(names)


@given(HEADERS)
def test_names_are_unique_and_those_in_the_header_are_kept(cells: list[str]) -> None:
    names = unique_names(cells)
    assert len({*names}) == len(cells)
    assert "" not in names
    assert {*cells} - {""} <= {*names}
    assert all(name == cell for name, cell in zip(names, cells, strict=True) if cell and cells.count(cell) == 1)
    assert bool(made_names(cells)) == (names != tuple(cells))
    assert bool(name_columns(cells, "t").notes) == (names != tuple(cells))


TRAINED = ["id", "price", "", "size", "price", "", "y"]
NAMES = ("id", "price", "column_3", "size", "price_2", "column_6", "y")


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (TRAINED, NAMES),
        (TRAINED[:-1], NAMES[:-1]),  # without the target
        (TRAINED[1:], NAMES[1:]),  # without the first column: not by position alone
        (["price", "", "price", ""], ("price", "column_3", "price_2", "column_6")),
        (["id", "extra", *TRAINED[1:]], ("id", "extra", *NAMES[1:])),
        (["id", "price", "price_2", "size"], ("id", "price", "price_2", "size")),  # by their names
        (["id", "size"], ("id", "size")),
        (["more", "more", *TRAINED], ("more", "more_2", *NAMES)),
    ],
)
def test_columns_keep_the_names_of_the_training_table(cells: list[str], names: tuple[str, ...]) -> None:
    assert name_like(cells, TRAINED, "t") == (type(name_columns([], ""))(names))


@pytest.mark.parametrize(
    ("cells", "certain"),
    [
        (["id", "price", "size"], {"id", "size"}),  # which of the two prices?
        (["id", "price", "price", "price"], {"id"}),
        (["id", "", "size", "price", "price"], {"id", "size", "price", "price_2"}),  # the unnamed ones: which is this?
        (["size", "price", "price", "id"], {"size", "id"}),  # in another order
        (["y", "", "", "id"], {"y", "id"}),
    ],
)
def test_a_column_is_never_guessed(cells: list[str], certain: set[str]) -> None:
    result = name_like(cells, TRAINED, "t")
    assert {*result.names} & {*NAMES} <= certain
    assert len({*result.names}) == len(cells)
    assert len(result.notes) == 1


def test_a_repeated_name_that_was_unique_in_training_is_unclear() -> None:
    result = name_like(["price", "size", "price", ""], [], "t")
    assert "price" not in result.names
    assert result.names[1:4:2] == ("size", "column_4")
    assert len(result.notes) == 1


@given(HEADERS, HEADERS)
def test_names_for_a_model_are_unique_and_right(cells: list[str], trained: list[str]) -> None:
    result = name_like(cells, trained, "t")
    assert len({*result.names}) == len(cells)
    for name, cell in zip(result.names, cells, strict=True):
        if name in unique_names(trained):  # of a column that was called so, or is so in this header
            assert cell == trained[unique_names(trained).index(name)] or cell in ("", name)
    assert name_like(trained, trained, "t").names == unique_names(trained)
