"""Every initializer: its mean and variance by its formula, its determinism, and how it is written."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nncli.nn.initializers import (
    Constant,
    Glorot,
    He,
    Initializer,
    InitializerBase,
    Lecun,
    Normal,
    Orthogonal,
    Uniform,
    Zeros,
)
from tests.unions import members, tag

EVERY = [pytest.param(cls(), id=tag(cls)) for cls in members(Initializer)]
every = pytest.mark.parametrize("init", EVERY)


def parse(text: Any) -> InitializerBase:
    init: InitializerBase = TypeAdapter(Initializer).validate_python(text)
    return init


def draw(init: InitializerBase, shape: tuple[int, ...], seed: int = 0) -> Any:
    return init.sample(np.random.default_rng(seed), shape)


# variance: Glorot 2 / (400 + 100), He 2 / 400, LeCun 1 / 400, uniform (high - low)² / 12
@pytest.mark.parametrize(
    ("text", "mean", "variance"),
    [
        ("glorot_uniform", 0.0, 0.004),
        ("glorot_normal", 0.0, 0.004),
        ("he_uniform", 0.0, 0.005),
        ("he_normal", 0.0, 0.005),
        ("lecun_uniform", 0.0, 0.0025),
        ("lecun_normal", 0.0, 0.0025),
        ({"type": "normal", "mean": 1.0, "std": 0.5}, 1.0, 0.25),
        ({"type": "uniform", "low": -1.0, "high": 2.0}, 0.5, 0.75),
        ("normal", 0.0, 0.0025),
        ("uniform", 0.0, 0.1**2 / 12),
    ],
)
def test_mean_and_variance_are_those_of_the_formula(text: Any, mean: float, variance: float) -> None:
    W = draw(parse(text), (400, 100))  # 40 000 draws: the variance is known to about 0.7 %
    assert float(W.mean()) == pytest.approx(mean, abs=4.0 * sqrt(variance / W.size))
    assert float(W.var()) == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize(
    ("init", "bound"),
    [
        (Glorot(distribution="uniform"), sqrt(6.0 / 500)),
        (He(distribution="uniform"), sqrt(6.0 / 400)),
        (Lecun(distribution="uniform"), sqrt(3.0 / 400)),
    ],
)
def test_uniform_draws_fill_their_interval_and_never_leave_it(init: InitializerBase, bound: float) -> None:
    W = draw(init, (400, 100))
    assert float(np.abs(W).max()) <= bound
    assert float(np.abs(W).max()) > 0.999 * bound


@pytest.mark.parametrize(
    ("init", "std"),
    [
        (He(distribution="normal"), sqrt(2.0 / 400)),
        (Lecun(distribution="normal"), sqrt(1.0 / 400)),
        (Glorot(distribution="normal"), sqrt(2.0 / 500)),
    ],
)
def test_normal_draws_are_not_cut_off(init: InitializerBase, std: float) -> None:
    assert float(np.abs(draw(init, (400, 100))).max()) > 3.5 * std


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_orthogonal_has_orthonormal_rows_or_columns(rows: int, columns: int, seed: int) -> None:
    Q = draw(Orthogonal(gain=1.5), (rows, columns), seed) / 1.5
    product = Q @ Q.T if rows <= columns else Q.T @ Q
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_favors_no_direction() -> None:
    rng = np.random.default_rng(0)
    first = np.array([Orthogonal().sample(rng, (2, 2))[0] for _ in range(4000)])
    assert float(np.abs(first.mean(axis=0)).max()) < 4.0 * sqrt(0.5 / 4000)  # a point on the circle: variance 1/2


@every
def test_the_same_generator_state_gives_the_same_bits(init: InitializerBase) -> None:
    assert draw(init, (7, 5), seed=3).tobytes() == draw(init, (7, 5), seed=3).tobytes()


@every
def test_different_seeds_differ_unless_nothing_is_drawn(init: InitializerBase) -> None:
    same = draw(init, (7, 5), seed=3).tobytes() == draw(init, (7, 5), seed=4).tobytes()
    assert same == isinstance(init, Zeros | Constant)


@every
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (0, 4), (4, 0)])
def test_any_shape_is_drawn_in_float64_even_one_without_inputs(init: InitializerBase, shape: tuple[int, int]) -> None:
    W = draw(init, shape)
    assert W.shape == shape
    assert W.dtype == np.float64
    assert np.isfinite(W).all()


@every
def test_a_vector_can_be_drawn_too(init: InitializerBase) -> None:
    assert draw(init, (6,)).shape == (6,)


@pytest.mark.parametrize(
    ("text", "init"),
    [
        ("zeros", Zeros()),
        ("constant", Constant(value=0.0)),
        ({"type": "constant", "value": 0.25}, Constant(value=0.25)),
        ("normal", Normal(mean=0.0, std=0.05)),
        ("uniform", Uniform(low=-0.05, high=0.05)),
        ("glorot", Glorot(distribution="uniform")),
        ("glorot_normal", Glorot(distribution="normal")),
        ("he", He(distribution="normal")),
        ("he_uniform", He(distribution="uniform")),
        ("lecun_normal", Lecun(distribution="normal")),
        ("orthogonal", Orthogonal(gain=1.0)),
    ],
)
def test_a_name_and_its_distribution_may_be_one_word(text: Any, init: InitializerBase) -> None:
    assert parse(text) == init


@pytest.mark.parametrize(
    "wrong",
    [
        "hee",
        "he_cauchy",
        "zeros_uniform",
        "orthogonal_normal",
        "",
        "_uniform",
        3,
        {"type": "normal", "std": 0.0},
        {"type": "orthogonal", "gain": -1.0},
        {"type": "constant", "value": float("nan")},
        {"type": "uniform", "low": 1.0, "high": -1.0},
    ],
)
def test_what_is_no_initializer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        parse(wrong)


def test_constants_are_what_they_say() -> None:
    assert (draw(Zeros(), (2, 3)) == 0.0).all()
    assert (draw(Constant(value=-1.5), (2, 3)) == -1.5).all()
