"""Numbers far from all others are named with their rows; long tails are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.fitting.checks.column_values import outliers_of, sentinel_values
from tests.fitting.checks.support import codes, found, sound


@pytest.mark.slow
def test_an_outlier_is_one_finding_with_its_row(tmp_path: Path) -> None:
    table = {**sound(), "h": [1.7 + 0.001 * (i % 97) for i in range(300)]}
    table["h"] = [*table["h"][:77], 178.0, *table["h"][78:]]
    for fold in range(5):  # whichever side of the split it falls on
        (finding,) = found(tmp_path, table, validation={"folds": 5, "fold": fold})
        assert codes([finding]) == ["warning outlier"]
        assert (finding.location.row, finding.location.column) == (78, "h")


def test_an_outlier_of_a_clipped_column_is_only_a_note(tmp_path: Path) -> None:
    table = {**sound(), "h": [1.7 + 0.001 * (i % 97) if i != 77 else 178.0 for i in range(300)]}
    assert codes(found(tmp_path, table, encoding={"clip": "smooth"})) == ["note outlier"]
    assert codes(found(tmp_path, table, encoding={"numeric": "quantile"})) == ["note outlier"]


def test_an_outlier_of_the_target_is_found(tmp_path: Path) -> None:
    table = sound()
    table["z"] = [1e6 if i == 77 else z for i, z in enumerate(table["z"])]
    (finding,) = found(tmp_path, table, target="z")
    assert (finding.code, finding.location.row) == ("outlier", 78)
    assert "huber" in finding.hint


@pytest.mark.parametrize("sentinel", [-999, 9999, -99, 9999999])
def test_a_sentinel_value_is_a_warning(tmp_path: Path, sentinel: int) -> None:
    ages = [sentinel if i % 9 == 0 else 18 + i % 60 for i in range(300)]
    (finding,) = found(tmp_path, {**sound(), "age": ages})
    assert codes([finding]) == ["warning sentinel-value"]
    assert f" {sentinel} " in finding.message


def test_99_among_numbers_up_to_99_is_not_a_sentinel() -> None:
    assert sentinel_values(np.arange(100.0).repeat(2)) is None


@pytest.mark.parametrize("seed", range(8))
def test_long_tails_have_no_outliers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert outliers_of(rng.lognormal(sigma=1.5, size=2000)) is None
    assert outliers_of(np.where(rng.random(2000) < 0.1, rng.exponential(5000.0, 2000), 0.0)) is None


def test_outliers_are_sorted_by_distance() -> None:
    x = np.random.default_rng(0).normal(size=500)
    x[[3, 400]] = -1e4, 2e4
    far = outliers_of(x)
    assert far is not None
    assert far.positions.tolist() == [400, 3]


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), max_size=60))
def test_any_numbers_can_be_checked(values: list[float]) -> None:
    x = np.array(values, np.float64)
    far = outliers_of(x)
    assert far is None or np.isfinite(x[far.positions]).all()
    sentinel_values(x)
