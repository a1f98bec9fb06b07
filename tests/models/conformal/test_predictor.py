"""A model with its calibration: intervals and sets of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import UsageError
from nncli.data.sources.read_table import read_table
from nncli.data.table import Table
from nncli.models.conformal.calibration import ConformalCalibration
from nncli.models.conformal.groups import OutOfFoldGroups, Partition, RowGroups, calibration_sample
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.nn.losses import MSELoss
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import calibration_rows
from nncli.targets.conformal import Interval, IntervalMethod, PredictionSets
from nncli.targets.metrics.conformal import aps_scores
from tests.api.explained import CLASSES, NUMBER, ensemble_of, model_of, table_of
from tests.cli.support import DATA
from tests.models.conformal.support import held_out, numbers_of, predicted_rows

N, FOLDS = 120, 4
FOLD = np.arange(N) % FOLDS
MASK = np.arange(FOLDS)[:, None] == FOLD
LABELED, NEW = table_of(N), table_of(30, seed=2)
REGRESSION = ensemble_of(*(model_of(target=NUMBER, seed=i) for i in range(FOLDS)))
CLASSIFICATION = ensemble_of(*(model_of(target=CLASSES, seed=i) for i in range(FOLDS)), temperature=1.5)


def predictor_of(options: UncertaintyOptions, by: str | None = None) -> ConformalPredictor:
    model = REGRESSION if options.interval else CLASSIFICATION
    groups = None if by is None else RowGroups.of(LABELED, by)
    return ConformalPredictor.of(model, predicted_rows(model, LABELED, MASK), options, groups)


def test_intervals_by_folds_are_those_of_their_definition() -> None:
    predictor = predictor_of(UncertaintyOptions(interval=0.9))
    (interval,) = predictor.predict(NEW).of_type(Interval)
    y = NUMBER.read(LABELED)[:, 0]
    values = np.stack([member.predict(LABELED).values[:, 0] for member in REGRESSION.members])
    new = np.stack([member.predict(NEW).values[:, 0] for member in REGRESSION.members])
    residuals = np.abs(y - values[FOLD, np.arange(N)])
    assert predictor.groups.method == "CV+"
    assert interval.lower[:, 0] == pytest.approx(np.sort(new[FOLD].T - residuals)[:, 11])  # 0.1 (n + 1) is 12.1
    assert interval.upper[:, 0] == pytest.approx(np.sort(new[FOLD].T + residuals)[:, 108])


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_sets_by_folds_are_those_of_their_definition(score: str) -> None:
    predictor = predictor_of(
        UncertaintyOptions(prediction_set=0.8, conformity_score="aps" if score == "aps" else "lac")
    )
    (result,) = predictor.predict(NEW).of_type(PredictionSets)

    def scores(table: Table) -> np.ndarray:
        P = [member.predict(table).with_temperature(1.5).values for member in CLASSIFICATION.members]
        return np.stack([aps_scores(item) if score == "aps" else 1 - item for item in P])

    y = CLASSES.read(LABELED)
    calibration, new = scores(LABELED)[FOLD, np.arange(N), y], scores(NEW)
    at_least = (calibration[:, None, None] >= new[FOLD]).sum(axis=0)
    assert np.array_equal(result.included, (1 + at_least) / (N + 1) > 0.2)


def test_every_class_is_calibrated_by_its_own_rows() -> None:
    predictor = predictor_of(UncertaintyOptions(prediction_set=0.8, per_class=True))
    (result,), y = predictor.predict(NEW).of_type(PredictionSets), CLASSES.read(LABELED)
    P = np.stack([member.predict(LABELED).with_temperature(1.5).values for member in CLASSIFICATION.members])
    new = np.stack([member.predict(NEW).with_temperature(1.5).values for member in CLASSIFICATION.members])
    for c in range(2):
        rows = np.flatnonzero(y == c)
        at_least = (1 - P[FOLD[rows], rows, c][:, None] >= 1 - new[FOLD[rows], :, c]).sum(axis=0)
        assert np.array_equal(result.included[:, c], (1 + at_least) / (len(rows) + 1) > 0.2)


def test_a_group_is_calibrated_by_its_own_rows() -> None:
    options = UncertaintyOptions(interval=0.9, by="city")
    (interval,) = predictor_of(options, by="city").predict(NEW).of_type(Interval)
    rows = predicted_rows(REGRESSION, LABELED, MASK)
    for city in "abc":
        values, where = LABELED.frame["city"] == city, np.flatnonzero((NEW.frame["city"] == city).to_numpy())
        alone = ConformalPredictor.of(
            REGRESSION, rows.take(np.flatnonzero(values.to_numpy())), UncertaintyOptions(interval=0.9)
        ).predict(NEW.take(where))
        assert interval.lower[where].tolist() == alone.of_type(Interval)[0].lower.tolist()


def test_groups_that_are_small_or_unknown_are_counted_and_named() -> None:
    frame = LABELED.frame.with_columns(pl.Series("city", ["a"] * 100 + ["b"] * 15 + ["c"] * 3 + ["d"] * 2))
    rows, options = predicted_rows(REGRESSION, LABELED, MASK), UncertaintyOptions(interval=[0.9, 0.5], by="city")
    predictor = ConformalPredictor.of(REGRESSION, rows, options, RowGroups.of(replace(LABELED, frame=frame), "city"))
    (note,) = predictor.notes()  # five rows are enough for a level of 0.5
    assert "level 0.9" in note
    assert "'c' and 'd'" in note
    new = replace(NEW, frame=NEW.frame.with_columns(pl.Series("city", ["a", "x", None] * 10)))
    assert predictor.predict(new).unknown_groups == 20


def test_a_column_of_which_no_group_has_enough_rows_has_no_effect_and_a_note_says_so() -> None:
    frame = LABELED.frame.with_columns(pl.Series("id", [f"r{i}" for i in range(N)]))
    rows, options = predicted_rows(REGRESSION, LABELED, MASK), UncertaintyOptions(interval=0.9, by="id")
    predictor = ConformalPredictor.of(REGRESSION, rows, options, RowGroups.of(replace(LABELED, frame=frame), "id"))
    (note,) = predictor.notes()
    assert "calibrated together" in note
    new = replace(NEW, frame=NEW.frame.with_columns(pl.Series("id", ["r1", "x", None] * 10)))
    whole = predictor_of(UncertaintyOptions(interval=0.9)).predict(NEW).of_type(Interval)[0]
    assert predictor.predict(new).of_type(Interval)[0].lower.tolist() == whole.lower.tolist()


def test_a_row_has_the_same_bounds_and_set_in_any_chunk() -> None:
    for predictor in (
        predictor_of(UncertaintyOptions(interval=[0.9, 0.5], by="city"), by="city"),
        predictor_of(UncertaintyOptions(prediction_set=[0.9, 0.5], conformity_score="aps")),
    ):
        frame = predictor.predict(NEW).frame()
        parts = [predictor.predict(NEW.take(np.arange(a, b))).frame() for a, b in ((0, 1), (1, 20), (20, 30))]
        assert pl.concat(parts).equals(frame)


def test_the_prediction_is_that_of_the_model() -> None:
    predicted = predictor_of(UncertaintyOptions(interval=0.9)).predict(NEW)
    assert predicted.predictions.values.tolist() == REGRESSION.predict(NEW).values.tolist()


def test_one_network_is_calibrated_by_its_validation_rows(line: Path) -> None:
    run = Run.open(line)
    model, rows, table = run.load_model(), calibration_rows(run), read_table(DATA / "linear.csv")
    predictor = ConformalPredictor.of(model, rows, UncertaintyOptions(interval=[0.9, 0.5]))
    assert predictor.groups.method == "split conformal"
    errors = np.sort(np.abs(rows.y - rows.predictions.values)[:, 0])
    mu, n = model.predict(table).values, len(rows)
    intervals = predictor.predict(table).of_type(Interval)
    for interval, k in zip(intervals, (-(-9 * (n + 1) // 10), -(-(n + 1) // 2)), strict=True):
        assert interval.upper.tolist() == (mu + errors[k - 1]).tolist()
        assert interval.lower.tolist() == (mu - errors[k - 1]).tolist()


def test_a_level_that_needs_more_rows_is_refused_with_their_number() -> None:
    predictor_of(UncertaintyOptions(interval=0.991))
    with pytest.raises(UsageError, match=r"needs 199 rows.* has 120") as caught:
        predictor_of(UncertaintyOptions(interval=0.995))
    assert "at most 0.991" in str(caught.value.hint)


def test_a_level_that_needs_more_rows_than_are_sampled_is_refused() -> None:
    mask = np.random.default_rng(0).random((9, 5_000)) < 0.4
    model, rows = ensemble_of(*(model_of(target=NUMBER, seed=i) for i in range(9))), held_out(mask)
    ConformalPredictor.of(model, rows, UncertaintyOptions(interval=0.999))
    with pytest.raises(UsageError, match=r"2,499 .* 2,000") as caught:
        ConformalPredictor.of(model, rows, UncertaintyOptions(interval=0.9996))
    assert "0.999" in str(caught.value.hint)
    assert "more rows" not in str(caught.value.hint)


def test_small_groups_of_which_no_row_is_sampled_are_named() -> None:
    mask = np.random.default_rng(0).random((9, 5_000)) < 0.4
    model, rows = ensemble_of(*(model_of(target=NUMBER, seed=i) for i in range(9))), held_out(mask)
    sample = calibration_sample(rows)
    assert sample is not None
    cells = np.full(5_000, "a")
    cells[np.setdiff1d(np.arange(5_000), sample)[:10]] = "b"
    groups = RowGroups.of(Table(pl.DataFrame({"shop": cells}), "t.csv"), "shop")
    (note,) = ConformalPredictor.of(model, rows, UncertaintyOptions(interval=0.9, by="shop"), groups).notes()
    assert "'b'" in note
    assert "'a'" not in note


def test_bounds_that_cross_at_a_low_level_become_a_point() -> None:
    mask = np.eye(2, dtype=bool)[:, np.arange(20) % 2]
    rows = replace(held_out(mask), predictions=numbers_of(np.full(20, 0.5)))
    groups, far = OutOfFoldGroups.of(rows), [numbers_of([0.0]), numbers_of([10.0])]
    calibration = ConformalCalibration.of(0.1, IntervalMethod(), Partition.whole(20), rows, groups, MSELoss())
    interval = calibration.predict(far, np.zeros(1, np.int64)).intervals
    assert interval is not None
    assert interval.lower.item() == interval.upper.item() == 5.0  # instead of 9.5 and 0.5
    wide = ConformalCalibration.of(0.9, IntervalMethod(), Partition.whole(20), rows, groups, MSELoss())
    result = wide.predict(far, np.zeros(1, np.int64)).intervals
    assert result is not None
    assert (result.lower.item(), result.upper.item()) == (-0.5, 10.5)
