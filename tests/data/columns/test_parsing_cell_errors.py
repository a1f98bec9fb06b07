from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import CellError
from nncli.data.columns.parsing import CellErrors, raise_first, readable_cells
from nncli.data.table import Table
from tests.assertions import raises

TABLE = Table(pl.DataFrame({"x": ["1", "a", "b"]}), "t.csv", first_row=11)


def test_the_first_of_the_errors_names_its_first_cell() -> None:
    raise_first(TABLE, "x", CellErrors.of(np.zeros(3, np.bool_), "is odd", ""))
    errors = CellErrors.of(np.array([False, True, True]), "is odd", lambda cell: f"Write 1 for {cell}.", "Write 1.")
    with raises(CellError, file="t.csv", row=12, column="x", mentions="'a' is odd") as caught:
        raise_first(TABLE, "x", errors)
    assert caught.value.hint == "Write 1 for a."
    assert caught.value.for_model("Or 2.").hint == "Write 1. Or 2."


def test_the_hint_of_a_training_is_that_of_a_model_by_default() -> None:
    with pytest.raises(CellError) as caught:
        raise_first(TABLE, "x", CellErrors.of(np.ones(3, np.bool_), "is odd", "Mend it."))
    assert caught.value.for_model().hint == "Mend it."


def test_dates_beyond_the_year_9999_can_be_shown() -> None:
    assert readable_cells(pl.Series([2**62]).cast(pl.Datetime("ms"))).to_list() == [2**62]
