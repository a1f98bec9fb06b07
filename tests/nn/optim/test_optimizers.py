"""Optimizers: first steps by hand, fifty random steps against the papers' own lines, and the edges of the blocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.optim import optimizers
from nncli.nn.optim.optimizers import BLOCK, Adagrad, Adam, AdamW, Lion, Optimizer, OptimizerBase, RmsProp, Sgd, Step
from nncli.nn.parameters import ParamGroup
from tests.unions import members, tag

Vector: TypeAlias = NDArray[np.float64]
Naive: TypeAlias = Callable[[Any, Vector, Vector, list[Vector], float, int, NDArray[np.bool_]], None]
"""naive(optimizer, theta, g, memory, rate, t, decayed) moves theta in place, as the paper writes it."""

EVERY = [pytest.param(cls(), id=tag(cls)) for cls in members(Optimizer)]
VARIANTS: list[OptimizerBase] = [cls() for cls in members(Optimizer)] + [
    Sgd(momentum=0.9),
    Sgd(momentum=0.9, nesterov=True),
    RmsProp(rho=0.5, epsilon=1e-3),
    RmsProp(rho=0.0),
    Adagrad(epsilon=0.1),
    Adam(beta1=0.5, beta2=0.9, epsilon=1e-4),
    Adam(beta1=0.0, beta2=0.0),
    AdamW(weight_decay=0.3),
    AdamW(weight_decay=0.0),
    Lion(beta1=0.5, beta2=0.8, weight_decay=0.3),
    Lion(beta1=0.0, beta2=0.0),
]


# --- the papers -----------------------------------------------------------------------------------------------------


def _sgd(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Sutskever et al., 2013, equations 1 to 4, with the rate taken out of the velocity; Nesterov as g + mu v."""
    (v,) = memory
    v[...] = o.momentum * v + g
    theta -= rate * (g + o.momentum * v if o.nesterov else v)


