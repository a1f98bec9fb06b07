"""What holds for every loss: weights, gradients, links and losses per row."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.losses import (
    AMOUNT_LOSSES,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    GammaLoss,
    Loss,
    LossBase,
    MAELoss,
    PoissonLoss,
)
from nncli.nn.losses.scaling import LogLinkScaling
from tests.unions import plain_losses, tag

Matrix = NDArray[np.float64]
CODED = ("classification", "ordinal")
"""The tasks whose targets are codes of classes."""


EVERY = [pytest.param(cls(), id=tag(cls)) for cls in plain_losses()]


def value_and_slope(loss: LossBase, Z: Any, y: Any, w: Any = None, dtype: Any = np.float64) -> tuple[float, Any]:
    Z = np.array(Z, dtype)
    y = np.array(y, np.int64 if loss.task in CODED else dtype)
    bound = loss.bind(Z, y, None if w is None else np.array(w, dtype))
    return bound.forward(), bound.backward().copy()


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_weight_of_two_counts_as_two_rows_and_of_zero_as_none(loss: LossBase, outputs: int) -> None:
    rng = np.random.default_rng(0)
    y = random_targets(loss, rng, 3, outputs)
    outputs = width(loss, outputs)
    Z = rng.normal(size=(3, outputs))
    value, dZ = value_and_slope(loss, Z, y, [2.0, 1.0, 0.0])
    twice, dtwice = value_and_slope(loss, Z[[0, 0, 1]], y[[0, 0, 1]])
    assert value == pytest.approx(twice, rel=1e-13)
    np.testing.assert_allclose(dZ, [dtwice[0] + dtwice[1], dtwice[2], np.zeros(outputs)], rtol=1e-12, atol=1e-15)


def _huber(z: float, y: float, delta: float) -> float:
    d = abs(z - y)
    return d * d / 2.0 if d <= delta else delta * (d - delta / 2.0)


PER_NUMBER: dict[str, Callable[[Any, float, float], float]] = {
    "mse": lambda loss, z, y: (z - y) ** 2,
    "mae": lambda loss, z, y: abs(z - y),
    "huber": lambda loss, z, y: _huber(z, y, loss.delta),
    "quantile": lambda loss, z, y: max(loss.q * (y - z), (loss.q - 1.0) * (y - z)),
    "poisson": lambda loss, z, y: math.exp(z) - y * z,
    "gamma": lambda loss, z, y: y / math.exp(z) + z,
    "tweedie": lambda loss, z, y: _tweedie(math.exp(z), y, loss.deviance_power),
}


def _tweedie(m: float, y: float, p: float) -> float:
    return float(y * m ** (1.0 - p) / (p - 1.0) + m ** (2.0 - p) / (2.0 - p))


def _negative_binomial(z: float, s: float, y: float) -> float:
    m, r = math.exp(z), math.exp(-s)
    return math.lgamma(r) - math.lgamma(y + r) - r * math.log(r / (r + m)) - y * math.log(m / (r + m))


def _zero_inflated(z: float, s: float, y: float) -> float:
    m, q = math.exp(z), 1.0 / (1.0 + math.exp(-s))
    return -math.log(q + (1.0 - q) * math.exp(-m)) if y == 0.0 else m - y * z - math.log(1.0 - q)


def _log_normal(z: float, s: float, y: float) -> float:
    log_sigma = 2.0 * math.tanh((s + 1.0) / 2.0) - 1.0
    return log_sigma + (math.log(y) - z) ** 2 / (2.0 * math.exp(2.0 * log_sigma))


def _distribution(crps: Callable[[float], float]) -> Callable[[float, float, float], float]:
    def loss(z: float, s: float, y: float) -> float:
        scale = math.exp(4.0 * math.tanh(s / 2.0 + 1.0) - 3.0)
        return scale * crps((y - z) / scale)

    return loss


def _normal(u: float) -> float:
    density = math.exp(-u * u / 2.0) / math.sqrt(2.0 * math.pi)
    return u * math.erf(u / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi)


def _student_t_of_4(u: float) -> float:
    a = 1.0 + u * u / 4.0
    inner = 0.75 * u / math.sqrt(a) * (1.0 - u * u / (12.0 * a))  # 2 F - 1
    beta = 0.552233083638831  # B(1/2, 7/2) / B(1/2, 2)^2
    return u * inner + 2.0 * 0.375 * math.pow(a, -2.5) * (4.0 + u * u) / 3.0 - 4.0 / 3.0 * beta


def _mixture(z: Matrix, y: float, components: int) -> float:
    """Of one target, by E|X - y| - E|X - X'| / 2 of the components."""
    m, s, r = (z[part * components : (part + 1) * components].tolist() for part in range(3))
    m = [a + NormalDist().inv_cdf((i + 0.5) / components) for i, a in enumerate(m)]
    s = [math.exp(4.0 * math.tanh(a / 2.0 + 1.0) - 3.0) for a in s]
    w = [math.exp(a - max(r)) for a in r]
    w = [a / math.fsum(w) for a in w]

    def distance(d: float, scale: float) -> float:
        u = d / scale
        return d * math.erf(u / math.sqrt(2.0)) + scale * math.sqrt(2.0 / math.pi) * math.exp(-u * u / 2.0)

    to_y = math.fsum(w[i] * distance(y - m[i], s[i]) for i in range(components))
    pairs = [(i, j) for i in range(components) for j in range(components)]
    return to_y - math.fsum(w[i] * w[j] * distance(m[i] - m[j], math.hypot(s[i], s[j])) for i, j in pairs) / 2.0


