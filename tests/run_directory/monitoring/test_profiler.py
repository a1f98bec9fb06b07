"""Profiles add up exactly, and a damaged file is refused."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.run_directory.monitoring.profiler import OtherReferenceError, Profile
from nncli.targets.metrics.sums import LabelSums, NumberSums
from tests.run_directory.monitoring.tables import bin_codes, profile_of, some_reference

REFERENCE = some_reference()


@given(st.integers(1, 80), st.lists(st.integers(0, 4), min_size=80, max_size=80), st.integers(0, 2**32 - 1))
def test_any_partition_of_the_rows_gives_the_same_profile(n: int, parts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, c, p = rng.normal(size=n), rng.integers(-1, 4, n), rng.uniform(size=n)
    x[rng.uniform(size=n) < 0.2] = np.nan
    rows = bin_codes(REFERENCE, x, c, p, rng.integers(-1, 2, n))
    part = np.array(parts[:n])
    total = Profile.empty(REFERENCE)
    for k in rng.permutation(5):
        total = total + rows.profile(np.flatnonzero(part == k))
    assert total.to_json() == rows.profile(slice(None)).to_json()


@pytest.mark.slow
@given(st.lists(st.floats(-1e200, 1e200, allow_nan=False), max_size=30), st.integers(0, 30))
def test_sums_of_errors_are_the_same_in_any_order_and_for_any_size(errors: list[float], k: int) -> None:
    e = np.array([*errors, np.nan])[:, None]
    half = [NumberSums.of(("y",), (0.5,), part) for part in (e[k:], e[:k])]
    assert half[0] + half[1] == NumberSums.of(("y",), (0.5,), e)
    again = json.loads(json.dumps(asdict(half[0])))
    assert NumberSums.of_json(again) == half[0]


@pytest.mark.slow
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 9))
def test_sums_of_labels_are_the_same_in_any_order(rows: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, P = rng.choice([0.0, 1.0, np.nan], (rows, 3)), rng.uniform(size=(rows, 3))
    halves = [
        LabelSums.of("tags", y[part], P[part], P[part].round().astype(int)) for part in (slice(k, None), slice(k))
    ]
    whole = LabelSums.of("tags", y, P, P.round().astype(int))
    assert halves[0] + halves[1] == whole == LabelSums.of_json(json.loads(json.dumps(asdict(whole))))
    with pytest.raises(ValueError, match="other targets"):
        LabelSums.of_json(asdict(whole) | {"hits": [1]})


def test_the_scores_of_errors_are_in_the_units_of_the_target() -> None:
    sums = NumberSums.of(("y", "z"), (1e-9, 5.0), np.array([[3e-9, 1.0], [-4e-9, np.nan]]))
    assert sums.actual["y"] == pytest.approx({"rmse": 12.5**0.5 * 1e-9, "mae": 3.5e-9})
    assert sums.actual["z"] == pytest.approx({"rmse": 1.0, "mae": 1.0})


def test_a_profile_is_the_same_when_it_is_read_again() -> None:
    rng = np.random.default_rng(1)
    profile = profile_of(REFERENCE, rng.normal(size=9), rng.integers(0, 4, 9), rng.uniform(size=9))
    again = Profile.from_json(profile.to_json(), REFERENCE)
    assert again.to_json() == profile.to_json()
    assert again.rows == 9


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 8},
        {"rows": "9"},
        {"columns": []},
        {"columns": [[9], [9]]},
        {"nncli_profile": 2},
        {"classes": None},
        {"classes": {}},
        {"predictions": {}},
    ],
)
def test_a_damaged_profile_is_refused(change: dict[str, object]) -> None:
    rng = np.random.default_rng(1)
    profile = profile_of(REFERENCE, rng.normal(size=9), rng.integers(0, 4, 9), rng.uniform(size=9))
    with pytest.raises(ValueError, match=r"."):
        Profile.from_json(json.dumps(json.loads(profile.to_json()) | change), REFERENCE)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{}", b"\xff\xfe", b'{"nncli_profile": 1}'])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Profile.from_json(content, REFERENCE)


def test_profiles_of_different_runs_are_not_added() -> None:
    other = some_reference(1_000)
    with pytest.raises(ValueError, match="different runs"):
        Profile.empty(REFERENCE) + Profile.empty(other)
    with pytest.raises(OtherReferenceError):
        Profile.from_json(Profile.empty(other).to_json(), REFERENCE)
