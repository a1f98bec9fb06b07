"""theta, its gradient and the statistics: flat vectors, and views into them that follow one order."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.nn.initializers import Constant, Normal
from nncli.nn.parameters import DECAYED, ParamGroup, ParamLayout, ParamSpec, by_prefix, with_prefix

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)


@st.composite
def layouts(draw: st.DrawFn) -> ParamLayout:
    count = draw(st.integers(0, 8))
    return ParamLayout(
        tuple(
            ParamSpec(f"s{i}", draw(SHAPES), draw(st.sampled_from(ParamGroup)), Constant(value=float(i)))
            for i in range(count)
        )
    )


@pytest.mark.slow
@given(layout=layouts())
def test_every_number_belongs_to_exactly_one_name(layout: ParamLayout) -> None:
    parameters = layout.empty("float64")
    for view in parameters.by_name.values():
        view += 1.0
    assert (parameters.theta == 1.0).all()
    assert (parameters.statistics == 1.0).all()
    for view in parameters.gradients.values():
        view += 1.0
    assert (parameters.grad == 1.0).all()
    assert parameters.theta.size == parameters.grad.size == layout.size
    assert layout.size + parameters.statistics.size == sum(prod(spec.shape) for spec in layout.specs)


@given(layout=layouts())
def test_groups_lie_in_order_and_the_decayed_come_first(layout: ParamLayout) -> None:
    parameters = layout.empty("float64")
    for spec in layout.specs:
        if spec.group is not ParamGroup.STATISTIC:
            parameters.by_name[spec.name][...] = spec.group
    assert (np.diff(parameters.theta) >= 0).all()
    assert np.isin(parameters.theta[: layout.n_decayed], DECAYED).all()
    assert not np.isin(parameters.theta[layout.n_decayed :], DECAYED).any()
    assert [span.start for span in layout.groups.values()] == [0, *(s.stop for s in layout.groups.values())][:-1]
    assert sum(span.stop - span.start for span in layout.groups.values()) == layout.size
    for group, span in layout.groups.items():
        assert (parameters.theta[span] == group).all()


@pytest.mark.slow
@given(layout=layouts())
@settings(max_examples=50, deadline=None)
def test_names_keep_the_order_and_the_shapes_of_the_network(layout: ParamLayout) -> None:
    parameters = layout.initialize(np.random.default_rng(0), "float64")
    assert list(parameters.by_name) == [spec.name for spec in layout.specs]
    trained = [spec.name for spec in layout.specs if spec.group is not ParamGroup.STATISTIC]
    assert list(parameters.gradients) == trained
    for i, spec in enumerate(layout.specs):
        view = parameters.by_name[spec.name]
        assert view.shape == spec.shape
        assert view.flags.c_contiguous
        assert (view == float(i)).all()


def two_specs() -> ParamLayout:
    return ParamLayout(
        (ParamSpec("bias", (2,), ParamGroup.BIAS, Normal()), ParamSpec("weight", (2, 2), ParamGroup.WEIGHT, Normal()))
    )


def test_views_write_through_to_theta() -> None:
    parameters = two_specs().empty("float32")
    parameters.by_name["weight"][1, 0] = 5.0
    parameters.by_name["bias"][1] = 7.0
    assert parameters.theta.tolist() == [0.0, 0.0, 5.0, 0.0, 0.0, 7.0]  # the weight lies before the bias
    parameters.gradients["bias"][0] = 9.0
    assert parameters.grad.tolist() == [0.0, 0.0, 0.0, 0.0, 9.0, 0.0]


def test_values_are_drawn_in_the_order_of_the_network_and_not_of_theta() -> None:
    rng = np.random.default_rng(3)
    expected = {"bias": rng.normal(0.0, 0.05, 2), "weight": rng.normal(0.0, 0.05, (2, 2))}
    parameters = two_specs().initialize(np.random.default_rng(3), "float64")
    for name, value in expected.items():
        np.testing.assert_array_equal(parameters.by_name[name], value)


def test_a_copy_takes_theta_and_statistics_and_shares_nothing() -> None:
    layout = ParamLayout(
        (*two_specs().specs, ParamSpec("running_mean", (3,), ParamGroup.STATISTIC, Constant(value=2.0)))
    )
    source, target = layout.initialize(np.random.default_rng(0), "float64"), layout.empty("float64")
    source.grad[...] = 1.0
    target.copy_from(source)
    np.testing.assert_array_equal(target.theta, source.theta)
    np.testing.assert_array_equal(target.statistics, 2.0)
    np.testing.assert_array_equal(target.grad, 0.0)
    source.theta[...] = -1.0
    assert not (target.theta == -1.0).any()
    np.testing.assert_array_equal(target.by_name["weight"].ravel(), target.theta[:4])


def test_a_prefix_is_taken_off_whole_and_never_within_a_word() -> None:
    a, b, c = np.zeros(1), np.zeros(2), np.zeros(3)
    views = {"layers.1.weight": a, "layers.10.weight": b, "layers.1.layers.1.bias": c}
    result = with_prefix(views, "layers.1")
    assert set(result) == {"weight", "layers.1.bias"}
    assert result["weight"] is a
    assert with_prefix(views, "layers") == {"1.weight": a, "10.weight": b, "1.layers.1.bias": c}
    assert with_prefix(views, "output") == {}


def test_a_spec_goes_under_a_prefix_and_stays_the_same_otherwise() -> None:
    spec = ParamSpec("weight", (2, 3), ParamGroup.WEIGHT, Normal())
    assert spec.with_prefix("layers.0") == ParamSpec("layers.0.weight", (2, 3), ParamGroup.WEIGHT, Normal())


def test_the_views_of_many_prefixes_are_those_of_each() -> None:
    names = ("layers.0.weight", "layers.0.layers.1.bias", "layers.10.weight", "output.weight", "embeddings.0")
    views = {name: np.zeros(i) for i, name in enumerate(names)}
    prefixes = ("layers.0", "layers.1", "layers.10", "output")

    parts = by_prefix(views, prefixes)

    assert {*parts} == {*prefixes}
    for prefix in prefixes:
        expected = with_prefix(views, prefix)
        assert parts[prefix].keys() == expected.keys()
        assert all(parts[prefix][name] is view for name, view in expected.items())