PER_PAIR = {
    "log_normal": _log_normal,
    "negative_binomial": _negative_binomial,
    "zero_inflated_poisson": _zero_inflated,
    "normal": _distribution(_normal),
    "student_t": _distribution(_student_t_of_4),
}
"""Losses of a number, its output and a second one."""
PER_SEVERAL = (*PER_PAIR, "mixture")
"""Losses of a number and several outputs."""


def naive_row(loss: Any, z: Matrix, y: Any) -> float:
    """One row's loss from its definition, in plain floats."""
    name = tag(type(loss))
    if name == "quantiles":
        pairs = [(q, y[j] - z[j * len(loss.levels) + i]) for j in range(len(y)) for i, q in enumerate(loss.levels)]
        return math.fsum(q * e if e > 0 else (q - 1.0) * e for q, e in pairs) / len(z)
    if name in PER_PAIR:
        k = len(y)
        return math.fsum(PER_PAIR[name](float(z[j]), float(z[k + j]), float(y[j])) for j in range(k)) / k
    if name == "mixture":
        by_target = z.reshape(3, len(y), -1).transpose(1, 0, 2).reshape(len(y), -1)
        each = [_mixture(z_j, float(y_j), loss.components) for z_j, y_j in zip(by_target, y, strict=True)]
        return math.fsum(each) / len(y)
    if name in PER_NUMBER:
        return math.fsum(PER_NUMBER[name](loss, float(a), float(b)) for a, b in zip(z, y, strict=True)) / len(z)
    if name == "hinge":
        signs = [1.0 if y == 1 else -1.0] if len(z) == 1 else [1.0 if y == k else -1.0 for k in range(len(z))]
        return math.fsum(max(0.0, 1.0 - t * float(a)) for t, a in zip(signs, z, strict=True)) / len(z)
    if name == "binary_cross_entropy":
        s, present = (
            loss.label_smoothing,
            [(float(a), float(b)) for a, b in zip(z, y, strict=True) if not math.isnan(b)],
        )
        signed = [(t * (1.0 - s) + s / 2.0, a) for a, t in present]
        each = [t * math.log1p(math.exp(-a)) + (1.0 - t) * math.log1p(math.exp(a)) for t, a in signed]
        return math.fsum(each) / max(len(each), 1)
    if name == "ordinal":
        p = [1.0 / (1.0 + math.exp(-float(a))) for a in z]
        return -math.log(math.prod(p[:y]) * (1.0 - p[y] if y < len(p) else 1.0))
    if name == "survival":
        n, mean = len(z), math.fsum(map(float, z)) / len(z)
        hazards = [1.0 / (1.0 + math.exp(-0.1 * float(a) - 0.3 * mean)) for a in z]
        return -math.fsum(r * math.log1p(-h) + e * math.log(h) for h, r, e in zip(hazards, y[:n], y[n:], strict=True))
    if name == "cox":
        n, H = len(z) - 1, [math.exp(0.1 * float(z[0]) + float(b)) for b in z[1:]]
        return math.fsum(r * h - e * math.log(-math.expm1(-h)) for h, r, e in zip(H, y[:n], y[n:], strict=True))
    assert name == "cross_entropy"
    scores = [0.0, float(z[0])] if len(z) == 1 else [float(a) for a in z]
    K, s, log_sum = len(scores), loss.label_smoothing, math.log(math.fsum(map(math.exp, scores)))
    return -math.fsum(((1.0 - s) * (y == k) + s / K) * (scores[k] - log_sum) for k in range(K))


