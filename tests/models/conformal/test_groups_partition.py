"""Parts of calibration rows, each of which is large enough."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.models.conformal.groups import Partition


def test_all_rows_are_one_part() -> None:
    partition = Partition.whole(3)
    assert [rows.tolist() for rows in partition.rows] == [[0, 1, 2]]
    assert partition.parts(np.array([0, 7, -1])).tolist() == [0, 0, 0]


def test_small_codes_and_unknown_ones_share_a_part() -> None:
    partition = Partition.of(np.array([0, 0, 1, 2, 0, 2, 3]), 4, 2)
    assert [rows.tolist() for rows in partition.rows] == [[0, 1, 4], [3, 5], [2, 6]]
    assert partition.small.tolist() == [1, 3]
    assert partition.parts(np.array([0, 1, 2, 3, -1])).tolist() == [0, 2, 1, 2, 2]
    assert not partition.others_are_all


@pytest.mark.parametrize("codes", [[0, 0, 0, 1], [0, 0, 0, 0]])
def test_too_few_other_rows_are_calibrated_like_all(codes: list[int]) -> None:
    partition = Partition.of(np.array(codes), 2, 2)
    assert partition.rows[-1].tolist() == [0, 1, 2, 3]
    assert partition.others_are_all
    assert partition.parts(np.array([0, 1, -1])).tolist() == [0, 1, 1]
