"""Profiles add up exactly, and a damaged file is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.run_directory.monitoring.profiler import OtherReferenceError, Profile
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
