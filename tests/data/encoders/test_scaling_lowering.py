from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nncli.data.encoders.scaling import (
    clip_in_order,
    clip_smoothly,
    lower_normal_quantile,
    lower_ordered_clip,
    lower_quantile_transform,
    lower_smooth_clip,
    normal_quantile,
    quantile_transform,
)
from tests.nn.program.support import compute

NUMBERS = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30)


@given(NUMBERS)
def test_the_smooth_clip_has_the_same_bits(numbers: list[float]) -> None:
    z = np.array(numbers)
    clipped = z.copy()
    clip_smoothly(clipped)
    assert compute(lower_smooth_clip, z[:, None])[:, 0].tolist() == clipped.tolist()


@given(NUMBERS)
def test_the_ordered_clip_has_the_same_bits(numbers: list[float]) -> None:
    z = np.array(numbers)
    clipped = z.copy()
    clip_in_order(clipped)
    assert compute(lower_ordered_clip, z[:, None])[:, 0].tolist() == clipped.tolist()


def test_the_smooth_clip_bounds_the_largest_numbers() -> None:
    assert compute(lower_smooth_clip, [[1e300], [-1.7e308]]).tolist() == [[3.0], [-3.0]]


def test_normal_quantiles_have_the_same_bits_in_the_middle_and_in_the_tails() -> None:
    p = np.concatenate([np.linspace(1e-7, 1.0 - 1e-7, 999), [0.075, 0.925, 0.5]])
    assert compute(lower_normal_quantile, p[:, None])[:, 0].tolist() == normal_quantile(p).tolist()


@pytest.mark.slow
@given(NUMBERS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_the_quantile_transform_is_that_of_the_encoder(quantiles: list[float], numbers: list[float]) -> None:
    points, x = np.sort(quantiles), np.array([*numbers, *quantiles, 1e300, -1e300])
    lowered = compute(lambda v: lower_quantile_transform(v, points), x[:, None])[:, 0]
    assert_allclose(lowered, quantile_transform(x, points), rtol=1e-9, atol=1e-9)


def test_numbers_between_at_and_beyond_repeated_quantiles_are_transformed() -> None:
    points = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 2.0])
    x = np.array([-1.0, 0.0, 1e-9, 0.5, 1.0, 1.5, 2.0, 3.0])
    lowered = compute(lambda v: lower_quantile_transform(v, points), x[:, None])[:, 0]
    assert_allclose(lowered, quantile_transform(x, points), rtol=1e-13)
