"""The comparison of a profile of new rows with the reference: effects, p-values, and which of them are drift.

A difference is drift if it is large and no chance: its population stability index exceeds the index that is expected
without drift by a limit, and its p-value, corrected for all tests of the rows, is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from nncli.analysis.drift_limits import LIMIT, SIGNIFICANCE, VALIDITY
from nncli.base.text import json_safe, quote
from nncli.nn.arrays import Counts
from nncli.run_directory.monitoring.profiler import Profile
from nncli.run_directory.monitoring.reference import Bins, CategoryBins, NumberBins, Reference
from nncli.targets.metrics.significance import holm_correction
from nncli.targets.metrics.sums import ClassSums, TrueSums
from nncli.targets.metrics.two_sample_tests import (
    chi_square_p,
    expected_index,
    jensen_shannon_distance,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p,
    population_stability_index,
    proportion_p,
)

TestKind: TypeAlias = Literal["values", "missing", "unseen"]
"""What is compared: the distribution of the values, the share of missing cells, or that of unseen categories."""


@dataclass(frozen=True)
class DriftTest:
    """A difference between the reference and the new rows.

    `psi` is the population stability index, `expected` its expectation without drift. `reference` and `new` are the
    shares of missing cells or of unseen categories; for values, `distance` is the Kolmogorov-Smirnov distance of
    numbers, or the Jensen-Shannon distance of categories. `adjusted_p` is the p-value `p` corrected for all tests of
    the same rows.
    """

    kind: TestKind
    psi: float
    expected: float
    p: float
    adjusted_p: float = 1.0
    distance: float | None = None
    reference: float | None = None
    new: float | None = None

    def is_drift(self, limit: float) -> bool:
        """Whether the difference is larger than the limit, and no chance."""
        return self.psi - self.expected > limit and self.adjusted_p <= SIGNIFICANCE


@dataclass(frozen=True)
class ColumnDrift:
    """The tests of a column, or of a prediction; `drifted` is what has drifted.

    `bins` are those of the reference, `counts` the new rows in them. A column that is not compared has no tests.
    """

    bins: Bins
    counts: Counts
    tests: tuple[DriftTest, ...]
    drifted: tuple[TestKind, ...] = ()
    is_prediction: bool = False

    @property
    def name(self) -> str:
        """The name of the column; of predictions that of the target, or of the positive class."""
        return self.bins.name

    @property
    def title(self) -> str:
        """What the column holds, such as `probability of yes`: the name alone could be that of a column."""
        if not self.is_prediction:
            return self.name
        if isinstance(self.bins, CategoryBins):
            return f"most probable class of {self.name}"
        if self.bins.measure == "probability":
            return f"probability of {self.name}" if self.name else "largest probability"
        return f"prediction of {self.name}"

    @property
    def shown(self) -> tuple[DriftTest, ...]:
        """The tests that found drift; without drift that of the values, or of missing cells if there are no values."""
        if self.drifted:
            return tuple(test for test in self.tests if test.kind in self.drifted)
        values = self.test("values")
        return self.tests[:1] if values is None else (values,)

    @property
    def psi(self) -> float:
        """The largest excess of the population stability index over its expectation."""
        return max((test.psi - test.expected for test in self.tests), default=0.0)

    def test(self, kind: TestKind) -> DriftTest | None:
        """The test of this kind, if there is one."""
        return next((test for test in self.tests if test.kind == kind), None)


@dataclass(frozen=True)
class DriftReport:
    """The drift of some rows: columns and predictions, those that have drifted most first.

    `performance` estimates the scores of a classification, and has the true ones of the labeled rows; `errors` has
    those of numbers or labels, None without any.
    """

    rows: int
    columns: tuple[ColumnDrift, ...]
    predictions: tuple[ColumnDrift, ...]
    performance: ClassSums | None
    errors: TrueSums | None = None

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns and predictions that have drifted."""
        return tuple(column for column in (*self.columns, *self.predictions) if column.drifted)


def compare(
    reference: Reference, profile: Profile, limit: float = LIMIT, *, without: Collection[str] = ()
) -> DriftReport:
    """Compare the profile of at least one row with its reference; columns of `without` are not compared."""
    n = len(reference.columns)
    new = (*profile.columns, *(rows_by_bin(counts, reference.held_out) for counts in profile.predictions))
    tests = [
        [] if i < n and bins.name in without else [*_tests(bins, counts)]
        for i, (bins, counts) in enumerate(zip(reference.bins, new, strict=True))
    ]
    every = [test for of_bins in tests for test in of_bins]
    adjusted = iter(holm_correction([test.p for test in every], len(every)))
    compared: list[ColumnDrift] = []
    for bins, counts, of_bins in zip(reference.bins, new, tests, strict=True):
        adjusted_tests = tuple(replace(test, adjusted_p=next(adjusted)) for test in of_bins)
        drifted = tuple(test.kind for test in adjusted_tests if test.is_drift(limit))
        compared.append(ColumnDrift(bins, counts, adjusted_tests, drifted, is_prediction=len(compared) >= n))
    columns = sorted(compared[:n], key=lambda column: (not column.drifted, -column.psi))
    return DriftReport(profile.rows, tuple(columns), tuple(compared[n:]), profile.performance, profile.errors)


