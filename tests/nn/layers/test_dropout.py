"""Masks: every unit kept as often as asked for, no two of them in step, and every draw anew."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.layers.dropout import bind_mask


def drawn(shape: tuple[int, ...], rate: float, times: int, seed: int = 0) -> tuple[npt.NDArray[np.bool_], float]:
    """(times, *shape), and the probability of being kept."""
    kept, masks = np.zeros(shape, bool), []
    draw = bind_mask(np.random.default_rng(seed), kept)
    for _ in range(times):
        share = draw(rate)
        masks.append(kept.copy())
    return np.array(masks), share


@given(rate=st.floats(0.0, 1.0, exclude_max=True))
def test_the_probability_is_met_within_a_part_of_65536_and_never_zero(rate: float) -> None:
    _, share = drawn((1,), rate, 1)
    assert 0.0 < share <= 1.0
    assert abs(share - (1.0 - rate)) <= 2.0**-16 or rate > 1.0 - 2.0**-15


@pytest.mark.parametrize("rate", [0.0, 1e-6])
def test_a_rate_of_nearly_zero_keeps_all(rate: float) -> None:
    masks, share = drawn((50, 40), rate, 20)
    assert masks.all()
    assert share == 1.0


@pytest.mark.parametrize("rate", [2.0**-12, 0.15, 0.5, 0.8])
def test_every_one_of_the_twelve_places_is_kept_as_often(rate: float) -> None:
    masks, share = drawn((12_000,), rate, 200)
    # of the units that three words hold, one behind the other, and so again in each third
    words = masks.reshape(200, 3, 1000, 4).mean(axis=(0, 2))
    spread = (share * (1.0 - share) / 200_000) ** 0.5
    assert np.abs(words - share).max() < 4.5 * spread


def test_all_sixteen_bits_are_looked_at() -> None:
    # were a bit of a place constant, some thresholds would be met too often by it and others too seldom
    for bit in range(1, 16):
        rate = 2.0**bit / 65536.0
        masks, share = drawn((12_000,), rate, 60)
        places = masks.reshape(60, 3, 1000, 4).mean(axis=(0, 2))
        assert np.abs(places - share).max() < 5.0 * (share * (1.0 - share) / 60_000) ** 0.5 + 1e-9, bit


@pytest.mark.parametrize("size", [12, 24, 36])
def test_no_two_units_are_in_step(size: int) -> None:
    masks, _ = drawn((size,), 0.3, 40_000)
    correlation = np.corrcoef(masks.T.astype(float)) - np.eye(size)
    assert np.abs(correlation).max() < 5.0 / 200.0


def test_three_units_together_are_kept_as_often_as_chance_has_it() -> None:
    # a fourth word that were shared, rather than taken apart, would show in threes, though not in twos
    masks, share = drawn((12,), 0.5, 40_000)
    a = 2.0 * masks - 1.0
    threes = np.einsum("ti,tj,tk->ijk", a, a, a) / 40_000.0
    distinct = [abs(threes[p, q, r]) for p in range(12) for q in range(p) for r in range(q)]
    assert share == 0.5
    assert max(distinct) < 5.0 / 200.0


def test_draws_differ_and_follow_from_the_stream() -> None:
    masks, _ = drawn((30,), 0.5, 10)
    assert len({mask.tobytes() for mask in masks}) == 10
    assert np.array_equal(masks, drawn((30,), 0.5, 10)[0])
    assert not np.array_equal(masks, drawn((30,), 0.5, 10, seed=1)[0])


@pytest.mark.parametrize("shape", [(1,), (1, 1), (11,), (12,), (13,), (5, 7)])
def test_any_shape_is_filled(shape: tuple[int, ...]) -> None:
    masks, _ = drawn(shape, 0.5, 64)
    assert masks.any(axis=0).all()
    assert not masks.all(axis=0).any()
