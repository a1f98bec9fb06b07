from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.table import Table
from nncli.exporters.read_inputs import read_input
from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE

WORDS = st.sampled_from(
    ["yes", "no", "Yes", "YES", "true", "false", "3", "3.0", "3.00", " 3", "0", "1", "", " ", "red", "red ", "é", "🦊"]
) | st.text(max_size=3)


@st.composite
def columns(draw: st.DrawFn) -> list[CategoricalColumn]:
    """The columns of several members, which know other categories."""
    members = []
    for _ in range(draw(st.integers(1, 3))):
        words = draw(st.lists(WORDS, min_size=1, max_size=6, unique=True))
        common = draw(st.integers(1, len(words)))
        rare = draw(st.booleans())
        members.append(
            CategoricalColumn(
                name="c",
                categories=tuple(sorted(words[:common])),
                has_other=True,
                has_missing=draw(st.booleans()),
                rare_categories=tuple(sorted(words[common:])) if rare else None,
            )
        )
    return members


@pytest.mark.slow
@given(columns(), st.lists(WORDS | st.none(), max_size=12))
@settings(deadline=None, max_examples=300)
def test_every_member_reads_every_cell_as_it_does_itself(
    members: list[CategoricalColumn], cells: list[str | None]
) -> None:
    count = [word for member in members for word in member.seen_texts]
    cells = [*cells, *count, *(f" {word}" for word in count), *(word.swapcase() for word in count), None]
    table = Table(pl.DataFrame({"c": pl.Series(cells, dtype=pl.String)}), "t")
    column = CategoricalColumn.program_input(members)
    codes = read_input(column, table)[:, 0].astype(np.int64)
    for member in members:
        member_codes, _ = member.codes(table)
        assert member.input_codes(column)[codes].tolist() == member_codes.tolist()


def test_missing_and_unknown_cells_have_fixed_codes_and_equal_ones_share_theirs() -> None:
    column = CategoricalColumn(name="c", categories=("3", "red"), has_other=False, has_missing=False)
    read = CategoricalColumn.program_input([column, column])
    table = Table(pl.DataFrame({"c": [None, "blue", "3", "3.0", " red", "red"]}), "t")
    assert read_input(read, table)[:, 0].tolist() == [MISSING_CODE, OTHER_CODE, 2, 2, 3, 3]
    assert (read.n_codes, read.categories) == (4, ("3", "red"))
