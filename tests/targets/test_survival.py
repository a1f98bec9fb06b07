"""The target of a time to an event: cells, bins of time, curves and medians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base import plugins
from nncli.base.errors import DataError, UsageError
from nncli.data.table import Table
from nncli.targets.metrics.metric import Metric
from nncli.targets.metrics.registry import metric_title
from nncli.targets.survival import SurvivalTarget
from nncli.targets.target_base import FitOptions

NAMES = ("months", "died")


def table(**columns: Any) -> Table:
    return Table(pl.DataFrame(columns), "t.csv")


def fit(months: list[Any], died: list[Any], **options: Any) -> SurvivalTarget:
    return SurvivalTarget.fit(table(months=months, died=died), NAMES, FitOptions(**options))


def place_of(error: DataError) -> tuple[int | None, str | None]:
    assert error.location is not None
    return error.location.row, error.location.column


@dataclass
class Predicted:
    values: Any
    precision: str = "float64"


@pytest.mark.parametrize(
    "words",
    [[0, 1], [0.0, 1.0], [False, True], ["no", "yes"], ["Alive", "Died"], ["censored", "event"], ["nein", "ja"]],
)
def test_events_are_read_in_words_that_are_clear(words: list[Any]) -> None:
    cells = table(months=[3.0, 5.0], died=words)
    target = SurvivalTarget.fit(cells, NAMES)
    assert target.read(cells).tolist() == [[3.0, 0.0], [5.0, 1.0]]
    assert target.edges == (5.0,)


def test_cells_that_are_unclear_are_errors_with_their_place() -> None:
    with pytest.raises(DataError) as caught:
        fit([1.0, 2.0], [1, 2])
    assert place_of(caught.value) == (2, "died")
    assert "an event" in str(caught.value.hint)
    with pytest.raises(DataError) as caught:
        fit([1.0, -2.0], [1, 1])
    assert place_of(caught.value) == (2, "months")
    with pytest.raises(DataError) as caught:
        fit([1.0, 2.0], [0, 0])
    assert place_of(caught.value)[1] == "died"
    cells = table(months=[4.0, 5.0], died=[1, 1], entered=[0.0, 5.0])
    with pytest.raises(DataError) as caught:
        SurvivalTarget.fit(cells, (*NAMES, "entered"))
    assert place_of(caught.value) == (2, "entered")


def test_bins_end_at_quantiles_of_the_times_of_events() -> None:
    times = list(range(1, 101))
    assert fit([float(t) for t in times], [1] * 100, bins=4).edges == (25.0, 50.0, 75.0, 100.0)
    assert fit([float(t) for t in times], [int(t % 2) for t in times], bins=2).edges == (49.0, 99.0)
    few = fit([1.0, 2.0, 2.0, 2.0, 9.0], [1, 1, 1, 1, 0], bins=4)
    assert few.edges == (1.0, 2.0)


def test_rows_are_at_risk_until_their_time_and_from_their_start_on() -> None:
    target = SurvivalTarget(names=(*NAMES, "entered"), edges=(2.0, 4.0, 8.0))
    y = np.array([[4.0, 1.0, 0.0], [6.0, 0.0, 1.0], [9.0, 1.0, 3.0], [8.0, 0.0, 0.0]])
    at_risk, events = np.split(target.encode(y), 2, axis=1)
    assert at_risk.tolist() == [[1.0, 0.0, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0], [1.0, 1.0, 1.0]]
    assert events.tolist() == [[0.0, 1.0, 0.0], [0.0] * 3, [0.0] * 3, [0.0] * 3]


EDGES = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=8, unique=True).map(lambda edges: tuple(sorted(edges)))


@given(edges=EDGES, seed=st.integers(0, 2**16), exact=st.booleans())
def test_curves_fall_from_1_and_pass_through_the_edges(edges: tuple[float, ...], seed: int, exact: bool) -> None:
    rng = np.random.default_rng(seed)
    target = SurvivalTarget(names=NAMES, edges=edges)
    values = np.cumprod(rng.choice([0.0, 1.0, 0.5], (4, len(edges))) if exact else rng.random((4, len(edges))), axis=1)
    assert target.curve.at(values, np.array(edges)) == pytest.approx(np.maximum(values, 1e-38), rel=1e-9)
    times = np.sort(rng.uniform(0.0, 2.0 * edges[-1], 30))
    S = target.curve.at(values, times)
    assert ((S >= 0.0) & (S <= 1.0)).all()
    assert (np.diff(S, axis=1) <= 1e-12).all()
    assert target.curve.at(values, np.array([0.0])) == pytest.approx(1.0)
    for one in range(4):  # a row's bits depend on the row alone
        assert np.array_equal(target.curve.at(values[[one]], times)[0], S[one])
        assert np.array_equal(target.curve.medians(values[[one]]), target.curve.medians(values)[[one]], equal_nan=True)


@given(edges=EDGES, seed=st.integers(0, 2**16))
def test_a_curve_is_one_half_at_its_median(edges: tuple[float, ...], seed: int) -> None:
    target = SurvivalTarget(names=NAMES, edges=edges)
    values = np.cumprod(np.random.default_rng(seed).uniform(0.2, 1.0, (4, len(edges))), axis=1)
    medians = target.curve.medians(values.astype(np.float64))
    for row, median in zip(values, medians, strict=True):
        if row[-1] > 0.5:
            assert np.isinf(median)
        else:
            assert target.curve.at(row[None], np.array([median]))[0, 0] == pytest.approx(0.5, rel=1e-6)


def test_a_median_after_the_last_event_is_missing() -> None:
    target = SurvivalTarget(names=NAMES, edges=(10.0, 20.0))
    columns = target.columns(Predicted(np.array([[0.9, 0.6], [0.5, 0.1]])), proba=True)  # type: ignore[arg-type]
    assert {name: column.to_list() for name, column in columns.items()} == {
        "prediction": [None, 10.0],
        "survival_10": [0.9, 0.5],
        "survival_20": [0.6, 0.1],
    }
    at = target.curve.columns(np.array([[0.64, 0.16]]), (5.0, 15.0, 99.0))
    assert [column[0] for column in at.values()] == pytest.approx([0.8, 0.32, 0.16])
    assert list(at) == ["survival_5", "survival_15", "survival_99"]


def test_the_baseline_is_the_kaplan_meier_curve_without_concordance() -> None:
    rng = np.random.default_rng(0)
    until, censored = rng.exponential(10.0, 200), rng.exponential(15.0, 200)
    y = np.column_stack([np.minimum(until, censored), until <= censored]).astype(float)
    target = SurvivalTarget(names=NAMES, edges=(3.0, 6.0, 12.0))
    values = np.tile(target.baseline(y, None), (200, 1))
    assert values[0] == pytest.approx(np.exp([-0.3, -0.6, -1.2]), abs=0.1)
    assert target.metric("concordance")(y, values, None) == 0.5
    assert target.metric("time_auc")(y, values, None) == pytest.approx(0.5)


@pytest.mark.parametrize(("names", "score"), [(NAMES, "integrated_brier"), ((*NAMES, "entered"), "survival_loss")])
def test_the_errors_of_rows_have_the_mean_and_the_name_of_a_score(names: tuple[str, ...], score: str) -> None:
    rng = np.random.default_rng(0)
    y = np.column_stack([rng.uniform(1.0, 9.0, 60), rng.random(60) < 0.6, np.zeros(60)])[:, : len(names)]
    target = SurvivalTarget(names=names, edges=(3.0, 6.0, 8.0))
    predicted: Any = Predicted(np.cumprod(rng.uniform(0.5, 1.0, (60, 3)), axis=1))
    errors, name = target.row_errors(predicted, y)
    assert name == metric_title(score)
    assert errors.mean() == pytest.approx(target.metric(score)(y, predicted.values, None))
    assert target.format_error(5.9) == "5.9"
    assert target.outcome(predicted, y, 0, 5.9)[2] == "5.9"


def test_members_have_the_same_bins_and_other_curves_are_aligned() -> None:
    target, other = (SurvivalTarget(names=NAMES, edges=edges) for edges in ((2.0, 4.0), (4.0, 8.0)))
    assert not target.accepts(other)
    assert target.align(np.array([[0.64, 0.1]]), other) == pytest.approx(np.array([[0.8, 0.64]]))


def test_a_metric_that_is_never_defined_is_refused() -> None:
    late = SurvivalTarget(names=(*NAMES, "entered"), edges=(3.0, 6.0, 12.0))
    plugins.loaded("metrics")["reach"] = Metric("reach", "survival", lambda y, values, weight: 1.0, "x", "x")
    try:
        for target, name in (
            (late, "uno_concordance"),
            (late, "time_auc"),
            (late, "reach"),
            (fit([1.0], [1]), "reach"),
        ):
            with pytest.raises(UsageError, match=f"'{name}'") as caught:
                target.metric(name)
            assert "'concordance'" in str(caught.value.hint)
        with pytest.raises(UsageError) as unknown:
            late.metric("xyzzy")
        assert str(unknown.value.hint).count("reach") == 1
    finally:
        plugins.loaded("metrics").clear()


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 3)), min_size=1, max_size=60), st.integers(0, 6)
)
def test_a_weight_counts_as_so_many_rows_in_the_bins_and_in_the_baseline(
    rows: list[tuple[int, bool, int]], bins: int
) -> None:
    rows = [(1, True, 1), *rows]
    months, died, w = zip(*rows, strict=True)
    repeated = [row for row in rows for _ in range(row[2])]
    bins = bins if bins > 1 else 0
    weights = np.array(w, np.float64)
    weighted = fit([*months], [*died], bins=bins, weights=weights)
    target = fit([row[0] for row in repeated], [row[1] for row in repeated], bins=bins)
    assert weighted.edges == target.edges
    y, of_rows = (np.array([row[:2] for row in some], np.float64) for some in (rows, repeated))
    np.testing.assert_allclose(weighted.baseline(y, weights), target.baseline(of_rows, None), atol=1e-12)