def random_targets(loss: LossBase, rng: np.random.Generator, rows: int, outputs: int) -> NDArray[Any]:
    if loss.task == "multilabel":
        return rng.choice([0.0, 1.0, math.nan], (rows, outputs))
    if loss.task == "survival":
        event = rng.multinomial(1, np.full(outputs, 1.0 / outputs), rows) * rng.integers(0, 2, (rows, 1))
        return np.concatenate([rng.uniform(0.0, 1.0, (rows, outputs)) * (1 - event), event], axis=1)
    if loss.task != "regression":
        return rng.integers(0, outputs + 1 if outputs == 1 or loss.task == "ordinal" else outputs, rows)
    if loss.model_dump()["type"] in PER_PAIR:
        return rng.poisson(1.0, (rows, outputs)) + float(tag(type(loss)) == "log_normal")
    return np.abs(rng.normal(size=(rows, outputs)))


def width(loss: LossBase, targets: int) -> int:
    """The number of raw outputs for some targets, or for scores of classes."""
    return targets if loss.task in CODED else loss.outputs(targets)


@st.composite
def losses(draw: st.DrawFn) -> LossBase:
    settings_of: dict[str, dict[str, object]] = {
        "huber": {"delta": draw(st.floats(0.1, 5.0))},
        "quantile": {"q": draw(st.floats(0.01, 0.99))},
        "quantiles": {"levels": tuple(sorted({0.5, 0.97, *draw(st.lists(st.floats(0.01, 0.99), max_size=3))}))},
        "cross_entropy": {"label_smoothing": draw(st.floats(0.0, 0.99))},
        "binary_cross_entropy": {"label_smoothing": draw(st.floats(0.0, 0.99))},
        "mixture": {"components": draw(st.integers(2, 4))},
        "tweedie": {"power": draw(st.floats(1.05, 1.95))},
    }
    cls = draw(st.sampled_from(plain_losses()))
    loss: LossBase = cls(**settings_of.get(tag(cls), {}))
    return loss