def _rmsprop(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Tieleman and Hinton, 2012, lecture 6.5."""
    (v,) = memory
    v[...] = o.rho * v + (1.0 - o.rho) * g**2
    theta -= rate * g / (np.sqrt(v) + o.epsilon)


def _adagrad(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Duchi, Hazan and Singer, 2011, with a diagonal matrix."""
    (v,) = memory
    v += g**2
    theta -= rate * g / (np.sqrt(v) + o.epsilon)


def _adam(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Kingma and Ba, 2015, algorithm 1, line by line."""
    m, v = memory
    m[...] = o.beta1 * m + (1.0 - o.beta1) * g
    v[...] = o.beta2 * v + (1.0 - o.beta2) * g**2
    m_hat = m / (1.0 - o.beta1**t)
    v_hat = v / (1.0 - o.beta2**t)
    theta -= rate * m_hat / (np.sqrt(v_hat) + o.epsilon)


def _adamw(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Loshchilov and Hutter, 2019, algorithm 2, line 12: the decay is of theta before the step."""
    before = theta.copy()
    _adam(o, theta, g, memory, rate, t, decayed)
    theta -= rate * o.weight_decay * before * decayed


def _lion(o: Any, theta: Vector, g: Vector, memory: list[Vector], rate: float, t: int, decayed: Any) -> None:
    """Chen et al., 2023, algorithm 2."""
    (m,) = memory
    c = o.beta1 * m + (1.0 - o.beta1) * g
    theta -= rate * (np.sign(c) + o.weight_decay * theta * decayed)
    m[...] = o.beta2 * m + (1.0 - o.beta2) * g


PAPERS: dict[str, Naive] = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "adam": _adam,
    "adamw": _adamw,
    "lion": _lion,
}


def start(size: int, seed: int = 0) -> tuple[Vector, Vector]:
    """theta, and an empty gradient."""
    return np.random.default_rng(seed).normal(size=size), np.zeros(size)


def bound(optimizer: OptimizerBase, theta: Any, grad: Any, moments: Any, decayed: int) -> Step:
    """The step where theta[:decayed] are weights and the rest is biases."""
    groups = {ParamGroup.WEIGHT: slice(0, decayed), ParamGroup.BIAS: slice(decayed, theta.size)}
    return optimizer.bind(theta, grad, moments, groups=groups, progress=np.zeros(()))


def ours(
    optimizer: OptimizerBase, gradients: list[Vector], rates: list[float], *, decayed: int, dtype: Any = np.float64
) -> tuple[Vector, dict[str, Any]]:
    """theta and the moments after a step for each gradient."""
    theta, grad = (a.astype(dtype) for a in start(gradients[0].size))
    moments = optimizer.init_state(theta)
    step = bound(optimizer, theta, grad, moments, decayed)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        grad[...] = g
        step(rate, t)
        np.testing.assert_array_equal(grad, g.astype(dtype))  # the gradient is read only
    return theta, moments


def papers(optimizer: OptimizerBase, gradients: list[Vector], rates: list[float], *, decayed: int) -> Vector:
    theta, _ = start(gradients[0].size)
    memory = [np.zeros_like(theta) for _ in range(2)][: max(1, len(optimizer.state))]
    pull = np.arange(theta.size) < decayed
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        PAPERS[tag(type(optimizer))](optimizer, theta, g, memory, rate, t, pull)
    return theta


def random_walk(size: int, steps: int, seed: int = 1) -> tuple[list[Vector], list[float]]:
    """Gradients of many sizes, and a rate that changes."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3.0, 1.0, size)
    return [scale * rng.normal(size=size) for _ in range(steps)], [0.01 / (1.0 + 0.1 * t) for t in range(steps)]


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_fifty_random_steps_are_those_of_the_paper(optimizer: OptimizerBase) -> None:
    gradients, rates = random_walk(23, 50)
    theta, _ = ours(optimizer, gradients, rates, decayed=17)
    np.testing.assert_allclose(theta, papers(optimizer, gradients, rates, decayed=17), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_float32_follows_float64_to_its_precision(optimizer: OptimizerBase) -> None:
    gradients, rates = random_walk(23, 20)
    single, moments = ours(optimizer, gradients, rates, decayed=17, dtype=np.float32)
    double, _ = ours(optimizer, gradients, rates, decayed=17)
    assert single.dtype == np.float32
    assert all(m.dtype == np.float32 for m in moments.values())
    np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("optimizer", [Adam(), Adam(beta1=0.5, beta2=0.9)])
def test_adams_moments_are_the_papers_without_their_constant_factors(optimizer: Adam) -> None:
    gradients, rates = random_walk(23, 50)
    _, moments = ours(optimizer, gradients, rates, decayed=23)
    m, v = np.zeros(23), np.zeros(23)
    for g in gradients:
        m = optimizer.beta1 * m + (1.0 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1.0 - optimizer.beta2) * g**2
    np.testing.assert_allclose((1.0 - optimizer.beta1) * moments["mean"], m, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose((1.0 - optimizer.beta2) * moments["square"], v, rtol=1e-12)


# --- two steps by hand: theta = 1, g = 2 and then -1, rate 0.1 ------------------------------------------------------

BY_HAND = [
    # 1 - 0.1 · 2 = 0.8;  0.8 + 0.1 · 1 = 0.9
    (Sgd(), 0.8, 0.9),
    # v = 2, 1 - 0.2 = 0.8;  v = 0.5 · 2 - 1 = 0, so it rests
    (Sgd(momentum=0.5), 0.8, 0.8),
    # v = 2, 1 - 0.1 (2 + 0.5 · 2) = 0.7;  v = 0, 0.7 - 0.1 (-1 + 0) = 0.8
    (Sgd(momentum=0.5, nesterov=True), 0.7, 0.8),
    # v = 0.25 · 4 = 1, 1 - 0.1 · 2 / (1 + 1) = 0.9;  v = 0.75 + 0.25 = 1, 0.9 + 0.1 · 1 / 2 = 0.95
    (RmsProp(rho=0.75, epsilon=1.0), 0.9, 0.95),
    # v = 4, 1 - 0.1 · 2 / (2 + 2) = 0.95;  v = 5, 0.95 + 0.1 / (sqrt 5 + 2)
    (Adagrad(epsilon=2.0), 0.95, 0.95 + 0.1 / (sqrt(5.0) + 2.0)),
    # m̂ = 2, v̂ = 4, 1 - 0.1 · 2 / (2 + 2) = 0.95
    # m = 0.5 · 1 - 0.5 = 0, so m̂ = 0 and it rests
    (Adam(beta1=0.5, beta2=0.5, epsilon=2.0), 0.95, 0.95),
    # m̂ = 2, v̂ = 4, 1 - 0.1 · 2 / (2 + 1e-8) = 0.9
    # m = 0.9 · 0.2 - 0.1 = 0.08, m̂ = 0.08 / 0.19; v = 0.999 · 0.004 + 0.001 = 0.004996, v̂ = 0.004996 / 0.001999
    (Adam(), 0.9, 0.9 - 0.1 * (0.08 / 0.19) / sqrt(0.004996 / 0.001999)),
    # as Adam of epsilon 2 after theta · (1 - 0.1 · 0.5): 0.95 - 0.05 = 0.9;  0.9 · 0.95 = 0.855
    (AdamW(beta1=0.5, beta2=0.5, epsilon=2.0, weight_decay=0.5), 0.9, 0.855),
    # c = 0.5 · 2 = 1, sign 1, 1 - 0.1 = 0.9, m = 0.25 · 2 = 0.5;  c = 0.25 - 0.5 < 0, 0.9 + 0.1 = 1
    (Lion(beta1=0.5, beta2=0.75), 0.9, 1.0),
    # 1 - 0.1 (1 + 0.5) = 0.85;  0.85 - 0.1 (-1 + 0.5 · 0.85) = 0.9075
    (Lion(beta1=0.5, beta2=0.75, weight_decay=0.5), 0.85, 0.9075),
]


@pytest.mark.parametrize(("optimizer", "first", "second"), BY_HAND, ids=repr)
def test_two_steps_are_worked_by_hand(optimizer: OptimizerBase, first: float, second: float) -> None:
    theta, grad = np.array([1.0]), np.array([2.0])
    step = bound(optimizer, theta, grad, optimizer.init_state(theta), 1)
    step(0.1, 1)
    assert theta[0] == pytest.approx(first, rel=2e-8)
    grad[0] = -1.0
    step(0.1, 2)
    assert theta[0] == pytest.approx(second, rel=2e-8)


def test_every_optimizer_is_worked_by_hand() -> None:
    assert {type(o) for o, _, _ in BY_HAND} == set(members(Optimizer))


# --- blocks ---------------------------------------------------------------------------------------------------------

SIZE = 2 * BLOCK + 17
EDGES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 5, 2 * BLOCK, SIZE - 1, SIZE]


@pytest.mark.parametrize("decayed", EDGES)
@pytest.mark.parametrize("optimizer", [AdamW(weight_decay=0.3), Lion(weight_decay=0.3)])
def test_weight_decay_touches_the_decayed_alone_wherever_the_edge_falls(optimizer: OptimizerBase, decayed: int) -> None:
    gradients, rates = [np.zeros(SIZE)], [0.1]
    theta, _ = ours(optimizer, gradients, rates, decayed=decayed)
    before, _ = start(SIZE)
    np.testing.assert_allclose(theta[:decayed], before[:decayed] * 0.97, rtol=1e-14)
    np.testing.assert_array_equal(theta[decayed:], before[decayed:])


@pytest.mark.parametrize("decayed", [0, BLOCK + 5, SIZE])
@pytest.mark.parametrize("optimizer", [*VARIANTS[:6], Sgd(momentum=0.9), AdamW(weight_decay=0.3)], ids=repr)
def test_blocks_together_are_one_update_of_the_whole(
    optimizer: OptimizerBase, decayed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients, rates = random_walk(SIZE, 3)
    theta, moments = ours(optimizer, gradients, rates, decayed=decayed)
    np.testing.assert_allclose(theta, papers(optimizer, gradients, rates, decayed=decayed), rtol=1e-11, atol=1e-12)
    monkeypatch.setattr(optimizers, "BLOCK", 10 * SIZE)
    whole, whole_moments = ours(optimizer, gradients, rates, decayed=decayed)
    assert theta.tobytes() == whole.tobytes()
    for name, moment in moments.items():
        assert moment.tobytes() == whole_moments[name].tobytes()


@pytest.mark.parametrize("size", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1])
@pytest.mark.parametrize("optimizer", [Adam(), AdamW()], ids=repr)
def test_any_length_of_theta_is_walked_whole(optimizer: OptimizerBase, size: int) -> None:
    gradients, rates = random_walk(size, 2)
    theta, _ = ours(optimizer, gradients, rates, decayed=size // 2)
    np.testing.assert_allclose(theta, papers(optimizer, gradients, rates, decayed=size // 2), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_a_step_allocates_nothing(optimizer: OptimizerBase) -> None:
    theta, grad = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    step = bound(optimizer, theta, grad, optimizer.init_state(theta), BLOCK + 5)
    peaks, t = [], 0
    tracemalloc.start()
    try:
        for _ in range(3):
            before, _peak = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for _ in range(20):
                t += 1
                step(1e-3, t)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert min(peaks) < 4096


# --- state ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_all_that_is_remembered_is_theta_the_moments_and_the_count_of_steps(optimizer: OptimizerBase) -> None:
    gradients, rates = random_walk(9, 10)
    whole, _ = ours(optimizer, gradients, rates, decayed=5)
    theta, grad = start(9)
    moments = optimizer.init_state(theta)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        step = bound(optimizer, theta, grad, moments, 5)  # bound anew for every step
        grad[...] = g
        step(rate, t)
    assert theta.tobytes() == whole.tobytes()


@pytest.mark.parametrize("optimizer", EVERY)
def test_moments_start_at_zero_in_the_type_of_theta(optimizer: OptimizerBase) -> None:
    moments = optimizer.init_state(np.ones(5, np.float32))
    assert set(moments) == set(optimizer.state)
    for moment in moments.values():
        assert moment.dtype == np.float32
        assert moment.tolist() == [0.0] * 5


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_a_rate_of_zero_moves_nothing(optimizer: OptimizerBase) -> None:
    gradients, _ = random_walk(9, 3)
    theta, _ = ours(optimizer, gradients, [0.0] * 3, decayed=5)
    np.testing.assert_array_equal(theta, start(9)[0])


@pytest.mark.parametrize("optimizer", EVERY)
def test_a_gradient_of_zero_from_the_start_moves_nothing_but_by_decay(optimizer: OptimizerBase) -> None:
    theta, _ = ours(optimizer, [np.zeros(4)] * 3, [0.1] * 3, decayed=0)
    np.testing.assert_array_equal(theta, start(4)[0])


@pytest.mark.parametrize("optimizer", [Adam(), AdamW()])
def test_adam_is_right_after_a_million_steps(optimizer: OptimizerBase) -> None:
    theta, grad = np.array([1.0]), np.array([3.0])
    moments = {"mean": np.array([30.0]), "square": np.array([9000.0])}  # what a constant gradient of 3 leads to
    bound(optimizer, theta, grad, moments, 0)(0.1, 1_000_000)
    assert theta[0] == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
def test_a_bowl_is_descended(optimizer: OptimizerBase) -> None:
    theta, grad = np.array([3.0, -2.0]), np.zeros(2)
    step = bound(optimizer, theta, grad, optimizer.init_state(theta), 0)
    for t in range(1, 1001):
        grad[...] = theta * [1.0, 4.0]  # of (x² + 4 y²) / 2
        step(0.2 * (1.0 - t / 1001), t)
    assert float(np.abs(theta).max()) < 0.2


# --- how an optimizer is written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", EVERY)
def test_a_bare_name_stands_for_the_defaults(optimizer: OptimizerBase) -> None:
    assert TypeAdapter(Optimizer).validate_python(tag(type(optimizer))) == optimizer
    assert optimizer.default_learning_rate > 0.0


def test_adamw_is_told_from_adam_by_its_name() -> None:
    read = TypeAdapter(Optimizer).validate_python({"type": "adamw", "beta1": 0.8})
    assert type(read) is AdamW
    assert read.weight_decay == 0.01
    assert type(TypeAdapter(Optimizer).validate_python("adam")) is Adam


@pytest.mark.parametrize(
    "wrong",
    [
        "adamm",
        {"type": "sgd", "nesterov": True},
        {"type": "sgd", "momentum": 1.0},
        {"type": "sgd", "momentum": -0.1},
        {"type": "adam", "beta1": 1.0},
        {"type": "adam", "epsilon": 0.0},
        {"type": "adam", "weight_decay": 0.1},
        {"type": "adamw", "weight_decay": -0.1},
        {"type": "lion", "beta2": "0.9"},
    ],
)
def test_what_is_no_optimizer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Optimizer).validate_python(wrong)
