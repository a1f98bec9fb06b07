from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.invalid_cells import OnInvalidCell, remove_invalid_cells
from nncli.data.profile import profile
from nncli.data.store.column_store import ColumnStore, write_store
from nncli.data.table import Table

N = 1000
NUMBERS = [f"{i * 0.5:.1f}" for i in range(N)]


OPEN: list[Scratch] = []


@pytest.fixture(autouse=True)
def scratch() -> Iterator[None]:
    with Scratch(None) as opened:
        OPEN.append(opened)
        yield
    OPEN.clear()


def cleaned(
    cells: Sequence[object],
    on_error: OnInvalidCell = "auto",
    kind: ColumnType | None = None,
    *,
    blocks: int = 1,
    targets: Sequence[str] = (),
) -> ColumnStore:
    frame = pl.DataFrame({"x": cells, "other": range(len(cells))})
    size = len(cells) // blocks
    tables = [Table(frame[start : start + size], "t", start + 1) for start in range(0, len(cells), size)]
    store = write_store(lambda: iter(tables), lambda table: table.names, OPEN[0], text_columns=())
    return remove_invalid_cells(store, {} if kind is None else {"x": kind}, ["x", "other"], on_error, targets=targets)


def with_cells(*words: str, cells: Sequence[str] = NUMBERS) -> list[str]:
    """The numbers, with the words in place of the first ones."""
    return [*words, *cells[len(words) :]]


def removed(store: ColumnStore) -> list[tuple[int, str]]:
    cells = store.header.invalid_cells
    return [] if cells is None else cells.select("row", "value").rows()


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("word", ["k.A.", "n/a", "-", "inf", "-Infinity", "x12"])
def test_a_few_words_among_numbers_are_missing_cells(word: str, blocks: int) -> None:
    store = cleaned(with_cells(word, "k.A."), blocks=blocks)
    assert removed(store) == [(1, word), (2, "k.A.")]
    table = store.columns(["x"])
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    assert table.column("x").dtype == pl.Float64
    assert table.column("x").to_list() == [None, None, *(float(cell) for cell in NUMBERS[2:])]
    assert store.columns(["other"]).column("other").to_list() == list(range(N))


@pytest.mark.parametrize("words", [["k.A."] * 20, ["k.A."] * 400, ["withheld", "k.A."] * 40])
def test_one_or_two_words_that_repeat_among_numbers_are_missing_cells(words: list[str]) -> None:
    store = cleaned(with_cells(*words))
    assert removed(store) == list(enumerate(words, start=1))
    assert infer_kind(store.columns(["x"]), "x") is ColumnType.NUMERIC


@pytest.mark.parametrize("values", [2, 5, 10, 15])
@pytest.mark.parametrize(("word", "count"), [("k.A.", 9), ("k.A.", 50), ("?", 300)])
def test_a_word_that_repeats_among_numbers_of_few_values_is_a_missing_cell(values: int, word: str, count: int) -> None:
    cells = [word] * count + [str(1 + i % values) for i in range(N - count)]
    store = cleaned(cells)
    assert removed(store) == [(row, word) for row in range(1, count + 1)]
    assert infer_kind(store.columns(["x"]), "x") is ColumnType.NUMERIC
    if count > 9:
        assert removed(cleaned(cells, targets=["x"])) == []  # a class


def test_the_numbers_are_those_of_a_table_with_empty_cells() -> None:
    empty = cleaned([None, *NUMBERS[1:]]).columns(["x"]).column("x")
    assert cleaned(with_cells("k.A.")).columns(["x"]).column("x").equals(empty, check_dtypes=True, null_equal=True)


def test_a_clean_column_is_not_written_again() -> None:
    assert cleaned(NUMBERS).header.invalid_cells is None
    assert cleaned([*NUMBERS[1:], None, "nan"]).header.invalid_cells is None


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(with_cells(*["withheld", "k.A.", "n/a"] * 4), id="one percent of three words"),
        pytest.param(with_cells(*["withheld", "k.A."] * 60), id="more than ten percent of two words"),
        pytest.param(with_cells("k.A.", "k.A.", cells=NUMBERS[:100]), id="a word that hardly repeats"),
        pytest.param(with_cells(*["inf"] * 20), id="two percent of infinite numbers"),
        pytest.param(with_cells("1,234"), id="another spelling of a number"),
        pytest.param(with_cells("A1", "B2", "C3"), id="codes"),
        pytest.param([f"{i:05}" for i in range(N - 1)] + ["X"], id="ids with leading zeros"),
        pytest.param(["7+", *(str(i % 6) for i in range(N - 1))], id="categories with an open range"),
        pytest.param(["2", "4", "more"] * 300, id="a word as common as the numbers of few values"),
        pytest.param(["1", "2", "3", "5more"] * 250, id="categories with digits"),
        pytest.param([f"2024-01-{1 + i % 28:02}" for i in range(N - 1)] + ["k.A."], id="dates"),
    ],
)
def test_cells_that_may_mean_something_are_kept(cells: list[str]) -> None:
    store = cleaned(cells)
    assert removed(store) == []
    assert store.columns(["x"]).column("x").to_list() == cells


@pytest.mark.parametrize("kind", [None, ColumnType.NUMERIC])
def test_all_invalid_cells_are_missing_or_their_rows_left_out_if_asked_for(kind: ColumnType | None) -> None:
    cells = with_cells(*["k.A."] * 200, "1,234")
    assert len(removed(cleaned(cells, "missing", kind))) == 201
    store = cleaned(cells, "skip", kind)
    assert store.row_ids.row_numbers.tolist() == list(range(202, N + 1))
    assert len(store.header.notes) == 1
    assert removed(cleaned(with_cells("k.A."), "fail", kind)) == []


def test_dates_are_missing_too_if_asked_for() -> None:
    cells = [f"2024-01-{1 + i % 28:02}" for i in range(99)] + ["k.A."]
    store = cleaned(cells, "missing")
    assert removed(store) == [(100, "k.A.")]
    assert infer_kind(store.columns(["x"]), "x") is ColumnType.DATE


def test_a_column_with_a_unit_keeps_it() -> None:
    store = cleaned(with_cells("k.A.", cells=[f"{cell} €" for cell in NUMBERS]))
    assert removed(store) == [(1, "k.A.")]
    assert store.columns(["x"]).column("x").to_list()[:2] == [None, "0.5 €"]


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_infinite_numbers_of_typed_columns_are_missing(dtype: pl.DataType) -> None:
    cells = pl.Series([float("inf"), float("nan"), None, *range(N - 3)], dtype=dtype).to_list()
    store = cleaned(pl.Series(cells, dtype=dtype).to_list())
    assert [row for row, _ in removed(store)] == [1]
    assert cleaned([1.0, float("inf")]).header.invalid_cells is None


def test_marks_of_missing_cells_are_in_the_profile() -> None:
    (of_x, _) = profile(cleaned(with_cells("-", "k.A.", "n/a")))
    assert (of_x.na_spellings, of_x.missing, of_x.kind) == (("-", "n/a"), 3, ColumnType.NUMERIC)
