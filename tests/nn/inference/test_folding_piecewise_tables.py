"""Tables of a piecewise-linear embedding give what the layer itself gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nncli.nn.arrays import Array
from nncli.nn.inference import folding as piecewise_tables
from nncli.nn.inference.folding import PiecewiseTables, bind_piecewise
from nncli.nn.numeric_embeddings import PiecewiseLinear

EDGES = {
    "bins of different widths": [-2.0, -1.5, 0.0, 0.1, 3.0],
    "no first bin": [-1.0, -1.0, 0.0, 1.0, 2.0],
    "no last bin": [-1.0, 0.0, 1.0, 2.0, 2.0],
    "an inner bin missing": [-1.0, 0.0, 0.0, 0.0, 1.0],
    "only an inner bin": [0.0, 0.0, 1.0, 1.0, 1.0],
    "only the last bin": [0.0, 0.0, 0.0, 0.0, 1.0],
    "no bin": [1.5] * 5,
}
VALUES = [-7.0, -2.0, -1.7, -1.0, -0.3, 0.0, 0.05, 0.1, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0]


def parameters(edges: Sequence[Sequence[float]], units: int = 3) -> dict[str, Array]:
    rng, columns = np.random.default_rng(0), len(edges)
    shapes = {"slope": (columns, units), "bias": (columns, units), "weight": (columns, len(edges[0]) - 1, units)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()} | {"edges": np.array(edges)}


def by_the_layer(embedding: PiecewiseLinear, p: dict[str, Array], X: Array) -> Array:
    x = np.ones((X.shape[1], 2, len(X)))
    x[:, 0] = X.T
    Y, forward, _ = embedding.bind(p, p, x, needs_dx=False)
    forward()
    return Y.transpose(2, 0, 1).reshape(len(X), -1)


def by_tables(embedding: PiecewiseLinear, p: dict[str, Array], X: Array, numeric: Sequence[int]) -> Array:
    Y = np.full((len(X), len(numeric) * embedding.out_features), np.nan)
    bind_piecewise(embedding, numeric, X, Y)(PiecewiseTables.of(p, str(X.dtype)))
    return Y


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES.keys())
def test_a_column_has_the_values_of_the_layer(edges: list[float]) -> None:
    embedding, p = PiecewiseLinear(bins=4, width=3), parameters([edges])
    X = np.array(VALUES)[:, None]
    np.testing.assert_allclose(by_tables(embedding, p, X, [0]), by_the_layer(embedding, p, X), rtol=0.0, atol=1e-12)


def test_one_bin_is_one_line() -> None:
    embedding, p, X = PiecewiseLinear(bins=1, width=2), parameters([[-1.0, 2.0]], 2), np.array(VALUES)[:, None]
    np.testing.assert_allclose(by_tables(embedding, p, X, [0]), by_the_layer(embedding, p, X), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("values", [1, 200, 1 << 17])
def test_the_groups_of_columns_do_not_matter(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    monkeypatch.setattr(piecewise_tables, "GROUP_VALUES", values)
    embedding, p = PiecewiseLinear(bins=4, width=3), parameters(list(EDGES.values()))
    X = np.random.default_rng(1).normal(size=(15, 9))
    numeric = [0, 1, 3, 4, 5, 7, 8]
    expected = by_the_layer(embedding, p, X[:, numeric])
    np.testing.assert_allclose(by_tables(embedding, p, X, numeric), expected, rtol=0.0, atol=1e-12)


def test_values_in_float32_are_compared_in_float32() -> None:
    edges = np.array([-1.0, 0.1, 0.2, 0.3, 1.0], np.float32)
    p = {name: view.astype(np.float32) for name, view in parameters([edges.tolist()]).items()}
    X = edges[:, None]
    assert PiecewiseTables.of(p, "float32").edges.dtype == np.float32
    expected = by_the_layer(
        PiecewiseLinear(bins=4, width=3), {n: v.astype(float) for n, v in p.items()}, X.astype(float)
    )
    result = by_tables(PiecewiseLinear(bins=4, width=3), p, X, [0])
    np.testing.assert_allclose(result, expected, rtol=0.0, atol=1e-12)


def test_more_bins_than_a_byte_can_count() -> None:
    edges = np.linspace(-1.0, 1.0, 301).tolist()
    embedding, p = PiecewiseLinear(bins=300, width=3), parameters([edges])
    X = np.array([[-2.0], [0.999], [5.0]])
    np.testing.assert_allclose(by_tables(embedding, p, X, [0]), by_the_layer(embedding, p, X), rtol=0.0, atol=1e-10)


def test_a_value_that_is_no_number_spoils_only_its_own_embedding() -> None:
    embedding, p = PiecewiseLinear(bins=4, width=3), parameters([EDGES["no last bin"], EDGES["no bin"]])
    X = np.array([[0.5, 0.5], [np.nan, 0.5]])
    Y = by_tables(embedding, p, X, [0, 1])
    assert np.isnan(Y[1, :3]).all()
    assert np.isfinite(Y[0]).all()
    assert np.isfinite(Y[1, 3:]).all()
