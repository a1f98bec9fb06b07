"""Compiled optimizers, penalties and clipping do what NumPy's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam, AdamW, OptimizerBase, Sgd
from nncli.nn.parameters import ParamGroup
from nncli.nn.training import step
from tests.nn.training.compiled.support import (
    BEYOND,
    EXTREMES,
    Vector,
    array,
    close,
    compiling,
    numbers,
    vectors,
    wild_vectors,
)

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.nn.training.compiled import kernels as optimizers
from nncli.nn.training.compiled.bridge import bind_optimizer


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """As in a training, where values that overflow are met as such."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_the_penalty_is_that_of_numpy(l1: float, l2: float) -> None:
    parameters = Network.model_validate({"n_features": 9, "layers": [8], "n_outputs": 2}).initialize(
        np.random.default_rng(0)
    )
    parameters.theta[:3] = [0.0, -0.0, 1e-40]
    parameters.grad[...] = np.random.default_rng(1).normal(size=parameters.grad.size)
    result, size = parameters.grad.copy(), np.abs(parameters.grad) + np.abs(parameters.theta)
    decayed = parameters.layout.n_decayed
    optimizers.penalize(parameters.theta[:decayed], result[:decayed], l1, l2)
    step.L1L2Penalty(parameters, l1=l1, l2=l2).add_gradient()
    close(result, parameters.grad, scale=size)


@compiling
@given(values=vectors, largest=st.floats(1e-10, 1e35))
@example(values=[3e30, -4e30], largest=1.0)
@example(values=[3.0, 4.0], largest=5.0)
@example(values=[3e38] * 40, largest=1e30)
def test_clipping_is_that_of_numpy_also_where_the_squares_overflow(values: list[float], largest: float) -> None:
    result, expected = array(values), array(values)
    with np.errstate(all="ignore"):
        optimizers.clip(result, largest)
        step.clip_by_global_norm(expected, largest)
    norm = float(np.linalg.norm(array(values).astype(np.float64)))
    np.testing.assert_allclose(result, expected, rtol=3e-6, atol=1e-44)  # NumPy sums the squares in float32
    if norm <= largest:
        assert result.tobytes() == array(values).tobytes()
    elif largest / norm > 1e-37:  # below, the factor has no more all its digits in float32
        assert float(np.linalg.norm(result.astype(np.float64))) <= largest * (1 + 1e-6)


@pytest.mark.parametrize("bad", BEYOND)
def test_clipping_never_hides_what_is_not_finite(bad: float) -> None:
    grad = array([1.0, bad, 2.0])
    assert not optimizers.finite(grad)
    optimizers.clip(grad, 1.0)
    assert not np.isfinite(grad).all()


@compiling
@given(values=wild_vectors)
@example(values=[3e38] * 40)
def test_what_is_finite_is_found_so(values: list[float]) -> None:
    assert optimizers.finite(array(values)) == bool(np.isfinite(array(values)).all())


OPTIMIZERS: list[OptimizerBase] = [
    Sgd(),
    Sgd(momentum=0.9),
    Sgd(momentum=0.9, nesterov=True),
    Adam(),
    Adam(beta1=0.5, beta2=0.9, epsilon=1e-4),
    Adam(beta1=0.0, beta2=0.0),
    AdamW(weight_decay=0.3),
    AdamW(weight_decay=0.0),
    AdamW.model_validate(
        {
            "weight_decay": 0.3,
            "decay_schedule": "flat_cosine",
            "param_groups": {
                "weight": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
                "bias": {"learning_rate_multiplier": 0.1, "weight_decay_multiplier": 0.5},
            },
        }
    ),
    Sgd.model_validate({"momentum": 0.5, "param_groups": {"bias": {"learning_rate_multiplier": 0.1}}}),
]


def moved(optimizer: OptimizerBase, bind: Any, theta: Vector, grads: list[Vector], decayed: int) -> list[Vector]:
    """theta after each step, and the moments at the end."""
    theta, grad, moments, after = theta.copy(), np.empty_like(theta), optimizer.init_state(theta), []
    progress = np.zeros(())
    groups = {ParamGroup.WEIGHT: slice(0, decayed), ParamGroup.BIAS: slice(decayed, theta.size)}
    go = bind(theta, grad, moments, groups=groups, progress=progress)
    for t, g in enumerate(grads, start=1):
        grad[...] = g
        progress.fill((t - 1) / len(grads))
        go(0.01 / t, t)
        after.append(theta.copy())
    return [*after, *moments.values()]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.model_dump_json())
@compiling
@given(theta=st.lists(numbers | st.sampled_from(EXTREMES), min_size=6, max_size=6), values=wild_vectors)
@example(theta=[1.0] * 6, values=EXTREMES)
def test_an_optimizer_moves_as_that_of_numpy(optimizer: OptimizerBase, theta: list[float], values: list[float]) -> None:
    with np.errstate(all="ignore"):
        begin, grads = array(theta), [array((values * 6)[i : i + 6]) for i in range(len(values[:10]))]
        compiled = lambda *a, **o: bind_optimizer(optimizer, *a, **o)  # noqa: E731
        result, expected = (moved(optimizer, bind, begin, grads, 4) for bind in (compiled, optimizer.bind))
        for here, there in zip(result, expected, strict=True):
            close(here, there, scale=begin)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.model_dump_json())
def test_a_thousand_steps_end_where_those_of_numpy_do(optimizer: OptimizerBase) -> None:
    rng = np.random.default_rng(4)
    begin, grads = rng.normal(size=50).astype(np.float32), list(rng.normal(size=(1000, 50)).astype(np.float32))
    compiled = lambda *a, **o: bind_optimizer(optimizer, *a, **o)  # noqa: E731
    result, expected = (moved(optimizer, bind, begin, grads, 20)[999] for bind in (compiled, optimizer.bind))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
