"""Every activation against its formula, its derivative against differences, and the ends of the number range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.activations import Activation, ActivationBase, ElementwiseActivation, Gelu, Selu, Softmax
from nncli.nn.initializers import Glorot, He, Lecun
from tests.unions import members, tag

Matrix = NDArray[np.float64]

EVERY = [pytest.param(cls(), id=tag(cls)) for cls in members(Activation)]
ELEMENTWISE = [pytest.param(cls(), id=tag(cls)) for cls in members(ElementwiseActivation)]
every = pytest.mark.parametrize("activation", EVERY)
elementwise = pytest.mark.parametrize("activation", ELEMENTWISE)
precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])

EXTREMES = (-1e3, -88.0, -20.0, -1e-30, -0.0, 0.0, 1e-30, 20.0, 88.0, 1e3)


def _selu(z: float) -> float:
    # the solution of the fixed point equations, Klambauer et al., section 2, to double precision
    return 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * (math.exp(z) - 1.0))


def _gelu(z: float) -> float:
    return 0.5 * z * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (z + 0.044715 * z**3)))


FORMULAS: dict[str, Callable[[float], float]] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1.0 / (1.0 + math.exp(-z)),
    "tanh": lambda z: (math.exp(2.0 * z) - 1.0) / (math.exp(2.0 * z) + 1.0),
    "relu": lambda z: max(0.0, z),
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "elu": lambda z: z if z > 0 else math.exp(z) - 1.0,
    "selu": _selu,
    "gelu": _gelu,
    "silu": lambda z: z / (1.0 + math.exp(-z)),
    "mish": lambda z: z * math.tanh(math.log(1.0 + math.exp(z))),
    "softplus": lambda z: math.log(1.0 + math.exp(z)),
}


def formula(activation: ActivationBase, Z: Matrix) -> Matrix:
    """The textbook's f(Z), a number at a time."""
    if isinstance(activation, Softmax):
        return np.array([[math.exp(z) / math.fsum(map(math.exp, row)) for z in row] for row in Z]).reshape(Z.shape)
    f = FORMULAS[tag(type(activation))]
    return np.array([f(z) for z in Z.ravel()]).reshape(Z.shape)


def run(activation: ActivationBase, Z: NDArray[Any], dY: NDArray[Any], *, in_place: bool = False) -> tuple[Any, Any]:
    """(f(Z), dY · f'(Z)), both copies."""
    bound = activation.bind(Z.copy(), in_place=in_place)
    bound.forward()
    Y = bound.Y.copy()
    return Y, bound.backward(dY.copy()).copy()


def numbers(low: float, high: float, *, shape: tuple[int, int] = (4, 3)) -> st.SearchStrategy[Matrix]:
    return arrays(np.float64, shape, elements=st.floats(low, high))


