"""The loss of the time to an event: its likelihood, and survival that never rises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import Survival
from nncli.nn.losses.survival import survival_losses

RNG = np.random.default_rng(0)


def test_the_loss_of_a_row_is_the_probability_of_what_was_seen() -> None:
    S = np.array([[0.9, 0.6, 0.3]])
    event_in_the_second = np.array([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
    censored_halfway_through_the_third = np.array([[1.0, 1.0, 0.5, 0.0, 0.0, 0.0]])
    entered_after_the_first = np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 1.0]])
    assert survival_losses(S, event_in_the_second) == pytest.approx(-np.log(0.9 - 0.6))
    assert survival_losses(S, censored_halfway_through_the_third) == pytest.approx(-np.log(np.sqrt(0.6 * 0.3)))
    assert survival_losses(S, entered_after_the_first) == pytest.approx(-np.log((0.6 - 0.3) / 0.9))


@given(seed=st.integers(0, 2**16), bins=st.integers(1, 40), scale=st.sampled_from([1.0, 30.0, 1e4]))
def test_survival_is_between_0_and_1_and_never_rises(seed: int, bins: int, scale: float) -> None:
    Z = np.random.default_rng(seed).normal(0.0, scale, (5, bins))
    S = Survival().inverse_link(Z)
    assert ((S >= 0.0) & (S <= 1.0)).all()
    assert (np.diff(S, axis=1) <= 0.0).all()


@given(seed=st.integers(0, 2**16), bins=st.integers(1, 20))
def test_the_gradient_is_that_of_finite_differences(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    Z, event = rng.normal(0.0, 2.0, (4, bins)), np.eye(bins)[rng.integers(0, bins, 4)]
    y = np.concatenate([rng.uniform(0.0, 1.0, (4, bins)) * (1.0 - event), event], axis=1)
    w, h = rng.uniform(0.1, 2.0, 4), 1e-5
    bound = Survival().bind(Z, y, w)
    bound.forward()
    dZ = bound.backward().copy()
    for place in np.ndindex(Z.shape):
        at, values = Z[place], []
        for step in (h, -h):
            Z[place] = at + step
            values.append(bound.forward())
        Z[place] = at
        assert dZ[place] == pytest.approx((values[0] - values[1]) / (2.0 * h), abs=1e-7)


def test_a_training_starts_from_the_hazards_of_all_rows() -> None:
    event = np.eye(4)[RNG.integers(0, 4, 4000)]
    y = np.concatenate([np.cumsum(event[:, ::-1], axis=1)[:, ::-1] - event, event], axis=1)
    Z = np.tile(Survival().initial_outputs(y), (len(y), 1))
    bound = Survival().bind(Z, y, None)
    bound.forward()
    assert np.abs(bound.backward().sum(axis=0)).max() < 1e-3
