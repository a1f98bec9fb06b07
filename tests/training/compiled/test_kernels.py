"""The compiled kernels give the numbers of the NumPy code that each stands for, and let no NaN or infinity vanish.

`close` allows 4 units in the last place. Losses are held to 1e-5 of their value, since their sums are in another order:
the kernels' in float64, NumPy's in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nncli.nn.activations import Identity, LeakyRelu, Relu, Sigmoid, Tanh
from nncli.nn.losses import MSE, CrossEntropy
from nncli.nn.network import Network
from nncli.nn.parameters import ParamGroup
from nncli.optim.optimizers import Adam, AdamW, OptimizerBase, Sgd
from nncli.training import step

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.training.compiled import kernels
from nncli.training.compiled.bridge import bind_optimizer
from nncli.training.compiled.support import COMPILED_ACTIVATIONS

Vector = npt.NDArray[np.float32]
ACTIVATIONS = [Identity(), Relu(), LeakyRelu(), LeakyRelu(slope=0.3), LeakyRelu(slope=0.0), Sigmoid(), Tanh()]
EXTREMES = [0.0, -0.0, 1e30, -1e30, 1e-40, -1e-40, 3.4e38, -3.4e38, 88.4, -87.4, 0.625, -0.625, 17.0, -104.0]
BEYOND = [math.nan, math.inf, -math.inf]

compiling = settings(deadline=None)  # the first call compiles
numbers = st.floats(-50.0, 50.0, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(numbers | st.sampled_from(EXTREMES), min_size=1, max_size=40)
wild_vectors = st.lists(numbers | st.sampled_from(EXTREMES + BEYOND), min_size=1, max_size=40)
GRID = np.concatenate([np.linspace(-120.0, 120.0, 200_001), np.geomspace(1e-44, 1e38, 20_001)]).astype(np.float32)
NONE = np.empty(0, np.float32)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """As in a training, where values that overflow are met as such."""
    with np.errstate(all="ignore"):
        yield


def array(values: Any, *shape: int) -> Vector:
    return np.array(values, np.float32).reshape(shape or (-1,))


def ulps(found: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """How many units in the last place of float32 two vectors are apart at the most."""
    unit = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    return float((np.abs(found.astype(np.float64) - truth) / unit).max())


def close(found: Vector, expected: Vector, *, scale: npt.NDArray[Any] | float = 0.0) -> None:
    """Within 4 units in the last place of the expected, or of `scale` where that is larger; NaN and inf alike."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(found[np.isinf(found)], expected[np.isinf(found)])
    np.testing.assert_array_equal(found[np.isinf(expected)], expected[np.isinf(expected)])
    finite = np.isfinite(expected)
    size = np.maximum(np.abs(expected), np.abs(scale)).astype(np.float32)[finite]
    unit = np.spacing(np.minimum(size, np.float32(3e38))).astype(np.float64)
    assert (np.abs(found[finite].astype(np.float64) - expected[finite]) <= 4.0 * unit).all()


# --- functions


def test_exp_is_within_2_units_of_the_truth() -> None:
    x = np.concatenate([np.linspace(-87.33, 88.37, 20_001), [0.0, -0.0, 1e-40, -1e-40]]).astype(np.float32)
    found = array([kernels.exp(v) for v in x])
    assert ulps(found, np.exp(x.astype(np.float64))) <= 2.0


@pytest.mark.parametrize(("x", "bound"), [(1e30, 2e38), (math.inf, 2e38), (88.5, 2e38), (-1e30, 0.0), (-math.inf, 0.0)])
def test_exp_saturates_where_float32_ends(x: float, bound: float) -> None:
    found = float(kernels.exp(np.float32(x)))
    assert math.isfinite(found)
    assert bound <= found <= bound + 1e38 if bound else 0.0 <= found < 1.2e-38


def activated(f: Any, Z: Vector, b: Vector = NONE) -> Vector:
    found = Z.copy()
    kernels.activate(found, b, COMPILED_ACTIVATIONS.index(type(f)), getattr(f, "slope", 0.0))
    return found


def test_tanh_is_within_4_units_of_the_truth_everywhere() -> None:
    x = np.concatenate([GRID, -GRID])
    assert ulps(activated(Tanh(), x.reshape(1, -1))[0], np.tanh(x.astype(np.float64))) <= 4.0


