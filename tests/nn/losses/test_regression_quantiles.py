"""The loss of several quantiles, worked by hand and against a second implementation."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from nncli.nn.losses import QuantileLoss, QuantilesLoss

LEVELS = (0.1, 0.5, 0.9)


def test_quantiles_by_hand() -> None:
    # y = 3: 1 is too low by 2 at level 0.1, 3 is exact, 7 is too high by 4 at level 0.9
    Z, y = np.array([[1.0, 3.0, 7.0]]), np.array([[3.0]])
    bound = QuantilesLoss(levels=LEVELS).bind(Z, y, None)
    assert bound.forward() == pytest.approx((0.1 * 2 + 0.0 + 0.1 * 4) / 3)
    np.testing.assert_allclose(bound.backward(), [[-0.1 / 3, -0.5 / 3, 0.1 / 3]])


def test_the_loss_is_the_mean_of_the_losses_of_each_quantile() -> None:
    rng = np.random.default_rng(0)
    Z, y, w = rng.normal(size=(8, 6)), rng.normal(size=(8, 2)), rng.uniform(size=8)
    bound = QuantilesLoss(levels=LEVELS).bind(Z, y, w)
    parts = [QuantileLoss(q=q).bind(np.ascontiguousarray(Z[:, i::3]), y, w) for i, q in enumerate(LEVELS)]
    assert bound.forward() == pytest.approx(np.mean([part.forward() for part in parts]))
    dZ = bound.backward()
    for i, part in enumerate(parts):
        np.testing.assert_allclose(dZ[:, i::3], part.backward() / 3)


def test_two_shards_add_up_to_the_batch() -> None:
    rng = np.random.default_rng(0)
    Z, y, loss = rng.normal(size=(7, 3)), rng.normal(size=(7, 1)), QuantilesLoss()
    whole, first, second = (loss.bind(Z[rows], y[rows], None, batch=7) for rows in (slice(7), slice(4), slice(4, 7)))
    assert first.forward() + second.forward() == pytest.approx(whole.forward())
    np.testing.assert_allclose(np.vstack([first.backward(), second.backward()]), whole.backward())


def test_predicted_quantiles_are_sorted_and_the_prediction_is_the_middle_one() -> None:
    loss, Z = QuantilesLoss(levels=LEVELS), np.array([[3.0, 1.0, 2.0, 4.0, 5.0, 6.0]], np.float32)
    quantiles = loss.quantiles(Z)
    assert quantiles.tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    assert quantiles.dtype == np.float64
    assert loss.inverse_link(Z).tolist() == [[2.0, 5.0]]
    # the median of the first target is its third output
    assert loss.inverse_link_vjp(Z, np.array([[7.0, 8.0]])).tolist() == [[0.0, 0.0, 7.0, 0.0, 8.0, 0.0]]


def test_no_rows_have_no_quantiles() -> None:
    assert QuantilesLoss(levels=LEVELS).quantiles(np.empty((0, 6))).shape == (0, 2, 3)


def test_sorting_never_increases_the_loss() -> None:
    rng, loss = np.random.default_rng(1), QuantilesLoss(levels=(0.05, 0.25, 0.5, 0.95))
    Z, y = rng.normal(size=(200, 4)), rng.normal(size=(200, 1))
    unsorted = loss.per_row(Z[:, None, :], y)
    assert (loss.per_row(loss.quantiles(Z), y) <= unsorted + 1e-15).all()


def test_the_loss_of_a_row_is_that_of_scikit_learn() -> None:
    rng, loss = np.random.default_rng(2), QuantilesLoss(levels=LEVELS)
    quantiles, y = np.sort(rng.normal(size=(5, 2, 3)), axis=2), rng.normal(size=(5, 2))
    expected = np.mean([mean_pinball_loss(y, quantiles[:, :, i], alpha=q) for i, q in enumerate(LEVELS)])
    assert loss.per_row(quantiles, y).mean() == pytest.approx(expected)
    assert loss.per_row(quantiles[:, :, 1], y).mean() == pytest.approx(mean_pinball_loss(y, quantiles[:, :, 1]))


def test_a_step_allocates_nothing() -> None:
    Z, y = np.zeros((1 << 16, 6), np.float32), np.zeros((1 << 16, 2), np.float32)
    bound = QuantilesLoss(levels=LEVELS).bind(Z, y, np.ones(1 << 16, np.float32))
    bound.forward()
    bound.backward()
    tracemalloc.start()
    bound.forward()
    bound.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 17  # NumPy casts in blocks of 32 kB; a buffer of the batch has 1.5 MB
