"""Splits of boosted trees against a search of all cuts, and on targets that jump at known places."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nncli.nn import split_points as module
from nncli.nn.split_points import MIN_GAP, MIN_LEAF_ROWS, split_points

RNG = np.random.default_rng(4)
X = RNG.normal(size=(400, 3)).astype(np.float32)


def explained(y: np.ndarray, mask: np.ndarray) -> float:
    """How much two shrunken means lower the sum of squares, in the words of the definition."""
    sums = [(y[rows].sum(), rows.sum()) for rows in (mask, ~mask)]
    return float(sum(total**2 / (n + 1) for total, n in sums) - y.sum() ** 2 / (len(y) + 1))


def test_the_first_split_of_one_stump_is_the_best_of_all_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TREES", 1)
    monkeypatch.setattr(module, "DEPTH", 1)
    x = X[:60]
    y = 2.0 * (x[:, 1:2] > 0.4) + 0.5 * x[:, :1]
    standardized = ((y - y.mean()) / y.std())[:, 0]
    gains = {
        (column, float(low)): explained(standardized, x[:, column] <= low)
        for column, low in product(range(3), x.reshape(-1))
        if MIN_LEAF_ROWS <= (x[:, column] <= low).sum() <= len(x) - MIN_LEAF_ROWS and low in x[:, column]
    }
    best_column, best_low = max(gains, key=lambda place: gains[place])
    (split,) = split_points(x, y, range(3), 1)
    assert split.column == best_column
    assert split.low <= best_low < split.high
    assert split.high - split.low >= MIN_GAP * (1 - 1e-6)


@pytest.mark.parametrize("kind", ["number", "classes", "several"])
def test_a_jump_is_between_the_sides_of_the_first_split(kind: str) -> None:
    jumps = X[:, 1] > 0.3
    y = {
        "number": 2.0 * jumps[:, None] + 0.1 * X[:, :1],
        "classes": np.where(jumps, 2, X[:, 0] > 0.0).astype(np.int64),
        "several": np.stack([X[:, 0], 5.0 * jumps], axis=1),
    }[kind]
    split = next(split for split in split_points(X, y, range(3), 4) if split.column == 1)
    assert abs(split.low - 0.3) < 0.05
    assert abs(split.high - 0.3) < 0.05


def test_a_split_among_the_rows_of_a_flag_is_found() -> None:
    flag = RNG.random(400) < 0.2
    y = np.where(flag, X[:, 0] > 0.5, X[:, 1] > 0.0).astype(np.int64)
    splits = split_points(np.column_stack([X, flag]).astype(np.float32), y, range(3), 3)
    assert any(split.column == 0 and abs(split.low - 0.5) < 0.1 for split in splits)


def test_columns_are_positions_among_those_asked_for() -> None:
    y = 1.0 * (X[:, 2:] > 0.0)
    assert {split.column for split in split_points(X, y, [2], 3)} == {0}
    assert split_points(X, y, [0, 1], 0) == []


@pytest.mark.parametrize(
    "y", [X[:, :1], np.sin(2.0 * X[:, :1]) + 0.3 * RNG.normal(size=(400, 1)), RNG.normal(size=(400, 1))]
)
def test_a_smooth_target_and_noise_have_hardly_any_splits(y: np.ndarray) -> None:
    assert len(split_points(X, y, range(3), 16)) <= 2


@pytest.mark.parametrize("y", [np.full((400, 1), 3.0), np.zeros(400, np.int64)])
def test_a_constant_target_has_no_splits(y: np.ndarray) -> None:
    assert split_points(X, y, range(3), 5) == []


def test_constant_columns_and_columns_of_many_values_are_split_nowhere_else() -> None:
    x = np.column_stack([np.zeros(3000), RNG.normal(size=3000)]).astype(np.float32)
    y = 1.0 * (x[:, 1:] > -0.7)
    splits = split_points(x, y, range(2), 40)
    assert {split.column for split in splits} == {1}
    values = np.unique(x[:, 1])
    assert all(np.count_nonzero((values > split.low) & (values < split.high)) <= 3 for split in splits)
    assert abs(splits[0].low + 0.7) < 0.02
