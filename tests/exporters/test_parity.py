from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.exporters.parity import ParityReport, compare, ulp_distance
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.models.predictions import Predictions
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import Threshold
from nncli.targets.number import RegressionTarget
from nncli.targets.threshold_goals import FixedThreshold

NUMBERS = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
CLASSES = ClassificationTarget(name="c", labels=("a", "b", "c"))
CLASS = ("prediction",)
PAIR = ClassificationTarget(name="c", labels=("no", "yes"))


def ulps(a: float, b: float) -> float:
    return float(ulp_distance(np.array([a]), np.array([b]))[0])


def next_float32(x: float, steps: int = 1) -> float:
    """The float32 number some steps above x."""
    result = np.float32(x)
    for _ in range(steps):
        result = np.nextafter(result, np.float32(np.inf))
    return float(result)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(0, 3))
def test_the_distance_is_the_number_of_steps_between_float32_numbers(x: float, steps: int) -> None:
    if abs(x) < 1e38:
        assert ulps(x, next_float32(x, steps)) == ulps(-next_float32(x, steps), -x) == steps


def test_zeros_are_equal_and_nan_equals_nan_alone() -> None:
    assert ulps(0.0, -0.0) == ulps(np.nan, np.nan) == ulps(np.inf, np.inf) == 0.0
    assert ulps(np.nan, 1.0) == np.inf
    assert ulps(np.inf, -np.inf) > 1e9
    assert ulps(1.0, 1.0 + 1e-9) == 0.0


def test_numbers_out_of_the_range_of_float32_are_compared_by_their_digits() -> None:
    assert ulps(1e300, 1e300 * (1 + 1e-9)) == 0.0
    assert ulps(1e300, 1e300 * (1 + 1e-6)) > 2.0
    assert ulps(1e-300, 1.1e-300) > 2.0


def regression(values: list[float]) -> tuple[Predictions, pl.DataFrame]:
    predictions = Predictions(NUMBERS, np.array(values)[:, None], "float32")
    return predictions, predictions.frame()


def test_the_rows_of_the_largest_difference_are_named() -> None:
    predictions, frame = regression([1.0, 2.0, 3.0, 4.0])
    theirs = pl.DataFrame({"prediction": [1.0, next_float32(2.0, 2), next_float32(3.0), next_float32(4.0, 2)]})
    result = compare(predictions, frame, theirs, 2, lambda row: f"row {row + 1}")
    assert result == ParityReport(2, 4, 4, 3, 2.0, ("row 2", "row 4"))
    assert result.is_match
    assert not compare(predictions, frame, theirs, 1, str).is_match


@pytest.mark.parametrize(
    "theirs", [pl.DataFrame({"other": [1.0, 2.0]}), pl.DataFrame({"prediction": [1.0]}), pl.DataFrame()]
)
def test_other_columns_or_rows_are_an_error(theirs: pl.DataFrame) -> None:
    with pytest.raises(ExportedFileError):
        compare(*regression([1.0, 2.0]), theirs, 2, str)


@pytest.mark.parametrize(("lacks", "has"), [("proba_39", None), (None, "proba_40"), ("proba_39", "proba_40")])
def test_the_first_column_that_differs_is_named(lacks: str | None, has: str | None) -> None:
    predictions = classification(ClassificationTarget(name="c", labels=tuple(map(str, range(40)))), [[0.025] * 40])
    frame = predictions.frame(proba=True)
    theirs = frame.drop([lacks] if lacks else []).with_columns([pl.lit(0.0).alias(has)] if has else [])
    with pytest.raises(ExportedFileError) as error:
        compare(predictions, frame, theirs, 1, str, CLASS)
    assert [name for name in [*frame.columns, "proba_40"] if f"'{name}'" in str(error.value)] == [
        name for name in (lacks, has) if name
    ]


def classification(
    target: ClassificationTarget, P: list[list[float]], decision: Threshold | None = None
) -> Predictions:
    return Predictions(target, np.array(P).astype(np.float32).astype(np.float64), "float32", decision=decision)


def compare_labels(predictions: Predictions, labels: list[str], max_ulp: int = 1) -> ParityReport:
    frame = predictions.frame(proba=True)
    return compare(predictions, frame, frame.with_columns(pl.Series("prediction", labels)), max_ulp, str, CLASS)


def test_another_class_is_a_mismatch_unless_the_two_are_equally_probable() -> None:
    near = next_float32(0.4)
    predictions = classification(CLASSES, [[0.7, 0.2, 0.1], [0.4, near, 0.2], [0.4, 0.4, 0.2], [0.2, 0.39, 0.41]])
    assert compare_labels(predictions, ["a", "b", "a", "c"]).is_match
    tied = compare_labels(predictions, ["a", "a", "b", "c"])
    assert (tied.is_match, tied.n_ties, tied.n_classes) == (True, 2, 0)
    wrong = compare_labels(predictions, ["a", "c", "a", "b"])
    assert (wrong.is_match, wrong.n_ties, wrong.class_rows) == (False, 0, ("1", "3"))


def test_a_tie_at_a_threshold_is_judged_by_the_threshold() -> None:
    goal = FixedThreshold(threshold=0.2)
    decision = Threshold(positive="yes", threshold=0.2, goal=goal)
    predictions = classification(PAIR, [[0.8, 0.2], [0.5, 0.5], [0.7, 0.3]], decision)
    assert predictions.classes.tolist() == [1, 1, 1]
    assert compare_labels(predictions, ["no", "yes", "yes"]).n_ties == 1
    assert compare_labels(predictions, ["yes", "no", "yes"]).n_classes == 1


def test_a_label_that_is_none_is_a_mismatch() -> None:
    result = compare_labels(classification(CLASSES, [[0.7, 0.2, 0.1]]), ["d"])
    assert (result.n_classes, result.is_match) == (1, False)


def test_probabilities_without_labels_and_labels_without_probabilities_are_compared() -> None:
    predictions = classification(CLASSES, [[0.7, 0.2, 0.1]])
    frame = predictions.frame(proba=True)
    probabilities, labels = frame[["proba_a", "proba_b", "proba_c"]], frame[["prediction"]]
    assert compare(predictions, probabilities, probabilities, 1, str).numbers == 3
    assert compare(predictions, labels, labels, 1, str, CLASS).numbers == 0


def test_parts_of_a_table_add_up() -> None:
    first, second = (
        ParityReport(2, 10, 20, 1, 1.0, ("1",), 1, ("7",)),
        ParityReport(2, 5, 10, 2, 3.0, ("12",), 0, (), 4),
    )
    assert first + second == ParityReport(2, 15, 30, 3, 3.0, ("12",), 1, ("7",), 4)
    assert (ParityReport(2, 0) + first) == first
    assert (first + first).largest_rows == ("1", "1")