@pytest.mark.slow
@every
@given(Z=numbers(-20.0, 20.0))
@settings(max_examples=30, deadline=None)
def test_forward_is_the_formula(activation: ActivationBase, Z: Matrix) -> None:
    Y, _ = run(activation, Z, np.ones_like(Z))
    np.testing.assert_allclose(Y, formula(activation, Z), rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@every
@given(Z=numbers(-20.0, 20.0))
@settings(max_examples=30, deadline=None)
def test_float32_agrees_with_the_formula_to_its_precision(activation: ActivationBase, Z: Matrix) -> None:
    Y, _ = run(activation, Z.astype(np.float32), np.ones(Z.shape, np.float32))
    assert Y.dtype == np.float32
    expected = formula(activation, Z.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(Y, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.slow
@elementwise
@given(Z=numbers(1e-2, 15.0), signs=arrays(np.bool_, (4, 3)), dY=numbers(-2.0, 2.0))
@settings(max_examples=30, deadline=None)
def test_backward_is_the_derivative_of_the_formula(
    activation: ActivationBase, Z: Matrix, signs: NDArray[np.bool_], dY: Matrix
) -> None:
    Z, h = np.where(signs, Z, -Z), 1e-3  # never across a kink, which lies at 0

    def f(step: float) -> Matrix:
        return formula(activation, Z + step * h)

    numeric = dY * (f(-2.0) - 8.0 * f(-1.0) + 8.0 * f(1.0) - f(2.0)) / (12.0 * h)
    _, dZ = run(activation, Z, dY)
    np.testing.assert_allclose(dZ, numeric, rtol=1e-8, atol=1e-10)


@given(Z=numbers(-5.0, 5.0), dY=numbers(-2.0, 2.0))
@settings(max_examples=50, deadline=None)
def test_backward_of_softmax_is_its_jacobian(Z: Matrix, dY: Matrix) -> None:
    Y, dZ = run(Softmax(), Z, dY)
    for y, dy, dz in zip(Y, dY, dZ, strict=True):
        jacobian = np.diag(y) - np.outer(y, y)  # dy_i/dz_j = y_i ([i = j] - y_j)
        np.testing.assert_allclose(dz, jacobian @ dy, atol=1e-14)


@given(Z=numbers(-1e3, 1e3), shift=st.floats(-1e3, 1e3))
@settings(max_examples=50, deadline=None)
def test_softmax_sums_to_one_and_ignores_a_shift(Z: Matrix, shift: float) -> None:
    Y, _ = run(Softmax(), Z, np.ones_like(Z))
    shifted, _ = run(Softmax(), Z + shift, np.ones_like(Z))
    np.testing.assert_allclose(Y.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(shifted, Y, atol=1e-12)


@every
@precisions
def test_extreme_inputs_give_finite_numbers_and_no_warning(activation: ActivationBase, dtype: Any) -> None:
    Z = np.array([EXTREMES, EXTREMES[::-1], (1e3,) * 10, (-1e3,) * 10], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        Y, dZ = run(activation, Z, np.ones_like(Z))
    assert np.isfinite(Y).all()
    assert np.isfinite(dZ).all()


ENDS = {  # f(-1000), f'(-1000), f(1000), f'(1000)
    "identity": (-1000.0, 1.0, 1000.0, 1.0),
    "sigmoid": (0.0, 0.0, 1.0, 0.0),
    "tanh": (-1.0, 0.0, 1.0, 0.0),
    "relu": (0.0, 0.0, 1000.0, 1.0),
    "leaky_relu": (-10.0, 0.01, 1000.0, 1.0),
    "elu": (-1.0, 0.0, 1000.0, 1.0),
    "selu": (-1.7580993408473766, 0.0, 1050.7009873554805, 1.0507009873554805),
    "gelu": (0.0, 0.0, 1000.0, 1.0),
    "silu": (0.0, 0.0, 1000.0, 1.0),
    "mish": (0.0, 0.0, 1000.0, 1.0),
    "softplus": (0.0, 0.0, 1000.0, 1.0),
}


@elementwise
@precisions
def test_far_from_zero_the_function_and_its_slope_have_reached_their_ends(
    activation: ActivationBase, dtype: Any
) -> None:
    Y, dZ = run(activation, np.array([[-1e3, 1e3]], dtype), np.ones((1, 2), dtype))
    result = (Y[0, 0], dZ[0, 0], Y[0, 1], dZ[0, 1])
    np.testing.assert_allclose(result, ENDS[tag(type(activation))], rtol=3e-7, atol=0.0)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01)])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_at_the_kink_the_slope_is_that_of_the_left(name: str, slope: float, zero: float) -> None:
    activation: ActivationBase = TypeAdapter(Activation).validate_python(name)
    _, dZ = run(activation, np.array([[zero]]), np.ones((1, 1)))
    assert dZ[0, 0] == slope


@every
@precisions
def test_in_place_gives_the_same_bits(activation: ActivationBase, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    Z, dY = rng.normal(0.0, 3.0, (37, 5)).astype(dtype), rng.normal(size=(37, 5)).astype(dtype)
    Z[0] = EXTREMES[:5]
    apart, shared = run(activation, Z, dY), run(activation, Z, dY, in_place=True)
    for a, b in zip(apart, shared, strict=True):
        assert a.tobytes() == b.tobytes()


@every
def test_unless_in_place_the_input_stays_as_it_was(activation: ActivationBase) -> None:
    Z = np.random.default_rng(2).normal(size=(6, 4))
    before = Z.copy()
    bound = activation.bind(Z)
    bound.forward()
    bound.backward(np.ones_like(Z))
    np.testing.assert_array_equal(Z, before)


@every
def test_a_second_pass_over_a_new_input_forgets_the_first(activation: ActivationBase) -> None:
    rng = np.random.default_rng(3)
    first, second, dY = (rng.normal(0.0, 2.0, (6, 4)) for _ in range(3))
    Z = first.copy()
    bound = activation.bind(Z)
    bound.forward()
    bound.backward(dY.copy())
    Z[...] = second
    bound.forward()
    Y = bound.Y.copy()
    dZ = bound.backward(dY.copy())
    fresh = run(activation, second, dY)
    assert Y.tobytes() == fresh[0].tobytes()
    assert dZ.tobytes() == fresh[1].tobytes()


@every
def test_backward_hands_back_the_buffer_it_was_given(activation: ActivationBase) -> None:
    bound = activation.bind(np.ones((2, 3)))
    bound.forward()
    dY = np.ones((2, 3))
    assert bound.backward(dY) is dY


@pytest.mark.parametrize(
    ("text", "at_minus_one"),
    [
        ({"type": "leaky_relu", "slope": 0.2}, -0.2),
        ({"type": "leaky_relu", "slope": 0.0}, 0.0),
        ({"type": "leaky_relu", "slope": 1.5}, -1.5),
        ({"type": "elu", "alpha": 2.0}, 2.0 * (math.exp(-1.0) - 1.0)),
    ],
)
def test_a_slope_or_an_alpha_is_obeyed_below_zero_and_not_above(text: dict[str, Any], at_minus_one: float) -> None:
    activation: ActivationBase = TypeAdapter(Activation).validate_python(text)
    Y, dZ = run(activation, np.array([[-1.0, 2.0]]), np.ones((1, 2)))
    np.testing.assert_allclose(Y, [[at_minus_one, 2.0]], rtol=1e-14)
    assert dZ[0, 1] == 1.0


@pytest.mark.slow
def test_selu_keeps_mean_zero_and_variance_one() -> None:
    z = np.linspace(-12.0, 12.0, 2_400_001)[None]
    density = np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi) * (z[0, 1] - z[0, 0])
    Y, _ = run(Selu(), z, np.ones_like(z))
    assert float((Y * density).sum()) == pytest.approx(0.0, abs=1e-9)
    assert float((Y * Y * density).sum()) == pytest.approx(1.0, abs=1e-9)


def test_gelu_is_within_its_promise_of_the_exact_one() -> None:
    z = np.linspace(-8.0, 8.0, 4001)[None]
    exact = [v * (1.0 + math.erf(v / math.sqrt(2.0))) / 2.0 for v in z[0]]
    Y, _ = run(Gelu(), z, np.ones_like(z))
    assert float(np.abs(Y[0] - exact).max()) < 5e-4


@every
def test_weights_start_as_the_papers_advise(activation: ActivationBase) -> None:
    saturating = {"identity", "sigmoid", "tanh", "softmax"}
    name = tag(type(activation))
    expected = Lecun() if name == "selu" else Glorot() if name in saturating else He()
    assert activation.default_init == expected


@every
def test_a_bare_name_stands_for_the_defaults(activation: ActivationBase) -> None:
    assert TypeAdapter(Activation).validate_python(tag(type(activation))) == activation


@pytest.mark.parametrize(
    "wrong",
    [
        "softmaxx",
        {"type": "relu", "slope": 0.1},
        {"type": "leaky_relu", "slope": -0.1},
        {"type": "elu", "alpha": 0.0},
        {"type": "elu", "alpha": math.inf},
        {"type": "leaky_relu", "slope": "0.1"},
    ],
)
def test_what_is_no_activation_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Activation).validate_python(wrong)


def test_softmax_is_for_the_output_alone() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ElementwiseActivation).validate_python("softmax")
