"""Bootstrap intervals: resamples are drawn right, and the intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.targets.metrics.bootstrap import BootstrapResampler, bootstrap_means


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    x = np.random.default_rng(0).normal(10, 2, 2_000)
    sampling = BootstrapResampler.of(len(x), 0)
    samples = sampling.samples(lambda counts: counts @ x[:, None] / counts.sum(axis=1, keepdims=True))[:, 0]
    interval = sampling.interval(samples, x.mean())
    assert interval is not None
    half = 1.96 * x.std() / np.sqrt(len(x))
    assert interval.low == pytest.approx(x.mean() - half, abs=half / 10)
    assert interval.high == pytest.approx(x.mean() + half, abs=half / 10)


def test_of_many_rows_some_are_drawn_from_and_the_interval_is_that_of_all() -> None:
    x = np.random.default_rng(0).normal(10, 2, 40_000)
    sampling = BootstrapResampler.of(len(x), 0, max_rows=2_500)
    drawn = x[sampling.rows]
    samples = sampling.samples(lambda counts: counts @ drawn[:, None] / counts.sum(axis=1, keepdims=True))[:, 0]
    interval = sampling.interval(samples, x.mean())
    assert interval is not None
    half = 1.96 * x.std() / np.sqrt(len(x))
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.1)
    assert interval.low < x.mean() < interval.high


def test_two_rows_are_drawn_as_often_as_chance_has_it() -> None:
    counts = np.concatenate(list(BootstrapResampler.of(2, 0).counts()))
    assert counts.shape == (1_000, 2)
    assert (counts.sum(axis=1) == 2).all()
    assert np.mean(counts[:, 0] == 2) == pytest.approx(0.25, abs=0.05)


def test_rows_of_a_group_are_drawn_together() -> None:
    groups = np.array([7, 7, 3, 9, 9, 9])
    for counts in BootstrapResampler.of(6, 0, groups).counts():
        assert (counts[:, 0] == counts[:, 1]).all()
        assert (counts[:, 3] == counts[:, 4]).all()
        assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_one_row_or_one_group_has_no_interval() -> None:
    assert BootstrapResampler.of(1, 0).interval(np.ones(1_000), 1.0) is None
    assert BootstrapResampler.of(3, 0, np.zeros(3, np.int64)).interval(np.ones(1_000), 1.0) is None
    assert BootstrapResampler.of(3, 0).interval(np.full(1_000, np.nan), 0.0) is None


def test_the_same_seed_draws_the_same_rows() -> None:
    first, second, other = (np.concatenate(list(BootstrapResampler.of(50, seed).counts())) for seed in (1, 1, 2))
    assert (first == second).all()
    assert (first != other).any()


def test_the_means_of_segments_are_those_of_their_rows() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0])
    members = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    counts = np.array([[1.0, 3, 0, 0], [0, 0, 1, 1]])
    result = bootstrap_means(values, None, members, counts)
    assert result[0, 0] == 7 / 4
    assert result[1, 1] == 6.5
    assert np.isnan([result[0, 1], result[1, 0]]).all()
    assert bootstrap_means(values, np.array([1.0, 1, 3, 1]), members, counts)[1, 1] == 19 / 4
