"""Relative differences, against numbers by hand."""

from __future__ import annotations

import json
from math import inf, nan

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from nncli.analysis.reproduction.comparison import SAME, Difference, of_arrays, of_contents, of_numbers


@pytest.mark.parametrize(
    ("recorded", "again", "size"),
    [
        (1.0, 1.0, 0.0),
        (4.0, 5.0, 0.2),
        (-4.0, 5.0, 1.8),
        (0.0, 2.0, 1.0),
        (nan, nan, 0.0),
        (None, None, 0.0),
        (None, 1.0, inf),
        (1.0, nan, inf),
        (inf, 1.0, inf),
        (inf, inf, 0.0),
    ],
)
def test_numbers_differ_relative_to_the_larger_one(recorded: float | None, again: float | None, size: float) -> None:
    assert of_numbers(recorded, again) == pytest.approx(size)
    assert of_numbers(again, recorded) == of_numbers(recorded, again)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), st.integers(0, 19))
def test_arrays_are_the_same_only_to_the_bit(values: list[float], place: int) -> None:
    array = np.array(values, np.float32)
    other = array.copy()
    assert of_arrays(array, other) == 0.0
    other[place % len(other)] = np.nextafter(other[place % len(other)], np.float32(inf))
    assert 0.0 < of_arrays(array, other) <= 2.0


def test_arrays_of_other_shapes_types_or_values_that_are_not_finite_cannot_be_compared() -> None:
    array = np.ones(3)
    assert of_arrays(array, np.ones(4)) == inf
    assert of_arrays(array, np.ones(3, np.float32)) == inf
    assert of_arrays(array, np.array([1.0, nan, 1.0])) == inf
    assert of_arrays(np.array([1.0, inf]), np.array([1.0, -inf])) == inf
    assert 0.0 < of_arrays(np.array([0.0]), np.array([-0.0])) < 1e-300
    assert of_arrays(np.array([1.0, -8.0]), np.array([2.0, -8.0])) == 0.125


def test_values_that_are_not_finite_are_the_same_where_both_have_them() -> None:
    recorded = np.array([nan, inf, -inf, 4.0])
    assert of_arrays(recorded, np.array([nan, inf, -inf, 5.0])) == pytest.approx(0.2)
    assert of_arrays(np.array([nan]), -np.array([nan])) < 1e-300  # NaNs of other bits


def test_files_of_arrays_name_the_array_that_differs_most() -> None:
    arrays = {"a": np.array([4.0]), "b": np.array([4.0])}
    recorded = safetensors.numpy.save(arrays)
    assert of_contents(recorded, recorded, load) == SAME
    again = safetensors.numpy.save({"a": np.array([5.0]), "b": np.array([4.5]), "c": np.array([0.0])})
    assert of_contents(recorded, again, load) == Difference(0.2, "a")
    assert of_contents(recorded, safetensors.numpy.save({"a": np.array([4.0])}), load) == Difference(inf, "b")
    assert of_contents(b"damaged", recorded, load).size == inf


def test_documents_name_the_place_that_differs_most_and_ignore_what_is_new() -> None:
    recorded = json.dumps({"a": [{"b": 4}, {"b": 8.0}], "c": "text", "findings": 1, "d": True}).encode()
    again = {"a": [{"b": 4}, {"b": 10.0}], "c": "text", "findings": 2, "d": True, "e": 1}
    assert of_contents(recorded, json.dumps(again).encode(), json.loads, ("findings",)) == Difference(0.2, "a[1].b")
    assert of_contents(recorded, json.dumps(again | {"c": "other"}).encode(), json.loads) == Difference(inf, "c")
    assert of_contents(recorded, json.dumps(again | {"d": 1}).encode(), json.loads) == Difference(inf, "d")
    assert of_contents(recorded, json.dumps(again | {"a": []}).encode(), json.loads) == Difference(inf, "a")
    assert of_contents(recorded, b"{}", json.loads).size == inf
    assert of_contents(recorded, b"{", json.loads).size == inf
