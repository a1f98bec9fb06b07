"""A trial is ended after a fold that shows that it is worse than the best one."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.tuning.search import LEVEL, NORMAL_ROWS, is_worse, p_value

SEED = [0, 1, 1]


def losses(mean: float, n: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return mean + np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("n", [NORMAL_ROWS // 2, NORMAL_ROWS * 2])
def test_a_clearly_worse_trial_is_worse_and_a_better_one_is_not(n: int) -> None:
    better, worse = losses(0.0, n, 1), losses(1.0, n, 2)
    assert is_worse([worse], [better], SEED)
    assert not is_worse([better], [worse], SEED)


@pytest.mark.slow
@pytest.mark.parametrize("n", [NORMAL_ROWS // 2, NORMAL_ROWS * 2])
def test_equal_trials_are_worse_by_chance_as_often_as_the_level_says(n: int) -> None:
    result = sum(is_worse([losses(0.0, n, 2 * i)], [losses(0.0, n, 2 * i + 1)], [i]) for i in range(400))
    assert result <= 400 * LEVEL + 3 * (400 * LEVEL) ** 0.5


def test_a_trial_that_is_better_in_one_fold_is_not_worse() -> None:
    worse, better = np.full(50, 2.0), np.zeros(50)
    assert is_worse([worse, worse], [better, better], SEED)
    assert not is_worse([worse, better], [better, better + 0.1], SEED)


def test_losses_that_are_not_finite_are_worse_only_if_they_are_its_own() -> None:
    finite, infinite = np.zeros(9), np.full(9, np.inf)
    assert is_worse([infinite], [finite], SEED)
    assert is_worse([np.full(9, np.nan)], [finite], SEED)
    assert not is_worse([finite], [infinite], SEED)


def test_the_same_losses_are_no_difference() -> None:
    assert not is_worse([np.ones(9)], [np.ones(9)], SEED)
    assert p_value(np.zeros(9), SEED) == 1.0


def test_the_p_value_of_many_rows_is_that_of_random_signs() -> None:
    differences = losses(0.1, NORMAL_ROWS - 1, 3)
    more = np.append(differences, 0.0)  # a row more, with which the sum counts as normal
    assert p_value(more, SEED) == pytest.approx(p_value(differences, SEED), abs=0.02)


def test_the_same_seed_gives_the_same_p_value() -> None:
    differences = losses(0.2, 50, 4)
    assert p_value(differences, [5]) == p_value(differences, [5])
