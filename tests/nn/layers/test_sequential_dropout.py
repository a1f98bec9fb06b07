"""Dropout: masks with the right probability, independent between units, steps and streams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.layers.layer import TrainingContext
from nncli.nn.layers.sequential import Dropout, bind_mask
from tests.nn.layers.support import bind


def drawn(shape: tuple[int, ...], rate: float, times: int, seed: int = 0) -> tuple[npt.NDArray[np.bool_], float]:
    """(times, *shape), and the probability of being kept."""
    kept, masks = np.zeros(shape, bool), []
    draw = bind_mask(np.random.default_rng(seed), kept)
    for _ in range(times):
        share = draw(rate)
        masks.append(kept.copy())
    return np.array(masks), share


@given(rate=st.floats(0.0, 1.0, exclude_max=True))
def test_the_probability_is_exact_to_1_in_65536_and_never_zero(rate: float) -> None:
    _, share = drawn((1,), rate, 1)
    assert 0.0 < share <= 1.0
    assert abs(share - (1.0 - rate)) <= 2.0**-16 or rate > 1.0 - 2.0**-15


@pytest.mark.parametrize("rate", [0.0, 1e-6])
def test_a_rate_near_zero_keeps_all_units(rate: float) -> None:
    masks, share = drawn((50, 40), rate, 20)
    assert masks.all()
    assert share == 1.0


@pytest.mark.parametrize("rate", [2.0**-12, 0.15, 0.5, 0.8])
def test_every_unit_is_kept_equally_often(rate: float) -> None:
    masks, share = drawn((12_000,), rate, 200)
    # of the units that three words hold, one behind the other, and so again in each third
    words = masks.reshape(200, 3, 1000, 4).mean(axis=(0, 2))
    spread = (share * (1.0 - share) / 200_000) ** 0.5
    assert np.abs(words - share).max() < 4.5 * spread


def test_all_sixteen_bits_are_used() -> None:
    # were a bit of a place constant, some thresholds would be met too often by it and others too seldom
    for bit in range(1, 16):
        rate = 2.0**bit / 65536.0
        masks, share = drawn((12_000,), rate, 60)
        places = masks.reshape(60, 3, 1000, 4).mean(axis=(0, 2))
        assert np.abs(places - share).max() < 5.0 * (share * (1.0 - share) / 60_000) ** 0.5 + 1e-9, bit


@pytest.mark.slow
@pytest.mark.parametrize("size", [12, 24, 36])
def test_two_units_are_uncorrelated(size: int) -> None:
    masks, _ = drawn((size,), 0.3, 40_000)
    correlation = np.corrcoef(masks.T.astype(float)) - np.eye(size)
    assert np.abs(correlation).max() < 5.0 / 200.0


@pytest.mark.slow
def test_three_units_are_independent() -> None:
    # a fourth word that were shared, rather than taken apart, would show in threes, though not in twos
    masks, share = drawn((12,), 0.5, 40_000)
    a = 2.0 * masks - 1.0
    threes = np.einsum("ti,tj,tk->ijk", a, a, a) / 40_000.0
    distinct = [abs(threes[p, q, r]) for p in range(12) for q in range(p) for r in range(q)]
    assert share == 0.5
    assert max(distinct) < 5.0 / 200.0


def test_masks_differ_and_depend_on_the_generator() -> None:
    masks, _ = drawn((30,), 0.5, 10)
    assert len({mask.tobytes() for mask in masks}) == 10
    assert np.array_equal(masks, drawn((30,), 0.5, 10)[0])
    assert not np.array_equal(masks, drawn((30,), 0.5, 10, seed=1)[0])


@pytest.mark.parametrize("shape", [(1,), (1, 1), (11,), (12,), (13,), (5, 7)])
def test_masks_of_any_shape_are_filled(shape: tuple[int, ...]) -> None:
    masks, _ = drawn(shape, 0.5, 64)
    assert masks.any(axis=0).all()
    assert not masks.all(axis=0).any()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_fraction_of_units_and_scales_the_rest(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((400, 100)))
    bound.forward()
    kept = bound.Y != 0.0
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=2e-4)  # as the rate is met within 2^-16
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=4.0 * (rate * (1.0 - rate) / 40_000) ** 0.5)
    assert float(bound.Y.mean()) == pytest.approx(1.0, abs=0.07)  # prediction needs no correction


def test_dropout_masks_the_gradient_like_the_output() -> None:
    bound, _ = bind(Dropout(rate=0.4), np.full((20, 10), 3.0))
    bound.forward()
    np.testing.assert_allclose(bound.backward(np.full((20, 10), 3.0)), bound.Y)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.0, False), (0.5, False)])
def test_dropout_that_is_off_is_the_identity_and_draws_nothing(rate: float, training: bool) -> None:
    X = np.random.default_rng(0).normal(size=(4, 3))
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    bound = Dropout(rate=rate).bind({}, {}, X, training=TrainingContext(rng) if training else None, needs_dX=True)
    bound.forward()
    np.testing.assert_array_equal(bound.Y, X)
    np.testing.assert_array_equal(bound.backward(np.ones((4, 3))), 1.0)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(("t", "rate"), [(0.0, 0.4), (0.49, 0.4), (0.75, 0.2), (1.0, 0.0)])
def test_dropout_follows_its_schedule(t: float, rate: float) -> None:
    X, progress = np.ones((400, 100)), np.zeros(())
    training = TrainingContext(np.random.default_rng(1), progress)
    bound = Dropout(rate=0.4, schedule="flat_cosine").bind({}, {}, X, training=training, needs_dX=True)
    bound.forward()
    progress.fill(t)  # as training goes on
    bound.forward()
    kept = bound.Y != 0.0
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=0.01)
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=1e-4)
    np.testing.assert_array_equal(bound.backward(np.ones((400, 100))), bound.Y)


@pytest.mark.parametrize("rate", [1e-9, 0.999999999])
def test_dropout_rates_near_0_and_1_give_finite_numbers(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((40, 100)))
    bound.forward()
    assert np.isfinite(bound.Y).all()


def test_dropout_in_float32_keeps_the_type() -> None:
    X = np.ones((300, 100), np.float32)
    bound, _ = bind(Dropout(rate=0.25), X)
    bound.forward()
    assert bound.Y.dtype == np.float32
    assert float((bound.Y != 0).mean()) == pytest.approx(0.75, abs=0.01)