def test_sigmoid_is_within_4_units_of_the_truth_while_it_is_not_all_but_0() -> None:
    x = np.concatenate([GRID, -GRID])
    found = activated(Sigmoid(), x.reshape(1, -1))[0]
    truth = np.where(x < 0, np.exp(np.minimum(x, 0.0).astype(np.float64)), 1.0) / (
        1.0 + np.exp(-np.abs(x, dtype=float))
    )
    ordinary = x > -87.0
    assert ulps(found[ordinary], truth[ordinary]) <= 4.0
    np.testing.assert_allclose(found[~ordinary], truth[~ordinary], rtol=0, atol=1.8e-38)


@pytest.mark.parametrize("f", ACTIVATIONS, ids=lambda f: f.model_dump_json())
@compiling
@given(values=wild_vectors)
@example(values=EXTREMES + BEYOND)
def test_an_activation_is_that_of_numpy_there_and_back(f: Any, values: list[float]) -> None:
    with np.errstate(all="ignore"):
        Z = array(values, 1, -1)
        bound = f.bind(Z)
        bound.forward()
        found = activated(f, Z)
        if isinstance(f, Sigmoid):  # NumPy's is (1 + tanh(z/2)) / 2: exact to a unit of 1, not of itself
            close(found, bound.Y, scale=0.5)
        else:
            close(found, bound.Y)
        Y = bound.Y.copy()
        for dY in (array(values[::-1], 1, -1), np.full_like(Z, np.nan), np.full_like(Z, np.inf)):
            expected, dZ = bound.backward(dY.copy()), dY.copy()
            kernels.activation_grad(dZ, Y, COMPILED_ACTIVATIONS.index(type(f)), getattr(f, "slope", 0.0))
            close(dZ, expected)


@pytest.mark.parametrize("f", ACTIVATIONS, ids=lambda f: f.model_dump_json())
def test_a_bias_is_added_first(f: Any) -> None:
    rng = np.random.default_rng(0)
    Z, b = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    np.testing.assert_array_equal(activated(f, Z, b), activated(f, Z + b))


# --- losses

PARTS = pytest.mark.parametrize("part", [False, True], ids=["whole", "part"])
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
LOSSES = [
    pytest.param(MSE(), 1, id="mse-1"),
    pytest.param(MSE(), 3, id="mse-3"),
    *(
        pytest.param(CrossEntropy(label_smoothing=s), k, id=f"{name}-{s}")
        for name, k in (("logistic", 1), ("softmax-2", 2), ("softmax-9", 9))
        for s in (0.0, 0.1)
    ),
]


def both(loss: Any, Z: Vector, y: npt.NDArray[Any], w: Vector, batch: int) -> tuple[float, Vector, float, Vector]:
    """The value and the gradient that the kernel finds, and those of NumPy."""
    k, dZ, w = Z.shape[1], np.full_like(Z, 7.0), w.astype(np.float32)
    if isinstance(loss, MSE):
        value = kernels.mse(Z, y, w, dZ, batch)
    else:
        T = loss.targets(k, np.dtype(np.float32))
        value = (kernels.logistic if k == 1 else kernels.softmax)(Z, y, T, w, dZ, batch)
    head = loss.bind(Z, y, w if len(w) else None, batch=batch)
    expected = head.forward()
    return value, dZ, expected, head.backward()


