"""Initializers of weights. Values are drawn in float64 and rounded, so that both precisions start from one draw."""

from __future__ import annotations

from abc import abstractmethod
from math import prod, sqrt
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from nncli.base.spec import PositiveSetting, Setting, Shorthand, Spec
from nncli.nn.arrays import Array

Distribution = Literal["uniform", "normal"]


class InitializerBase(Spec):
    """An initializer draws an array of `shape`; weights are (fan_in, fan_out)."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw the starting values, float64."""


class Zeros(InitializerBase):
    """All zeros: right for biases, wrong for weights, whose units would all stay equal."""

    type: Literal["zeros"] = "zeros"

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)


class Constant(InitializerBase):
    """One value everywhere."""

    type: Literal["constant"] = "constant"
    value: Setting = 0.0

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.full(shape, self.value)


class Normal(InitializerBase):
    """N(mean, std²)."""

    type: Literal["normal"] = "normal"
    mean: Setting = 0.0
    std: PositiveSetting = 0.05

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.normal(self.mean, self.std, shape)


class Uniform(InitializerBase):
    """U(low, high)."""

    type: Literal["uniform"] = "uniform"
    low: Setting = -0.05
    high: Setting = 0.05

    @model_validator(mode="after")
    def _low_below_high(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"low, {self.low:g}, must not lie above high, {self.high:g}")
        return self

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(self.low, self.high, shape)


def _variance_scaling(
    rng: np.random.Generator, shape: tuple[int, ...], numerator: float, fan: int, distribution: Distribution
) -> Array:
    """Zero-mean values of variance numerator / fan; a uniform on (-a, a) has variance a²/3."""
    variance = numerator / max(1, fan)  # without inputs there is nothing to draw
    if distribution == "normal":
        return rng.normal(0.0, sqrt(variance), shape)
    a = sqrt(3.0 * variance)
    return rng.uniform(-a, a, shape)


class Glorot(InitializerBase):
    """Variance 2 / (fan_in + fan_out): keeps the variance of signals and gradients through tanh and sigmoid.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16.
    """

    type: Literal["glorot"] = "glorot"
    distribution: Distribution = "uniform"

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _variance_scaling(rng, shape, 2.0, shape[0] + shape[-1], self.distribution)


class He(InitializerBase):
    """Variance 2 / fan_in: compensates for the half of the signal that ReLU cuts off.

    He et al., "Delving deep into rectifiers", 2015, eq. 10.
    """

    type: Literal["he"] = "he"
    distribution: Distribution = "normal"

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _variance_scaling(rng, shape, 2.0, shape[0], self.distribution)


class Lecun(InitializerBase):
    """Variance 1 / fan_in, as SELU's fixed point assumes.

    LeCun et al., "Efficient BackProp", 1998, section 4.6.
    """

    type: Literal["lecun"] = "lecun"
    distribution: Distribution = "normal"

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return _variance_scaling(rng, shape, 1.0, shape[0], self.distribution)


class Orthogonal(InitializerBase):
    """Orthonormal rows or columns, times `gain`.

    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning", 2014.
    """

    type: Literal["orthogonal"] = "orthogonal"
    gain: PositiveSetting = 1.0

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        rows, columns = shape[0], prod(shape[1:])
        A = rng.normal(size=(max(rows, columns), min(rows, columns)))
        Q, R = np.linalg.qr(A)
        Q *= np.sign(np.diag(R))  # makes the factorization unique, hence the draw uniform over rotations
        return np.asarray(self.gain * (Q if rows >= columns else Q.T).reshape(shape))


class DataDependent(InitializerBase):
    """N(0, 1), then each unit scaled so that Z has standard deviation 1 over the training rows.

    Units that vary far less than others stay smaller. The output layer starts at 0 and the best constant prediction.

    The bias puts a random mean of five rows (Dirichlet) at the activation's kink: "he+5" of Steinwart, "A sober look at
    neural network initializations", 2019.
    """

    type: Literal["data_dependent"] = "data_dependent"

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.normal(size=shape)


def _expand(value: Any) -> Any:
    """`he` for `{type: he}` and `he_uniform` for `{type: he, distribution: uniform}`."""
    if not isinstance(value, str):
        return value
    name, _, distribution = value.rpartition("_")
    return (
        {"type": name, "distribution": distribution}
        if distribution in ("uniform", "normal") and name
        else {"type": value}
    )


Initializer = Annotated[
    Annotated[
        Zeros | Constant | Normal | Uniform | Glorot | He | Lecun | Orthogonal | DataDependent,
        Field(discriminator="type"),
    ],
    Shorthand(
        _expand,
        also=Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"],
    ),
]


ROWS_PER_BIAS = 5
MIN_SPREAD = 0.5
"""The least standard deviation that a unit is scaled by, in that of units with weights from N(0, 1).

Where the inputs vary in few directions, as those of one or two columns do, some units are nearly constant. They would
get huge weights, so that a small step of the layer before changes them a thousandfold.
"""


def init_dense_from_data(W: Array, b: Array | None, X: Array, factor: float, rng: np.random.Generator) -> None:
    """Scale the columns of W (d, units), drawn from N(0, 1), and draw b (units,), for inputs X (rows, d).

    Afterwards each unit of U = factor · X W has standard deviation 1 over the rows, or less if it varied less than
    MIN_SPREAD allows, and b_j = -Σ_k v_k U[i_k, j] for five rows i_k and weights v ~ Dirichlet(1, …, 1), drawn for each
    unit. Where no input varies, W stays.
    """
    U = factor * (X @ W)
    std = U.std(axis=0, dtype=np.float64)
    usual = factor * np.sqrt(X.var(axis=0, dtype=np.float64).sum())  # of a unit, in the square mean over all weights
    size = np.abs(U).max(axis=0, initial=0.0)
    constant = std <= 10.0 * np.finfo(U.dtype).eps * size  # apart from rounding
    std = np.maximum(std, MIN_SPREAD * usual)
    std[constant] = 1.0
    np.divide(W, std, out=W)
    if b is None:
        return
    units = W.shape[1]
    rows = rng.integers(len(X), size=(ROWS_PER_BIAS, units))
    v = rng.dirichlet(np.ones(ROWS_PER_BIAS), units).T
    b[...] = -(v * (U[rows, np.arange(units)] / std)).sum(axis=0)
