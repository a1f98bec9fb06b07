"""Integrated gradients: closed forms, completeness for any network, and an error where it is not reached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.analysis.inspection.attribution import MAX_SEGMENTS, EmbeddedNetwork, Integrated, PathPoints, integrate
from nncli.nn.layers.residual import Layer
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding
from tests.unions import members, tag

BASE = np.array([1.0, -2.0, 0.5])
U = np.random.default_rng(0).normal(size=(5, 3))


def plain(value: Any, slope: Any, base: Any, rows: Any, tolerance: float) -> Integrated:
    """Integrate a function of the inputs themselves."""
    return integrate(lambda u, r: PathPoints(value(u, r), u, slope(u, r)), lambda values: values, base, rows, tolerance)


def of(value: Any, slope: Any, rows: Any = U, tolerance: float = 1e-6) -> Integrated:
    return plain(lambda u, _: value(u), lambda u, _: slope(u), BASE, rows, tolerance)


def test_attributions_of_a_linear_function_are_weight_times_distance() -> None:
    w = np.array([2.0, -3.0, 0.0])
    result = of(lambda u: u @ w + 7.0, lambda u: np.broadcast_to(w, u.shape))
    np.testing.assert_allclose(result.attributions, w * (U - BASE), atol=1e-13)
    np.testing.assert_allclose(result.baseline, BASE @ w + 7.0)
    np.testing.assert_allclose(result.ends, U @ w + 7.0)
    assert result.error.max() < 1e-12


def test_attributions_of_a_product_are_shared_equally() -> None:
    # f = x y from (0, 0) to (x, y): each adds the integral of t x y dt, half of x y
    rows = np.array([[2.0, 3.0, 0.0]])
    result = plain(
        lambda u, _: u[:, 0] * u[:, 1], lambda u, _: u[:, [1, 0, 2]] * [1.0, 1.0, 0.0], np.zeros(3), rows, 1e-9
    )
    np.testing.assert_allclose(result.attributions, [[3.0, 3.0, 0.0]])


def test_kinks_are_located() -> None:
    # f = max(0, x) + 2 y: x adds what of its way lies above 0, whatever fraction that is
    rows = np.array([[3.0, 1.0, 0.0], [-5.0, 0.0, 0.0]])
    base = np.array([-1.0, 0.0, 0.0])
    result = plain(
        lambda u, _: np.maximum(u[:, 0], 0.0) + 2.0 * u[:, 1],
        lambda u, _: np.stack([u[:, 0] > 0.0, np.full(len(u), 2.0), np.zeros(len(u))], axis=1),
        base,
        rows,
        1e-5,
    )
    np.testing.assert_allclose(result.attributions, [[3.0, 2.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-5)
    assert result.error.max() <= 1e-5


def test_a_function_of_inner_inputs_is_integrated_by_them() -> None:
    # f = a b with a = |x| and b = y: x goes from -1 to 3, y from 0 to 4; x adds the integral of 16 t sign(4t - 1)
    rows, base = np.array([[3.0, 4.0]]), np.array([-1.0, 0.0])

    def evaluate(u: Any, _: Any) -> PathPoints:
        E = np.stack([np.maximum(u[:, 0], 0.0), np.maximum(-u[:, 0], 0.0), u[:, 1]], axis=1)
        G = np.stack([E[:, 2], E[:, 2], E[:, 0] + E[:, 1]], axis=1)
        return PathPoints((E[:, 0] + E[:, 1]) * E[:, 2], E, G)

    def by_input(values: Any) -> Any:
        return np.stack([values[:, 0] + values[:, 1], values[:, 2]], axis=1)

    result = integrate(evaluate, by_input, base, rows, 1e-9)
    np.testing.assert_allclose(result.attributions, [[8.0 - 1.0, 4.0 + 1.0]])


def test_the_baseline_itself_has_zero_attributions() -> None:
    result = of(lambda u: (u**2).sum(axis=1), lambda u: 2.0 * u, BASE[None])
    assert not result.attributions.any()
    assert not result.error.any()


def test_rows_may_ask_for_different_outputs() -> None:
    W = np.array([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    which = np.array([0, 1, 0, 1, 1])
    result = plain(lambda u, r: (u * W[which[r]]).sum(axis=1), lambda u, r: W[which[r]], BASE, U, 1e-9)
    np.testing.assert_allclose(result.attributions, W[which] * (U - BASE), atol=1e-13)


def test_a_wrong_gradient_ends_with_an_error() -> None:
    asked = []

    def wrong(u: Any) -> Any:  # the gradient of something else: no number of pieces makes it complete
        asked.append(len(u))
        return np.zeros(u.shape)

    result = of(lambda u: u[:, 0], wrong)
    np.testing.assert_allclose(result.error, np.abs(U[:, 0] - BASE[0]))
    assert sum(asked) < 20 * MAX_SEGMENTS * len(U)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_values_end_at_once_with_an_error(bad: float) -> None:
    with np.errstate(invalid="ignore"):
        result = of(lambda u: np.where(u[:, 0] > 0.0, bad, 0.0), lambda u: np.full(u.shape, bad))
    assert not (result.error <= 1.0).any()


def test_wide_rows_are_integrated_in_blocks() -> None:
    rows, asked = np.ones((40, 3000)), list[int]()

    def value(u: Any, _: Any) -> Any:
        asked.append(len(u))
        return u.sum(axis=1)

    result = plain(value, lambda u, _: np.ones(u.shape), np.zeros(3000), rows, 1e-6)
    np.testing.assert_allclose(result.attributions, 1.0)
    assert len(asked) > 1


# --- completeness, whatever the network -----------------------------------------------------------------------------

LAYERS: dict[str, Any] = {
    "dense": st.fixed_dictionaries(
        {
            "type": st.just("dense"),
            "units": st.integers(1, 5),
            "activation": st.sampled_from(["relu", "tanh", "gelu", "mish", "elu", "sigmoid"]),
            "parametrization": st.sampled_from(["standard", "ntk"]),
        }
    ),
    "dropout": st.just("dropout"),
    "batch_norm": st.just("batch_norm"),
    "layer_norm": st.just({"type": "layer_norm", "epsilon": 0.1}),
    "scale": st.just("scale"),
    "activation": st.sampled_from([{"type": "activation", "activation": name} for name in ("relu", "silu", "selu")]),
    "parametric_activation": st.just({"type": "parametric_activation", "activation": "relu"}),
    "residual": st.just({"type": "residual", "layers": [{"type": "activation", "activation": "leaky_relu"}]}),
}


def test_every_layer_is_among_those_drawn() -> None:
    assert set(LAYERS) == {tag(cls) for cls in members(Layer)}


@pytest.mark.slow
@given(
    layers=st.lists(st.one_of(*LAYERS.values()), max_size=4),
    embeddings=st.integers(0, 2),
    numeric=st.sampled_from([None, *(tag(cls) for cls in members(NumericEmbedding))]),
    output_activation=st.sampled_from([None, "softmax", "sigmoid"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_attributions_are_complete_for_any_network(
    layers: list[Any], embeddings: int, numeric: str | None, output_activation: str | None, seed: int
) -> None:
    network = Network.model_validate(
        {
            "n_features": 3,
            "numeric_features": [0, 2],
            "numeric_embedding": numeric,
            "embeddings": [{"name": f"e{i}", "n_embeddings": 4, "width": i + 1} for i in range(embeddings)],
            "layers": layers,
            "n_outputs": 2,
            "output_activation": output_activation,
        }
    )
    rng = np.random.default_rng(seed)
    parameters = network.initialize(rng)
    np.add(parameters.theta, rng.normal(0.0, 0.3, parameters.theta.shape).astype(np.float32), out=parameters.theta)
    opened = EmbeddedNetwork(network, parameters)
    rows = opened.embed(rng.normal(size=(3, 3)), rng.integers(0, 4, (3, embeddings)))
    base = opened.embed(rng.normal(size=(20, 3)), rng.integers(0, 4, (20, embeddings))).mean(axis=0)
    dZ = np.array([1.0, 0.0])
    result = integrate(
        lambda u, _: PathPoints(
            opened.run(u)[:, 0], *opened.gradients(u, lambda Z, some: np.broadcast_to(dZ, Z.shape))
        ),
        opened.by_input,
        base,
        rows,
        tolerance := 1e-4 * max(1.0, float(np.abs(opened.run(rows)).max())),
    )
    assert result.error.max() <= tolerance
    np.testing.assert_allclose(result.ends, opened.run(rows)[:, 0], rtol=1e-9, atol=1e-12)
