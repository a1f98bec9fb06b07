"""Embeddings of numbers against their formulas, a number at a time, and where the bins' edges lie."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.arrays import BoundLayer
from nncli.nn.numeric_embeddings import NumericEmbedding, NumericEmbeddingBase, Periodic, PiecewiseLinear
from nncli.nn.parameters import Parameters, ParamGroup, ParamLayout
from nncli.nn.split_points import SplitPoint
from tests.unions import members, tag

Matrix = NDArray[np.float64]

every = pytest.mark.parametrize("embedding", [pytest.param(cls(), id=tag(cls)) for cls in members(NumericEmbedding)])


def bind(embedding: NumericEmbeddingBase, X: Any, *, seed: int = 0) -> tuple[BoundLayer, Parameters]:
    """The embedding alone, with fresh parameters, tied to the columns of X (rows, columns)."""
    X = np.asarray(X, np.float64)
    parameters = ParamLayout(embedding.parameters(X.shape[1])).initialize(np.random.default_rng(seed), "float64")
    embedding.init_from_data(parameters.by_name, X)
    x = np.stack([X.T, np.ones_like(X.T)], axis=1)
    return embedding.bind(parameters.by_name, parameters.gradients, x, needs_dx=True), parameters


def test_periodic_is_its_formula() -> None:
    X = np.random.default_rng(1).normal(size=(4, 3))
    bound, parameters = bind(Periodic(frequencies=5, width=3, sigma=0.7), X)
    bound.forward()
    p = parameters.by_name
    for row, xs in enumerate(X):
        for i, x in enumerate(xs):
            waves = [cos(2.0 * pi * p["frequency"][i, f] * x + p["phase"][i, f]) for f in range(5)]
            mixed = [sum(waves[f] * p["weight"][i, f, k] for f in range(5)) + p["bias"][i, k] for k in range(2)]
            np.testing.assert_allclose(bound.Y[i, :, row], [*mixed, x], rtol=1e-13)


def piecewise(x: float, edges: list[float]) -> list[float]:
    """v of one number, in the words of the definition."""
    v = [(x - low) / (high - low) if high > low else 0.0 for low, high in pairwise(edges)]
    v = [max(t, 0.0) if j else t for j, t in enumerate(v)]
    return [min(t, 1.0) if j < len(v) - 1 else t for j, t in enumerate(v)]


@pytest.mark.parametrize("bins", [1, 2, 6])
def test_piecewise_linear_is_its_formula_beyond_the_edges_too(bins: int) -> None:
    rng = np.random.default_rng(1)
    embedding = PiecewiseLinear(bins=bins, width=3)
    bound, parameters = bind(embedding, rng.normal(size=(50, 2)))
    p = parameters.by_name
    p["weight"][...] = rng.normal(size=p["weight"].shape)
    X = np.array([[-9.0, 9.0], [0.0, 0.1], [0.5, -0.7], [2.0, 1.0]])
    x = np.stack([X.T, np.ones_like(X.T)], axis=1)
    bound = embedding.bind(p, parameters.gradients, x, needs_dx=False)
    bound.forward()
    for row, xs in enumerate(X):
        for i, number in enumerate(xs):
            v = piecewise(number, p["edges"][i].tolist())
            expected = number * p["slope"][i] + p["bias"][i] + v @ p["weight"][i]
            np.testing.assert_allclose(bound.Y[i, :, row], expected, rtol=1e-12)


def test_piecewise_linear_starts_as_a_line() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    bound, parameters = bind(PiecewiseLinear(), X)
    bound.forward()
    p = parameters.by_name
    np.testing.assert_allclose(bound.Y, p["slope"][:, :, None] * X.T[:, None] + p["bias"][:, :, None])


@pytest.mark.parametrize(
    ("column", "edges"),
    [
        (range(9), [0.0, 2.0, 4.0, 6.0, 8.0]),
        ([0, 0, 0, 1, 2, 3, 4, 5, 6], [0.0, 2.0, 3.0, 4.0, 6.0]),  # the first two quantiles are one
        ([0, 0, 0, 0, 0, 1, 1, 1, 1], [0.0, 1.0, 1.0, 1.0, 1.0]),
        ([0, 0, 0, 0, 9, 2, 2, 1, 4], [0.0, 1.0, 2.0, 4.0, 9.0]),
        ([7] * 9, [7.0] * 5),
    ],
    ids=["even", "some alike", "two values", "as many values as edges", "constant"],
)
def test_inner_edges_are_the_values_or_their_quantiles_and_bins_to_spare_are_empty(
    column: Any, edges: list[float]
) -> None:
    bound, parameters = bind(PiecewiseLinear(bins=6, width=1), np.array(column, float)[:, None])
    np.testing.assert_array_equal(parameters.by_name["edges"], [[edges[0] - 1000.0, *edges, edges[-1] + 1000.0]])
    with np.errstate(all="raise"):
        bound.forward()
        bound.backward(np.ones_like(bound.Y))
    assert np.isfinite(bound.Y).all()
    assert np.isfinite(parameters.grad).all()


def test_the_bins_of_a_column_of_fewer_than_four_hold_training_rows() -> None:
    _, parameters = bind(PiecewiseLinear(bins=2, width=1), np.arange(9.0)[:, None])
    np.testing.assert_array_equal(parameters.by_name["edges"], [[0.0, 4.0, 8.0]])


def test_beyond_the_training_rows_the_embedding_continues_almost_along_its_line() -> None:
    X = np.repeat([[0.0], [0.001]], 10, axis=0)  # a narrow bin, whose slope would be a thousand times the difference
    _, parameters = bind(PiecewiseLinear(bins=6, width=1), X)
    p = parameters.by_name
    p["weight"][:] = 1.0
    bound = PiecewiseLinear(bins=6, width=1).bind(
        p, p, np.array([[[-3.0, 0.0, 0.001, 3.0], [1.0] * 4]]), needs_dx=False
    )
    bound.forward()
    line = p["slope"].item() * np.array([-3.0, 0.0, 0.001, 3.0]) + p["bias"].item()
    np.testing.assert_allclose(bound.Y[0, 0] - line, [1.0, 1.0, 2.0, 2.0], atol=0.01)


@every
def test_trained_parameters_are_in_the_group_of_numbers_and_edges_are_a_statistic(
    embedding: NumericEmbeddingBase,
) -> None:
    for spec in embedding.parameters(2):
        assert spec.group is (ParamGroup.STATISTIC if spec.name == "edges" else ParamGroup.NUMERIC)
        assert spec.shape[0] == 2


@every
def test_columns_do_not_touch_each_other(embedding: NumericEmbeddingBase) -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    bound, parameters = bind(embedding, X)
    bound.forward()
    dY = np.zeros_like(bound.Y)
    dY[1] = 1.0
    dx = bound.backward(dY)
    assert (dx[[0, 2]] == 0.0).all()
    for gradient in parameters.gradients.values():
        assert (gradient[[0, 2]] == 0.0).all()
        assert (gradient[1] != 0.0).any()


@every
def test_its_width_is_what_it_says(embedding: NumericEmbeddingBase) -> None:
    bound, _ = bind(embedding, np.zeros((3, 2)))
    assert bound.Y.shape == (2, embedding.out_features, 3)


def test_periodic_starts_as_the_recipe_says() -> None:
    p = ParamLayout(Periodic().parameters(4000)).initialize(np.random.default_rng(0), "float64").by_name
    assert float(p["frequency"].std()) == pytest.approx(0.1, rel=0.02)
    assert float(np.abs(p["phase"]).max()) == pytest.approx(pi, rel=1e-3)
    for name in ("weight", "bias"):
        assert 0.249 < float(np.abs(p[name]).max()) <= 0.25


@pytest.mark.parametrize(
    ("text", "embedding"),
    [
        ("periodic", Periodic(frequencies=16, width=4, sigma=0.1)),
        ("piecewise_linear", PiecewiseLinear(bins=48, width=16)),
        ({"type": "periodic", "sigma": 2.0}, Periodic(sigma=2.0)),
    ],
)
def test_an_embedding_may_be_written_short(text: Any, embedding: NumericEmbeddingBase) -> None:
    assert TypeAdapter(NumericEmbedding).validate_python(text) == embedding


@pytest.mark.parametrize(
    "wrong",
    [
        "plr",
        {"type": "periodic", "width": 1},
        {"type": "periodic", "sigma": 0.0},
        {"type": "piecewise_linear", "bins": 0},
    ],
)
def test_what_is_no_embedding_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(NumericEmbedding).validate_python(wrong)


def test_both_sides_of_a_split_are_edges_beside_quantiles() -> None:
    X = np.random.default_rng(3).normal(size=(500, 2))
    embedding = PiecewiseLinear(bins=16, width=2, tree_splits=2)
    parameters = ParamLayout(embedding.parameters(2)).initialize(np.random.default_rng(0), "float64")
    embedding.init_from_data(parameters.by_name, X, [SplitPoint(1, 0.25, 0.26), SplitPoint(1, -1.5, -1.4)])
    without, with_splits = parameters.by_name["edges"]
    assert {0.25, 0.26, -1.5, -1.4} <= set(with_splits)
    assert not {0.25, 0.26, -1.5, -1.4} & set(without)
    assert (np.diff(with_splits) >= 0.0).all()
    assert with_splits[1] == X[:, 1].min()
    assert with_splits[-2] == X[:, 1].max()


def test_all_values_are_edges_of_a_column_of_few_with_splits_too() -> None:
    X = np.repeat(np.arange(9.0), 5)[:, None]
    edges = []
    for splits in ((), [SplitPoint(0, 3.0, 4.0)]):
        embedding = PiecewiseLinear(bins=16, width=2)
        parameters = ParamLayout(embedding.parameters(1)).initialize(np.random.default_rng(0), "float64")
        embedding.init_from_data(parameters.by_name, X, splits)
        edges.append(parameters.by_name["edges"].copy())
    np.testing.assert_array_equal(edges[0], edges[1])