def targets_of(loss: Any, rows: int, k: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    if isinstance(loss, MSE):
        return rng.normal(size=(rows, k)).astype(np.float32)
    return rng.integers(0, max(2, k), rows)


@PARTS
@WEIGHTED
@pytest.mark.parametrize(("loss", "k"), LOSSES)
@pytest.mark.parametrize("spread", [1e-20, 1.0, 30.0, 1e4, 1e15])
def test_a_loss_and_its_gradient_are_those_of_numpy(
    loss: Any, k: int, weighted: bool, part: bool, spread: float
) -> None:
    rng, rows = np.random.default_rng(1), 33
    Z = (spread * rng.normal(size=(rows, k))).astype(np.float32)
    w = rng.uniform(0.0, 2.0, rows).astype(np.float32) if weighted else NONE
    batch = 100 if part else rows
    value, dZ, expected, expected_dZ = both(loss, Z, targets_of(loss, rows, k, rng), w, batch)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    if isinstance(loss, MSE):
        close(dZ, expected_dZ)
    else:  # p - t: to a few units of a p near 1
        np.testing.assert_allclose(dZ, expected_dZ, rtol=1e-6, atol=2e-6 / batch)


@pytest.mark.parametrize("away", [20.0, 40.0, 86.0, 88.0, 1e4])
@pytest.mark.parametrize("k", [1, 3])
def test_rows_that_are_learned_well_have_slopes_that_are_never_subnormal(k: int, away: float) -> None:
    Z = np.full((4, k), -away, np.float32)
    Z[:, 1:] = Z[:, :-1] - 1.0
    Z[:, 0] += away * (k > 1)
    _, dZ, _, expected = both(CrossEntropy(), Z, np.zeros(4, np.int64), NONE, 4)
    assert ((dZ == 0.0) | (np.abs(dZ) > 1e-20)).all()
    np.testing.assert_allclose(dZ, expected, rtol=0.0, atol=1e-8)


@compiling
@given(values=st.lists(numbers.filter(lambda z: abs(z) < 1e15), min_size=6, max_size=6), codes=st.integers(0, 5))
@pytest.mark.parametrize(("loss", "k"), LOSSES)
def test_a_loss_of_any_numbers_is_that_of_numpy(loss: Any, k: int, values: list[float], codes: int) -> None:
    Z = array((values * k)[: 6 * k], 6, k)
    y = array(values[::-1] * k, 6, k) if isinstance(loss, MSE) else (np.arange(6) + codes) % max(2, k)
    value, dZ, expected, expected_dZ = both(loss, Z, y, NONE, 6)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(dZ, expected_dZ, rtol=1e-6, atol=1e-6)


@WEIGHTED
@pytest.mark.parametrize("bad", BEYOND)
@pytest.mark.parametrize(("loss", "k"), LOSSES)
@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_number_that_is_not_finite_reaches_the_loss(loss: Any, k: int, bad: float, weighted: bool, at: int) -> None:
    rng = np.random.default_rng(2)
    for column in range(k):
        Z = rng.normal(size=(7, k)).astype(np.float32)
        Z[at, column] = bad
        w = np.full(7, 0.5, np.float32) if weighted else NONE
        value, dZ, expected, _ = both(loss, Z, targets_of(loss, 7, k, rng), w, 7)
        assert not math.isfinite(value)
        assert math.isnan(value) == math.isnan(expected)
        if math.isnan(bad):
            assert math.isnan(value)
            assert np.isnan(dZ[at, column])


@pytest.mark.parametrize(("loss", "k"), LOSSES)
def test_a_weight_or_a_target_that_is_not_finite_reaches_the_loss(loss: Any, k: int) -> None:
    rng = np.random.default_rng(3)
    Z, w = rng.normal(size=(7, k)).astype(np.float32), np.ones(7, np.float32)
    w[3] = np.nan
    assert math.isnan(both(loss, Z, targets_of(loss, 7, k, rng), w, 7)[0])
    if isinstance(loss, MSE):
        y = targets_of(loss, 7, k, rng)
        y[3, k - 1] = np.nan
        assert math.isnan(both(loss, Z, y, NONE, 7)[0])


def test_squares_that_overflow_are_infinite() -> None:
    value, _, expected, _ = both(MSE(), array([1e30, 0.0], 2, 1), array([0.0, 0.0], 2, 1), NONE, 2)
    assert value == expected == math.inf


# --- penalty, clipping, optimizers


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_the_penalty_is_that_of_numpy(l1: float, l2: float) -> None:
    parameters = Network.model_validate({"n_features": 9, "layers": [8], "n_outputs": 2}).initialize(
        np.random.default_rng(0)
    )
    parameters.theta[:3] = [0.0, -0.0, 1e-40]
    parameters.grad[...] = np.random.default_rng(1).normal(size=parameters.grad.size)
    found, size = parameters.grad.copy(), np.abs(parameters.grad) + np.abs(parameters.theta)
    decayed = parameters.layout.n_decayed
    kernels.penalize(parameters.theta[:decayed], found[:decayed], l1, l2)
    step.L1L2Penalty(parameters, l1=l1, l2=l2).add_gradient()
    close(found, parameters.grad, scale=size)


@compiling
@given(values=vectors, largest=st.floats(1e-10, 1e35))
@example(values=[3e30, -4e30], largest=1.0)
@example(values=[3.0, 4.0], largest=5.0)
@example(values=[3e38] * 40, largest=1e30)
def test_clipping_is_that_of_numpy_also_where_the_squares_overflow(values: list[float], largest: float) -> None:
    found, expected = array(values), array(values)
    with np.errstate(all="ignore"):
        kernels.clip(found, largest)
        step.clip_by_global_norm(expected, largest)
    norm = float(np.linalg.norm(array(values).astype(np.float64)))
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=1e-44)  # NumPy sums the squares in float32
    if norm <= largest:
        assert found.tobytes() == array(values).tobytes()
    elif largest / norm > 1e-37:  # below, the factor has no more all its digits in float32
        assert float(np.linalg.norm(found.astype(np.float64))) <= largest * (1 + 1e-6)


