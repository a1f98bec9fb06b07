"""Ordered classes: their order, the median rank, and sets that are ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nncli.base.errors import ConfigError, DataError
from nncli.base.text import yaml_quote
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.nn.losses import OrdinalLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.ordinal import OrdinalTarget
from nncli.targets.target_base import FitOptions

RANKS = OrdinalTarget(name="risk", labels=("low", "medium", "high"))


def table(*cells: object) -> Table:
    return Table(pl.DataFrame({"risk": cells}), "t.csv")


def fitted(*cells: object, order: tuple[str, ...] = ()) -> tuple[str, ...]:
    return OrdinalTarget.fit(table(*cells), ("risk",), FitOptions(order=order)).labels


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (("high", "low", "medium", "low"), ("low", "medium", "high")),
        ((10, 2, 1), ("1", "2", "10")),
        ((2.5, 1.0, -0.5), ("-0.5", "1", "2.5")),
        (("10", "9", "8.5"), ("8.5", "9", "10")),
        ((False, True), ("false", "true")),
    ],
)
def test_the_order_is_that_of_words_or_numbers(cells: tuple[object, ...], labels: tuple[str, ...]) -> None:
    assert fitted(*cells) == labels


def test_a_given_order_is_kept_without_classes_that_do_not_occur() -> None:
    assert fitted("b", "a", "b", order=("c", "b", "a")) == ("b", "a")


@pytest.mark.parametrize(
    "cells", [("red", "on: off", "blue"), ("red", "blue"), ("1k", "1000", "5k"), ("1.0", "1", "2")]
)
def test_an_order_that_is_not_understood_is_refused_with_the_key_that_says_it_and_none_proposed(
    cells: tuple[str, ...],
) -> None:
    with pytest.raises(DataError) as caught:
        fitted(*cells)
    assert caught.value.location is not None
    assert caught.value.location.column == "risk"
    hint = str(caught.value.hint)
    assert ", ".join(map(yaml_quote, cells)) in hint  # as the table has them
    assert "the key data.order" in hint
    assert "data.order=" not in hint  # what is shown is no order that could be pasted by mistake


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (("5,000+", "500-999", "1,000-4,999"), ("500-999", "1,000-4,999", "5,000+")),
        (("500", "1.000", "5.000"), ("500", "1.000", "5.000")),
        (("Q1 2023", "Q4 2022"), ("Q4 2022", "Q1 2023")),
        (("ja", "nein"), ("nein", "ja")),
        (("A+", "F", "B"), ("F", "B", "A+")),
    ],
)
def test_the_order_is_what_the_names_tell_together(cells: tuple[str, ...], labels: tuple[str, ...]) -> None:
    assert fitted(*cells) == labels
    assert fitted(*cells[::-1]) == labels


def test_the_classes_of_every_row_tell_the_order_of_those_that_training_rows_have() -> None:
    every = table("500-999", "1.000-4.999", "5.000+")
    some = FitOptions(every=every)
    target = OrdinalTarget.fit(table("1.000-4.999", "500-999"), ("risk",), some)
    assert target.labels == ("500-999", "1.000-4.999")
    assert target.order == ()
    assert OrdinalTarget.class_order(table("5.000+", "500-999"), ("risk",), some) == (*target.labels, "5.000+")


def test_an_order_that_lacks_a_class_is_refused_at_its_key() -> None:
    with pytest.raises(ConfigError) as caught:
        fitted("red", "blue", order=("red", "bleu"))
    (issue,) = caught.value.issues
    assert issue.location.key == "data.order"
    assert "'blue'" in issue.message


def test_members_that_lack_a_rank_have_the_ranks_of_all_in_order() -> None:
    parts = [OrdinalTarget.fit(table(*cells), ("risk",)) for cells in (("low", "high"), ("medium", "low"))]
    assert parts[0].joint(parts, None).labels == RANKS.labels
    given_order = [
        OrdinalTarget.fit(table(*cells), ("risk",), FitOptions(order=("x", "a", "k"))) for cells in ("xk", "ak")
    ]
    assert given_order[0].joint(given_order, None).labels == ("x", "a", "k")
    assert RANKS.accepts(parts[0])
    assert not ClassificationTarget(name="risk", labels=RANKS.labels).accepts(RANKS)


def test_a_written_order_is_the_same_target_as_one_that_the_names_tell() -> None:
    written = RANKS.model_copy(update={"order": RANKS.labels})
    assert written.is_same(RANKS)
    assert not written.is_same(RANKS.model_copy(update={"labels": RANKS.labels[::-1]}))
    assert not written.is_same(ClassificationTarget(name="risk", labels=RANKS.labels))


@given(P=arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.floats(0.01, 1.0)))
def test_the_predicted_rank_has_the_lowest_expected_error(P: NDArray[np.float64]) -> None:
    P /= P.sum(axis=1, keepdims=True)
    ranks = np.arange(P.shape[1])
    target = OrdinalTarget(name="t", labels=tuple(map(str, ranks)))
    expected = P @ np.abs(ranks[:, None] - ranks)
    chosen = expected[np.arange(len(P)), target.decision_rule.codes(P, None)]
    np.testing.assert_allclose(chosen, expected.min(axis=1), atol=1e-12)


@given(included=arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(2, 6))))
def test_sets_are_the_smallest_ranges_that_hold_what_is_included(included: NDArray[np.bool_]) -> None:
    for row, complete in zip(included, RANKS.uncertainty().complete(included), strict=True):
        at = np.flatnonzero(row)
        wanted = np.zeros(len(row), bool)
        if len(at):
            wanted[at[0] : at[-1] + 1] = True
        assert complete.tolist() == wanted.tolist()


@dataclass(frozen=True)
class Case:
    predictions: Predictions
    y: NDArray[np.int64]


@pytest.fixture
def case() -> Case:
    P = np.array([[0.4, 0.25, 0.35], [0.2, 0.2, 0.6], [0.9, 0.1, 0.0]])
    return Case(Predictions(RANKS, P), np.array([0, 0, 1]))


def test_all_scores_of_classes_are_those_of_the_median_rank(case: Case) -> None:
    assert case.predictions.classes.tolist() == [1, 2, 0]
    scores = RANKS.scores(case.predictions, case.y, None, OrdinalLoss())
    assert [name for name, _ in scores.values[:2]] == ["rank_mae", "quadratic_kappa"]
    assert scores["rank_mae"] == pytest.approx(4 / 3)
    assert scores["accuracy"] == 0.0
    for name in ("rank_mae", "quadratic_kappa", "accuracy", "macro_f1", "log_loss"):
        metric = RANKS.metric(name)(case.y, case.predictions.values, None)
        assert metric == pytest.approx(scores[name], rel=1e-12), name


def test_the_losses_of_paired_tests_are_those_of_the_metric(case: Case) -> None:
    of_metric = {
        name: RANKS.test_losses(name, OrdinalLoss(), case.predictions, case.y) for name in RANKS.metric_names()
    }
    assert of_metric["rank_mae"].tolist() == of_metric["quadratic_kappa"].tolist() == [1.0, 2.0, 1.0]
    assert of_metric["accuracy"].tolist() == [1.0, 1.0, 1.0]
    assert of_metric["log_loss"][0] == pytest.approx(-np.log(0.4))
    assert RANKS.is_mean_of_rows("rank_mae")
    assert not RANKS.is_mean_of_rows("quadratic_kappa")
