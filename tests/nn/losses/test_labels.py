"""The loss of several labels: missing ones, the start at their shares, and its derivative."""

from __future__ import annotations

from math import log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import BinaryCrossEntropyLoss


def test_the_value_and_the_gradient_of_a_hand_worked_row() -> None:
    Z, y = np.array([[0.0, log(3.0), 7.0], [0.0, 0.0, -log(4.0)]]), np.array([[1.0, 0.0, nan], [nan, nan, 1.0]])
    bound = BinaryCrossEntropyLoss().bind(Z, y, None)
    # p = 1/2, 3/4 | 1/5: (log 2 + log 4) / 2 and log 5
    assert bound.forward() == pytest.approx((1.5 * log(2.0) + log(5.0)) / 2.0, rel=1e-15)
    expected = [[-0.5 / 4.0, 0.75 / 4.0, 0.0], [0.0, 0.0, -0.8 / 2.0]]
    np.testing.assert_allclose(bound.backward(), expected, rtol=1e-14, atol=1e-16)


def test_a_row_without_any_label_has_no_loss_and_no_gradient() -> None:
    bound = BinaryCrossEntropyLoss().bind(np.ones((1, 2)), np.full((1, 2), nan), None)
    assert bound.forward() == 0.0
    assert bound.backward().tolist() == [[0.0, 0.0]]
    assert BinaryCrossEntropyLoss().per_row(np.full((1, 2), 0.3), np.full((1, 2), nan)).tolist() == [0.0]


@given(
    rows=st.integers(1, 5),
    labels=st.integers(1, 4),
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**16),
)
def test_the_gradient_is_that_of_differences(rows: int, labels: int, smoothing: float, seed: int) -> None:
    rng, step = np.random.default_rng(seed), 1e-5
    loss, Z = BinaryCrossEntropyLoss(label_smoothing=smoothing), rng.normal(0.0, 3.0, (rows, labels))
    y, w = rng.choice([0.0, 1.0, nan], Z.shape), rng.uniform(0.1, 2.0, rows)

    def value(at: np.ndarray) -> float:
        return loss.bind(at, y, w).forward()

    bound = loss.bind(Z, y, w)
    bound.forward()
    dZ = bound.backward().copy()
    for i, j in np.ndindex(Z.shape):
        moved = np.zeros(Z.shape)
        moved[i, j] = step
        assert dZ[i, j] == pytest.approx((value(Z + moved) - value(Z - moved)) / (2.0 * step), abs=1e-7)


def test_a_training_starts_at_the_shares_of_the_rows_that_have_a_label() -> None:
    y = np.array([[1.0, nan, 0.0], [1.0, nan, 0.0], [0.0, nan, 0.0], [nan, nan, 0.0]])
    start = BinaryCrossEntropyLoss().initial_outputs(y)
    assert start[:2] == pytest.approx([log(2.0), 0.0])
    assert start[2] == pytest.approx(log(1e-4 / (1.0 - 1e-4)))


def test_the_gradient_of_the_link_is_that_of_the_logistic_function() -> None:
    Z = np.array([[-40.0, 0.0, 3.0]])
    p = BinaryCrossEntropyLoss().inverse_link(Z)
    assert p[0, 0] == pytest.approx(np.exp(-40.0), rel=1e-12)  # a small probability keeps its digits
    np.testing.assert_allclose(BinaryCrossEntropyLoss().inverse_link_vjp(Z, np.ones((1, 3))), p * (1.0 - p), rtol=1e-14)
