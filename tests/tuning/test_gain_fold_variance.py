"""The variance between folds, by hand and where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.tuning.gain import FoldGains, estimate_fold_variance


def test_means_of_folds_and_their_variances_are_computed_by_hand() -> None:
    gains = FoldGains.of(np.array([1.0, 3.0, 0.0, 4.0]), np.ones(4), np.array([0, 0, 1, 1]), None)
    assert gains.means.tolist() == [2.0, 2.0]
    assert gains.variances.tolist() == [1.0, 4.0]  # half of the sample variances 2 and 8


def test_rows_of_a_group_are_one_unit() -> None:
    rows = np.repeat([1.0, 3.0, 0.0, 4.0], 2)
    groups = np.repeat(np.arange(4), 2)
    gains = FoldGains.of(rows, np.ones(8), np.array([0, 0, 0, 0, 1, 1, 1, 1]), groups)
    assert gains.means.tolist() == [2.0, 2.0]
    assert gains.variances.tolist() == [1.0, 4.0]


@pytest.mark.parametrize("luck", [0.0, 0.3])
def test_the_estimate_is_the_variance_of_the_luck(luck: float) -> None:
    rng, fold_of = np.random.default_rng(0), np.arange(500) % 5
    trials = []
    for _ in range(200):
        gains = rng.standard_normal(500) + rng.normal(0.0, luck, 5)[fold_of]
        trials.append(FoldGains.of(gains, np.ones(500), fold_of, None))
    result = estimate_fold_variance(trials)
    assert result is not None
    assert result.variance == pytest.approx(luck**2, abs=0.01)
    assert result.degrees_of_freedom == pytest.approx(4 * 4 * 200 / 203)


def test_it_is_never_negative() -> None:
    result = estimate_fold_variance([FoldGains(np.zeros(3), np.ones(3))])
    assert result is not None
    assert result.variance == 0.0
    assert result.degrees_of_freedom == 2.0


def test_it_is_not_known_for_one_fold_or_single_rows_or_no_trial() -> None:
    assert estimate_fold_variance([]) is None
    assert estimate_fold_variance([FoldGains.of(np.ones(9), np.ones(9), np.zeros(9, np.int64), None)]) is None
    assert estimate_fold_variance([FoldGains.of(np.ones(9), np.ones(9), np.arange(9), None)]) is None
