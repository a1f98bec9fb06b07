"""A category has the code that nncli/data/encoders/categorical.py gives it."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.table import Table
from nncli.integrations.python.standalone.cells import code_reader
from tests.runtimes.hostile import category_input, words

NEAR = (
    "3",
    "3.0",
    "3.00",
    "+3",
    "-0",
    "-0.0",
    "0",
    "03",
    "03.0",
    "true",
    "TRUE",
    " True",
    "false",
    "yes",
    "No",
    " red",
    "red\n",
    "Red",
)
texts = st.one_of(st.sampled_from(NEAR), words, words.map(lambda word: f"\u3000{word}\n"))


@given(st.lists(texts, unique=True, min_size=1, max_size=6), st.lists(st.one_of(st.none(), texts), min_size=1))
@example(["true", "false"], ["TRUE", " fAlse ", "yes", "1"])
@example(["3", "4"], ["3.0", " 4.000", "3.1", "03"])
@example(["ΑΣ", "ς"], ["ας", "Σ"])
def test_the_code_of_a_cell_is_that_of_the_encoder(seen: list[str], cells: list[str | None]) -> None:
    for n_rare in {0, len(seen) // 2}:
        rare, categories = seen[:n_rare], sorted(seen[n_rare:])
        encoder = CategoricalColumn(
            name="x", categories=tuple(categories), has_other=True, has_missing=True, rare_categories=tuple(rare)
        )
        wanted, _ = encoder.codes(Table(pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)}), "t"))
        code = code_reader(category_input("x", categories, rare))
        assert [code(cell) for cell in cells] == wanted.tolist()
