"""What is drift, what is chance, and scores that are estimated without labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from nncli.analysis.drift_report import DriftReport, TestKind, compare, rows_by_bin
from nncli.nn.arrays import Codes, Floats
from nncli.run_directory.monitoring.profiler import Profile
from nncli.run_directory.monitoring.reference import CategoryBins, Reference
from tests.run_directory.monitoring.tables import profile_of, some_reference

REFERENCE = some_reference()

Rows = tuple[Floats, Codes, Floats]


def rows(n: int, seed: int) -> Rows:
    """Rows of the distribution of the reference."""
    rng = np.random.default_rng([7, seed])
    x = rng.normal(size=n)
    x[rng.uniform(size=n) < 0.1] = np.nan
    return x, rng.integers(0, 3, n), rng.uniform(size=n)


def drift_of(x: Floats, c: Codes, p: Floats) -> dict[str, tuple[TestKind, ...]]:
    result = compare(REFERENCE, profile_of(REFERENCE, x, c, p))
    return {column.name: column.drifted for column in result.drifted}


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100, 1_000, 10_000])
def test_few_batches_without_drift_have_a_finding(n: int) -> None:
    result = [bool(drift_of(*rows(n, seed))) for seed in range(200)]
    assert np.mean(result) <= 0.06


@pytest.mark.parametrize(
    ("name", "expected", "change"),
    [
        ("x", ("values",), lambda x, c, p: (x + 0.3, c, p)),
        ("x", ("values",), lambda x, c, p: (2.0 * x, c, p)),
        ("x", ("missing",), lambda x, c, p: (np.where(np.arange(len(x)) % 4, x, np.nan), c, p)),
        ("c", ("values",), lambda x, c, p: (x, np.where(c == 2, 0, c), p)),
        ("c", ("unseen",), lambda x, c, p: (x, np.where(np.arange(len(x)) % 20, c, 3), p)),
        ("c", ("missing",), lambda x, c, p: (x, np.where(np.arange(len(x)) % 9, c, -1), p)),
        ("yes", ("values",), lambda x, c, p: (x, c, np.where(p < 0.5, p / 2.0, p))),
    ],
)
def test_drift_is_found_and_nothing_else(
    name: str, expected: tuple[TestKind, ...], change: Callable[[Floats, Codes, Floats], Rows]
) -> None:
    assert drift_of(*change(*rows(1_500, 1))) == {name: expected}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_rows_are_compared(n: int) -> None:
    assert drift_of(*rows(n, 0)) == {}


def test_rows_with_missing_cells_alone_are_compared() -> None:
    _, c, p = rows(300, 0)
    assert drift_of(np.full(300, np.nan), c, p) == {"x": ("missing",)}


def test_a_large_effect_of_few_rows_is_no_drift_and_a_significant_one_of_many_rows_neither() -> None:
    few = compare(REFERENCE, profile_of(REFERENCE, *rows(20, 3)))
    assert max(test.psi for column in few.columns for test in column.tests) > 0.1
    assert not few.drifted
    x, c, p = rows(100_000, 0)
    many = compare(REFERENCE, profile_of(REFERENCE, x + 0.1, c, p))
    test = next(column for column in many.columns if column.name == "x").test("values")
    assert test is not None
    assert test.adjusted_p < 1e-3
    assert not many.drifted
    assert compare(REFERENCE, profile_of(REFERENCE, x + 0.1, c, p), limit=0.002).drifted


def test_a_number_below_a_constant_is_seen() -> None:
    from nncli.run_directory.monitoring.reference import NumberBins

    bins = NumberBins.fit("k", "number", np.full(500, 7.0), 201)
    reference = Reference(500, 500, (bins,), ())
    counts = np.bincount(bins.bin_codes(np.full(100, 3.0)), minlength=bins.n_bins)
    result = compare(reference, Profile(reference.checksum, 100, (counts,), ()))
    assert result.columns[0].drifted == ("values",)


def test_categories_that_are_unseen_as_often_as_expected_are_no_drift() -> None:
    # Of 400 rows 40 have a category of their own, so that a tenth of new rows is expected to have another one.
    bins = CategoryBins("c", ("a", *map(str, range(40))), np.array([0, 360, *[1] * 40, 0]), 0, 40)
    reference = Reference(400, 400, (bins,), ())

    def with_unseen(n: int) -> DriftReport:
        counts = np.array([0, 200 - n, *[0] * 40, n])
        return compare(reference, Profile(reference.checksum, 200, (counts,), ()))

    assert not with_unseen(24).drifted
    assert with_unseen(80).columns[0].test("unseen") is not None
    assert "unseen" in with_unseen(80).columns[0].drifted


def test_scores_are_estimated_from_calibrated_probabilities() -> None:
    rng = np.random.default_rng(3)
    n = 40_000
    p = rng.beta(0.7, 1.5, n)
    labels = (rng.uniform(size=n) < p).astype(np.int64)
    result = compare(REFERENCE, profile_of(REFERENCE, np.zeros(n), np.zeros(n, np.int64), p, labels)).performance
    assert result is not None
    assert result.labeled == n
    for name, value in (("accuracy", ((p > 0.5) == labels).mean()), ("log_loss", log_loss(labels, p))):
        assert getattr(result.actual, name) == pytest.approx(value, abs=1e-6)
        assert getattr(result.estimated, name) == pytest.approx(value, abs=0.01)
    assert result.actual.roc_auc == pytest.approx(roc_auc_score(labels, p), abs=0.005)
    assert result.estimated.roc_auc == pytest.approx(roc_auc_score(labels, p), abs=0.01)


def test_scores_without_labels_have_no_true_ones() -> None:
    result = compare(REFERENCE, profile_of(REFERENCE, *rows(50, 0))).performance
    assert result is not None
    assert (result.labeled, result.actual.accuracy, result.actual.roc_auc) == (0, None, None)


def test_the_area_under_the_curve_by_hand() -> None:
    from nncli.targets.metrics.sums import area_under_curve

    # Bins with 1 positive and 2 negative rows, and 3 and 1: (1·1 + 3·2 + 3·0.5) / (4·3).
    assert area_under_curve(np.array([1, 3]), np.array([2, 1])) == pytest.approx(8.5 / 12)
    assert area_under_curve(np.array([0, 0]), np.array([2, 1])) is None


def test_probabilities_that_are_not_numbers_are_no_summands() -> None:
    p = np.array([0.9, np.nan, 0.2])
    profile = profile_of(REFERENCE, np.zeros(3), np.zeros(3, np.int64), p, np.array([1, 1, 1]))
    again = Profile.from_json(profile.to_json(), REFERENCE)
    result = compare(REFERENCE, again).performance
    assert result is not None
    assert (result.labeled, result.actual.accuracy) == (2, 0.5)
    assert result.estimated.accuracy == pytest.approx(0.85, abs=1e-6)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(1, 9))
def test_weighted_counts_become_whole_rows(rows: list[int], weight: int) -> None:
    counts = np.array(rows)
    np.testing.assert_array_equal(rows_by_bin(weight * counts, weight), counts)
    partly = counts * 3
    partly[-1] += -partly.sum() % weight
    result = rows_by_bin(partly, weight)
    assert result.min() >= 0
    assert result.sum() * weight == partly.sum()
    assert np.abs(np.cumsum(result) - np.cumsum(partly) / weight).max() <= 0.5