@pytest.mark.parametrize("bad", BEYOND)
def test_clipping_never_hides_what_is_not_finite(bad: float) -> None:
    grad = array([1.0, bad, 2.0])
    assert not kernels.finite(grad)
    kernels.clip(grad, 1.0)
    assert not np.isfinite(grad).all()


@compiling
@given(values=wild_vectors)
@example(values=[3e38] * 40)
def test_what_is_finite_is_found_so(values: list[float]) -> None:
    assert kernels.finite(array(values)) == bool(np.isfinite(array(values)).all())


OPTIMIZERS: list[OptimizerBase] = [
    Sgd(),
    Sgd(momentum=0.9),
    Sgd(momentum=0.9, nesterov=True),
    Adam(),
    Adam(beta1=0.5, beta2=0.9, epsilon=1e-4),
    Adam(beta1=0.0, beta2=0.0),
    AdamW(weight_decay=0.3),
    AdamW(weight_decay=0.0),
]


def moved(optimizer: OptimizerBase, bind: Any, theta: Vector, grads: list[Vector], decayed: int) -> list[Vector]:
    """theta after each step, and the moments at the end."""
    theta, grad, moments, after = theta.copy(), np.empty_like(theta), optimizer.init_state(theta), []
    groups = {ParamGroup.WEIGHT: slice(0, decayed), ParamGroup.BIAS: slice(decayed, theta.size)}
    go = bind(theta, grad, moments, groups=groups, progress=np.zeros(()))
    for t, g in enumerate(grads, start=1):
        grad[...] = g
        go(0.01 / t, t)
        after.append(theta.copy())
    return [*after, *moments.values()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.model_dump_json())
@compiling
@given(theta=st.lists(numbers | st.sampled_from(EXTREMES), min_size=6, max_size=6), values=wild_vectors)
@example(theta=[1.0] * 6, values=EXTREMES)
def test_an_optimizer_moves_as_that_of_numpy(optimizer: OptimizerBase, theta: list[float], values: list[float]) -> None:
    with np.errstate(all="ignore"):
        begin, grads = array(theta), [array((values * 6)[i : i + 6]) for i in range(len(values[:10]))]
        compiled = lambda *a, **o: bind_optimizer(optimizer, *a, **o)  # noqa: E731
        found, expected = (moved(optimizer, bind, begin, grads, 4) for bind in (compiled, optimizer.bind))
        for here, there in zip(found, expected, strict=True):
            close(here, there, scale=begin)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.model_dump_json())
def test_a_thousand_steps_end_where_those_of_numpy_do(optimizer: OptimizerBase) -> None:
    rng = np.random.default_rng(4)
    begin, grads = rng.normal(size=50).astype(np.float32), list(rng.normal(size=(1000, 50)).astype(np.float32))
    compiled = lambda *a, **o: bind_optimizer(optimizer, *a, **o)  # noqa: E731
    found, expected = (moved(optimizer, bind, begin, grads, 20)[999] for bind in (compiled, optimizer.bind))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