def rows_by_bin(weighted: Counts, weight: int) -> Counts:
    """Whole rows (bins,) from counts (bins,) that have the weight for each row; the sums over the first bins are round.

    So a distribution function is off by at most half a row.
    """
    return np.diff((2 * np.cumsum(weighted) + weight) // (2 * weight), prepend=0)


def _tests(bins: Bins, counts: Counts) -> Iterator[DriftTest]:
    reference = bins.counts
    m, n = int(reference.sum()), int(counts.sum())
    if reference[0] + counts[0]:
        yield _share("missing", int(reference[0]), m, int(counts[0]), n)
    m, n = m - int(reference[0]), n - int(counts[0])
    if not m or not n:
        return
    if isinstance(bins, NumberBins):
        yield _numbers(bins, counts)
        return
    yield _categories(bins, counts, n)
    unseen = int(counts[-1])
    if bins.is_complete and unseen * m > bins.singles * n:
        # A category that occurs once would be unseen in the other rows: their share estimates that of unseen ones
        # (Good, "The population frequencies of species", 1953).
        yield _share("unseen", bins.singles, m, unseen, n)


def _share(kind: TestKind, reference: int, m: int, new: int, n: int) -> DriftTest:
    a, b = np.array([reference, m - reference]), np.array([new, n - new])
    return DriftTest(
        kind,
        population_stability_index(a, b),
        expected_index(2, m, n),
        proportion_p(reference, m, new, n),
        reference=reference / m,
        new=new / n,
    )


def _numbers(bins: NumberBins, counts: Counts) -> DriftTest:
    a, b = bins.counts[1:], counts[1:]
    m, n = int(a.sum()), int(b.sum())
    distance = kolmogorov_smirnov(a, b)
    x, y = _grouped(bins.groups, a), _grouped(bins.groups, b)
    return DriftTest(
        "values",
        population_stability_index(x, y),
        expected_index(int(np.count_nonzero(x + y)), m, n),
        kolmogorov_smirnov_p(distance, m, n),
        distance=distance,
    )


def _categories(bins: CategoryBins, counts: Counts, n: int) -> DriftTest:
    groups = bins.groups(n)
    a, b = _grouped(groups, bins.counts[1:]), _grouped(groups, counts[1:])
    return DriftTest(
        "values",
        population_stability_index(a, b),
        expected_index(len(a), int(a.sum()), n),
        chi_square_p(a, b),
        distance=jensen_shannon_distance(a, b),
    )


def _grouped(groups: Counts, counts: Counts) -> Counts:
    return np.bincount(groups, counts).astype(np.int64)


@dataclass(frozen=True)
class DriftWindow:
    """Some rows of a table, with their `comparison`; `name` is `all`, the numbers of the rows, or their value."""

    name: str
    comparison: DriftReport


@dataclass(frozen=True)
class Drift:
    """The drift of new rows, in batches; the `reference` is the profile of the training rows of `run`.

    `data` is the name of the table or profile. The column `by`, whose values divide the rows, and the column `time`,
    by which the run split its rows, are not compared. A run of several `targets` has the drift of each, and no batches.
    """

    reference: Reference
    batches: tuple[DriftWindow, ...]
    limit: float
    run: str
    data: str
    by: str | None = None
    time: str | None = None
    targets: Mapping[str, Drift] = field(default_factory=dict)

    @property
    def has_drift(self) -> bool:
        """Whether a column or a prediction has drifted in any batch."""
        of_targets = any(of_target.has_drift for of_target in self.targets.values())
        return of_targets or any(batch.comparison.drifted for batch in self.batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not compared, and why."""
        notes = []
        if self.time is not None and self.time != self.by:
            notes.append(f"{quote(self.time)} is not compared: by data.time the new rows are later ones")
        if self.by in [bins.name for bins in self.reference.columns]:
            notes.append(f"{quote(self.by or '')} is not compared: each batch holds one value of it")
        if not self.reference.predictions:
            notes.append("predictions and scores are not compared: the run has no held-out rows (validation: 0)")
        return tuple(notes)

    def json(self) -> dict[str, Any]:
        """{"run": …, "data": …, "reference_rows": …, "limit": …, "drift": …, "batches": [{"batch": …, …}]}.

        Of several targets, {"targets": {name: …}}.
        """
        if self.targets:
            return {"targets": {name: of_target.json() for name, of_target in self.targets.items()}}
        document = {
            "run": self.run,
            "data": self.data,
            "reference_rows": self.reference.total,
            "limit": self.limit,
            "drift": self.has_drift,
            "batches": [_batch_json(batch) for batch in self.batches],
        }
        values: dict[str, Any] = json_safe(document)
        return values


def _batch_json(batch: DriftWindow) -> dict[str, Any]:
    comparison = batch.comparison
    return {
        "batch": batch.name,
        "rows": comparison.rows,
        "drift": bool(comparison.drifted),
        "columns": [_column_json(column) for column in comparison.columns],
        "predictions": [_column_json(column) for column in comparison.predictions],
        "performance": _performance_json(comparison),
    }


def _column_json(column: ColumnDrift) -> dict[str, Any]:
    is_category = isinstance(column.bins, CategoryBins)
    return {
        "column": column.name,
        "measure": "category" if isinstance(column.bins, CategoryBins) else column.bins.measure,
        "drift": list(column.drifted),
        "distance": "jensen_shannon" if is_category else "kolmogorov_smirnov",
        "tests": [asdict(test) for test in column.tests],
    }


def _performance_json(comparison: DriftReport) -> dict[str, Any] | None:
    performance, errors = comparison.performance, comparison.errors
    if performance is None:
        if errors is None or not errors.actual:
            return None
        actual = errors.actual
        return {
            "labeled_rows": max(errors.labeled),
            "actual": {"targets": actual} if len(errors.names) > 1 else actual[errors.names[0]],
        }
    return {
        "valid": VALIDITY,
        "estimated": asdict(performance.estimated),
        "labeled_rows": performance.labeled,
        "unknown_classes": performance.unknown,
        "actual": asdict(performance.actual) if performance.labeled else None,
    }
