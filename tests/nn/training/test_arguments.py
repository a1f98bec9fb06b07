"""The arguments of a training: defaults and row numbers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from tests.nn.training.helpers import arguments_of


def test_without_row_numbers_rows_are_counted_from_one() -> None:
    assert [arguments_of().row(i) for i in range(3)] == [1, 2, 3]


def test_row_numbers_are_those_of_the_table() -> None:
    arguments = arguments_of(rows=np.array([4, 9, 17]))
    assert [arguments.row(i) for i in range(3)] == [4, 9, 17]
    assert type(arguments.row(0)) is int


def test_the_defaults_are_plain_training_by_numpy() -> None:
    arguments = arguments_of()
    assert (arguments.monitor, arguments.backend, arguments.n_shards) == ("loss", "numpy", 1)
    assert (arguments.l1, arguments.l2, arguments.clip_norm, arguments.patience) == (0.0, 0.0, None, None)
    assert not arguments.rollback_on_divergence


def test_arguments_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        arguments_of().epochs = 7  # type: ignore[misc]