@given(
    loss=losses(), rows=st.integers(1, 9), outputs=st.integers(1, 6), seed=st.integers(0, 2**16), weighted=st.booleans()
)
def test_the_value_is_the_weighted_mean_of_the_definition(
    loss: LossBase, rows: int, outputs: int, seed: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(0.0, 3.0, (rows, width(loss, outputs))), random_targets(loss, rng, rows, outputs)
    w = rng.uniform(0.1, 3.0, rows) if weighted else np.ones(rows)
    expected = math.fsum(float(wi) * naive_row(loss, z, yi) for wi, z, yi in zip(w, Z, y, strict=True)) / rows
    result, _ = value_and_slope(loss, Z, y, w if weighted else None)
    assert result == pytest.approx(expected, rel=1e-9 if tag(type(loss)) in PER_SEVERAL else 1e-12, abs=1e-11)
    single, dZ = value_and_slope(loss, Z, y, w if weighted else None, np.float32)
    assert single == pytest.approx(expected, rel=3e-5, abs=3e-5)
    assert dZ.dtype == np.float32


@given(loss=losses(), rows=st.integers(1, 9), outputs=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_the_mean_of_the_losses_per_row_is_the_value(loss: LossBase, rows: int, outputs: int, seed: int) -> None:
    if loss.task == "classification":
        loss = CrossEntropyLoss()  # every classification loss reports the log loss
    if isinstance(loss, BinaryCrossEntropyLoss):
        loss = BinaryCrossEntropyLoss()  # without label smoothing, too
    if tag(type(loss)) in PER_SEVERAL:
        reported: dict[str, LossBase] = {
            "log_normal": GammaLoss(),
            "normal": MAELoss(),
            "student_t": MAELoss(),
            "mixture": MAELoss(),
        }
        loss = reported.get(tag(type(loss)), PoissonLoss())  # what these report of their means
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(0.0, 3.0, (rows, width(loss, outputs))), random_targets(loss, rng, rows, outputs)
    if tag(type(loss)) == "cox":
        Z = Z.clip(-3.0, 1.0)  # a survival of almost 0 or 1 does not tell the hazard
    quantiles = loss.quantiles(Z)
    if quantiles is not None:
        Z = quantiles.reshape(rows, -1)  # predicted quantiles are sorted
    values = loss.per_row(loss.inverse_link(Z) if quantiles is None else quantiles, y)
    assert values.shape == (rows,)
    assert values.mean() == pytest.approx(value_and_slope(loss, Z, y)[0], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", EVERY)
def test_a_nan_is_never_hidden(loss: LossBase) -> None:
    y = [0, 1] if loss.task in CODED else [[1.0], [1.0]]
    if loss.task == "survival":
        y = [[0.0, 1.0], [0.0, 1.0]]
    with np.errstate(invalid="ignore"):
        value, _ = value_and_slope(loss, [[math.nan] * width(loss, 1), [0.0] * width(loss, 1)], y)
    assert math.isnan(value)


QUANTILES = ("quantile", "quantiles")
SMOOTH_OR_FLAT = [p for p in EVERY if p.id not in (*QUANTILES, *PER_SEVERAL)]  # a pinball loss has a slope everywhere


@pytest.mark.parametrize("loss", SMOOTH_OR_FLAT)
def test_the_derivative_at_a_perfect_fit_is_zero(loss: LossBase) -> None:
    Z, y = {
        "classification": ([[1e3, -1e3, -1e3], [-1e3, 1e3, -1e3]], np.array([0, 1])),
        "multilabel": ([[1e3, -1e3, 5.0]], np.array([[1.0, 0.0, math.nan]])),
        "ordinal": ([[-1e3, 0.0, 0.0], [1e3, -1e3, 0.0]], np.array([0, 1])),
        "survival": (
            [[0.0] * loss.outputs(0) + [-1e3, 1e3, 5.0]],
            np.array([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]]),
        ),
        "regression": ([[0.0], [math.log(3.0)]], np.array([[1.0], [3.0]]) if loss.deviance_power else None),
    }[loss.task]
    _, dZ = value_and_slope(loss, Z, Z if y is None else y)
    np.testing.assert_allclose(dZ, 0.0, atol=1e-15)


@pytest.mark.parametrize("loss", EVERY)
def test_width_of_the_output(loss: LossBase) -> None:
    if loss.task == "ordinal":
        assert [loss.outputs(classes) for classes in (2, 5)] == [1, 4]
        return
    each = {"mixture": 9, **dict.fromkeys(PER_PAIR, 2)}.get(tag(type(loss)), max(1, len(loss.quantile_levels)))
    if tag(type(loss)) == "cox":
        assert [loss.outputs(bins) for bins in (1, 5)] == [2, 6]
        return
    assert loss.outputs(5) == 5 * each
    assert loss.outputs(2) == (1 if loss.task == "classification" else 2 * each)


def test_losses_with_a_log_link_are_those_of_counts_and_amounts() -> None:
    unscaled = {tag(cls) for cls in plain_losses() if isinstance(cls.scaling, LogLinkScaling)}
    limited = {tag(cls) for cls in plain_losses() if cls.valid_targets}
    assert unscaled == limited == {*AMOUNT_LOSSES}
    assert {"poisson", "gamma", "log_normal", "tweedie", "negative_binomial", "zero_inflated_poisson"} == unscaled


@pytest.mark.parametrize("loss", EVERY)
def test_a_bare_name_stands_for_the_defaults(loss: LossBase) -> None:
    assert TypeAdapter(Loss).validate_python(tag(type(loss))) == loss


@pytest.mark.parametrize(
    "wrong",
    [
        "l2",
        {"type": "huber", "delta": 0.0},
        {"type": "quantile", "q": 0.0},
        {"type": "quantile", "q": 1.0},
        {"type": "quantiles", "levels": [0.5]},
        {"type": "quantiles", "levels": [0.05, 0.95]},
        {"type": "quantiles", "levels": [0.5, 0.5, 0.9]},
        {"type": "quantiles", "levels": [0.9, 0.5]},
        {"type": "quantiles", "levels": [0.0, 0.5]},
        {"type": "quantiles", "levels": [0.5, 1.0]},
        {"type": "cross_entropy", "label_smoothing": 1.0},
        {"type": "mse", "delta": 1.0},
    ],
)
def test_an_invalid_loss_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Loss).validate_python(wrong)


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("outputs", [1, 3])
def test_inverse_link_vjp_is_the_derivative_of_the_inverse_link(loss: LossBase, outputs: int) -> None:
    rng = np.random.default_rng(0)
    outputs = width(loss, outputs)
    Z = rng.normal(size=(4, outputs))
    P = loss.inverse_link(Z)
    is_search = tag(type(loss)) == "mixture"  # its medians have 6 digits or so
    h, digits = (1e-3, 1e-3) if is_search else (1e-6, 1e-6)
    dP = rng.normal(size=P.shape)
    dZ = loss.inverse_link_vjp(Z, dP)
    assert dZ.shape == Z.shape
    for j in range(outputs):
        step = np.zeros(outputs)
        step[j] = h
        difference = ((loss.inverse_link(Z + step) - loss.inverse_link(Z - step)) * dP).sum(axis=1) / (2.0 * h)
        np.testing.assert_allclose(dZ[:, j], difference, rtol=digits, atol=digits / 1e3)
