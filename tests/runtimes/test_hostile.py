"""The strategies of hostile programs and tables."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.spellings import alternative_categories
from nncli.nn.program.program import Program
from tests.runtimes.hostile import category_input, frames, key_of, programs, texts, words


def test_as_many_distinct_texts_are_made_as_asked_for() -> None:
    result = texts(20_000)
    assert len({*result}) == len(result) == 20_000
    assert texts(20_000) == result
    assert all(text and text.encode("utf-8") for text in result)


@given(st.lists(words, unique=True, min_size=1, max_size=6), st.lists(words, min_size=1))
def test_keys_of_categories_are_those_that_predict_uses(texts: list[str], cells: list[str]) -> None:
    column = category_input("x", texts)
    code_of = {None: 1} | dict(column.texts)
    wanted = [code_of[text] for text in alternative_categories(pl.Series(cells), texts)]
    keys, folded = dict(column.keys), dict(column.folded_keys)
    assert [keys.get(key_of(cell), folded.get(key_of(cell.lower()), 1)) for cell in cells] == wanted


@given(st.data())
def test_every_frame_has_the_columns_of_its_program(data: st.DataObject) -> None:
    program: Program = data.draw(programs())
    frame = data.draw(frames(program))
    assert frame.columns == [column.name for column in program.inputs]
    assert np.isfinite(program.constant_bytes)
