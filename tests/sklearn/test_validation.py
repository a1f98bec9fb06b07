from __future__ import annotations

import numpy as np
import polars as pl
import pytest

pytest.importorskip("sklearn")

from nncli.sklearn.validation import class_cells, weights

FRAME = pl.DataFrame({"x": [1.0, 2.0]})


def test_integer_labels_stay_integers_and_text_stays_text() -> None:
    assert class_cells(np.array([1, 2])).to_list() == [1, 2]
    assert class_cells(np.array(["a", "b"])).to_list() == ["a", "b"]


def test_labels_that_read_as_fractions_are_numbered() -> None:
    assert class_cells(np.array(["0.5", "1.5"])).to_list() == [0, 1]


@pytest.mark.parametrize("wrong", [[1.0], [[1.0], [1.0]], [-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0]])
def test_sample_weights_are_one_nonnegative_number_per_row_not_all_zero(wrong: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        weights(wrong, FRAME)


def test_no_sample_weights_are_none() -> None:
    assert weights(None, FRAME) is None
