"""Pairwise comparisons on shared validation rows, checked by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import log
from typing import ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.analysis.evaluation.pairwise import ComparableRun, PairwiseResult, compare_pairwise
from nncli.base import plugins
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging
from nncli.nn.losses import CrossEntropyLoss, GammaLoss, Loss, MAELoss, MSELoss, QuantileLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.significance import PairedTest
from nncli.targets.number import NumericTarget, RegressionTarget
from tests.thorough import every, partly

CLASSES = ClassificationTarget(name="t", labels=("no", "yes"))


def classes(p_yes: list[float], truth: list[str], numbers: list[int], **more: object) -> ComparableRun:
    """What a run says of rows of two classes."""
    p = np.array(p_yes)
    held = ComparableRun(
        table="sum",
        target=("t",),
        row_numbers=np.array(numbers),
        truth=np.array(truth),
        predictions=Predictions(CLASSES, np.column_stack([1 - p, p])),
        y=np.array([CLASSES.labels.index(label) for label in truth], np.int64),
        loss=CrossEntropyLoss(),
        weights=None,
        groups=None,
        seed=0,
    )
    return replace(held, **more)  # type: ignore[arg-type]


def numbers(predicted: object, truth: object, loss: Loss) -> ComparableRun:
    """What a run says of rows of numbers."""
    y, values = (np.array(item, np.float64).reshape(len(truth), -1) for item in (truth, predicted))  # type: ignore[arg-type]
    single = classes([], [], [])
    names = tuple(f"y{j}" for j in range(y.shape[1]))
    target = RegressionTarget(names=names, centers=(0.0,) * len(names), scales=(1.0,) * len(names))
    return replace(
        single,
        target=names,
        truth=y,
        predictions=Predictions(target, values),
        y=y,
        loss=loss,
        row_numbers=np.arange(1, len(y) + 1),
    )


def test_of_samples_of_the_same_rows_those_in_both_are_compared() -> None:
    a = classes([0.9, 0.8, 0.1], ["yes", "yes", "no"], [1, 2, 5], total=9, rule="at random")
    b = classes([0.5, 0.4, 0.6], ["yes", "yes", "no"], [2, 4, 5], total=9, rule="at random")
    (loss,) = compare_pairwise([a, b])
    assert (loss.a, loss.b, loss.rows) == (0, 1, 2)
    assert loss.test
    assert loss.test.mean == pytest.approx((log(0.8 / 0.5) + log(0.9 / 0.4)) / 2)
    assert loss.beside == ("error rate", 0.0, 1.0)  # of rows 2 and 5 a is right twice; b is sure of nothing, then wrong


FOLDS = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("other", "ranked"),
    [
        ({}, True),
        ({"blocks": FOLDS}, True),
        ({"blocks": 5 - FOLDS}, True),
        ({"blocks": None}, False),
        ({"blocks": np.array([0, 1, 0, 1])}, False),
        ({"blocks": np.arange(4)}, False),
        ({"blocks": np.arange(4), "drawn": "rows"}, True),
        ({"blocks": np.arange(4), "drawn": "groups of shop"}, False),
        ({"row_numbers": np.array([1, 2, 3, 5]), "drawn": "rows"}, True),
        ({"row_numbers": np.array([1, 2, 3, 5])}, False),
        ({"total": 4}, True),
        ({"total": 9}, False),
    ],
)
def test_runs_are_ranked_only_if_their_rows_were_held_out_together(other: dict[str, object], ranked: bool) -> None:
    p, truth = [0.9, 0.2, 0.7, 0.4], ["yes", "no", "yes", "no"]
    a = classes(p, truth, [1, 2, 3, 4], blocks=FOLDS, drawn="rows", rule="2 folds")
    b = replace(replace(a, rule="as others", drawn=None), **other)  # type: ignore[arg-type]
    (found,) = compare_pairwise([a, b])
    assert (found.test is not None) == (found.rules is None) == ranked
    assert found.rules == (None if ranked else ("2 folds", "as others"))
    assert ("not ranked" in found.sentence("a", "b")) != ranked
    assert ("a: 2 folds; b: as others" in found.sentence("a", "b")) != ranked


def test_of_runs_that_were_validated_in_two_ways_the_best_of_each_are_named() -> None:
    truth = ["yes", "no"]
    runs = [
        classes([p, 1 - p], truth, [1, 2], blocks=np.array(blocks)) for p in (0.7, 0.9) for blocks in ([0, 1], [0, 0])
    ]
    found = compare_pairwise(runs)
    assert {(pair.a, pair.b, pair.rules is None) for pair in found} == {(2, 0, True), (3, 1, True), (2, 3, False)}
    assert {pair.tests for pair in found if pair.rules is None} == {2}


def test_the_best_run_is_compared_with_the_others_in_any_order() -> None:
    good = classes([0.9, 0.9, 0.2], ["yes", "yes", "no"], [1, 2, 3])
    bad = classes([0.6, 0.4, 0.7], ["yes", "yes", "no"], [1, 2, 3])
    (first,), (second,) = compare_pairwise([good, bad]), compare_pairwise([bad, good])
    assert (first.a, first.b) == (0, 1)
    assert (second.a, second.b) == (1, 0)
    assert first.test == second.test
    assert first.test
    assert first.test.mean > 0


def test_classes_are_matched_by_their_names() -> None:
    a = classes([0.9, 0.2], ["yes", "no"], [1, 2])
    target = ClassificationTarget(name="t", labels=("yes", "no"))
    b = replace(a, predictions=Predictions(target, a.predictions.values[:, ::-1]), y=1 - a.y)
    (loss,) = compare_pairwise([a, b])
    assert loss.test
    assert loss.beside
    assert (loss.test.mean, loss.beside.a, loss.beside.b, loss.adjusted_p) == (0.0, 0.0, 0.0, 1.0)
    assert loss.sentence("a", "b") == "a and b have the same log loss on each of 2 shared rows."


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (classes([0.9, 0.9], ["yes", "no"], [7, 8], total=9), "share no scored rows"),
        (classes([0.9, 0.9], ["no", "no"], [1, 2]), "differently"),
        (classes([0.9, 0.9], ["yes", "no"], [1, 2], weights=np.zeros(2)), None),
    ],
)
def test_why_two_runs_cannot_be_compared(other: ComparableRun, reason: str | None) -> None:
    one = classes([0.9, 0.2], ["yes", "no"], [1, 2], total=other.total)
    for pair in compare_pairwise([one, other]):
        assert (pair.test is None) == (reason is not None)
        assert pair.adjusted_p is None or reason is None
        assert (reason or "") in pair.reason
        assert reason is None or f"cannot be compared: {pair.reason}" in pair.sentence("a", "b")


def test_other_tables_targets_and_tasks_are_never_compared() -> None:
    single = classes([0.9], ["yes"], [1])
    assert not compare_pairwise([single, replace(single, table="other"), replace(single, target=("u",)), None])
    assert not compare_pairwise([single, numbers([1], [1], MSELoss())])


@pytest.mark.parametrize(
    ("losses", "measures", "means"),
    [
        ((MSELoss(), MAELoss()), ("squared error", "absolute error"), ((4 - 1) / 2, 0.5)),
        ((MAELoss(), MAELoss()), ("absolute error",), (0.5,)),
        ((MSELoss(), MSELoss()), ("squared error",), (1.5,)),
        ((QuantileLoss(q=0.9), QuantileLoss(q=0.9)), ("pinball loss",), (0.45,)),
        ((QuantileLoss(q=0.9), QuantileLoss(q=0.1)), ("squared error", "absolute error"), (1.5, 0.5)),
    ],
)
def test_regressions_are_compared_by_their_common_loss(
    losses: tuple[Loss, Loss], measures: tuple[str, ...], means: tuple[float, ...]
) -> None:
    result = compare_pairwise([numbers([2, 5], [3, 5], losses[0]), numbers([1, 5], [3, 5], losses[1])])
    assert tuple(pair.measure for pair in result) == measures
    assert tuple(pair.test and pair.test.mean for pair in result) == pytest.approx(means)


def test_losses_of_several_targets_are_standardized() -> None:
    truth = [[0, 0], [2, 200]]
    good, bad = numbers(truth, truth, MSELoss()), numbers([[1, 0], [2, 300]], truth, MSELoss())
    (squared,) = compare_pairwise([good, bad])
    assert squared.test
    assert squared.test.mean == pytest.approx((1 / 1 / 2 + 100**2 / 100**2 / 2) / 2)
    assert squared.beside
    assert squared.beside[:2] == ("absolute error", 0.0)
    assert squared.beside.b == pytest.approx((1 / 1 / 2 + 100 / 100 / 2) / 2)


def test_infinite_losses_are_not_tested() -> None:
    with np.errstate(over="ignore"):
        result = compare_pairwise([numbers([1, 1], [1, 2], MSELoss()), numbers([1e200, 1], [1, 2], MAELoss())])
    assert [pair.reason for pair in result] == ["a loss is not finite", ""]


def test_p_values_are_adjusted_for_all_possible_pairs() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40)
    runs = [numbers(truth + rng.normal(0, spread, 40), truth, MAELoss()) for spread in (0.1, 0.5, 0.5)]
    found = compare_pairwise(runs)
    assert [pair.adjusted_p for pair in found] == pytest.approx([3 * pair.test.p for pair in found if pair.test])
    assert all(pair.is_significant for pair in found)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.floats(0.0, 0.6), st.sampled_from([0.0, log(3), log(1000)]))
def test_a_difference_is_significant_where_its_interval_excludes_0(seed: int, shift: float, choices: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=40)
    runs = [numbers(truth + rng.normal(0, 0.5 + shift * k, 40), truth, MAELoss()) for k in range(3)]
    for pair in compare_pairwise([runs[0], replace(runs[1], log_choices=choices), runs[2]]):
        assert pair.test
        interval = pair.test.interval
        if interval is None:
            assert not pair.is_significant or choices
        else:
            assert pair.is_significant == (interval.low > 0 or interval.high < 0)


def test_weights_are_used_if_both_runs_have_them() -> None:
    truth, rows = ["yes", "no"], [1, 2]
    a = classes([0.9, 0.4], truth, rows, weights=np.array([3.0, 1.0]))
    b = classes([0.8, 0.2], truth, rows, weights=np.array([3.0, 1.0]))
    loss = compare_pairwise([a, b])[0]
    sign = 1 if loss.a == 0 else -1
    assert loss.test
    assert sign * loss.test.mean == pytest.approx((3 * log(0.9 / 0.8) + log(0.6 / 0.8)) / 4)
    loss = compare_pairwise([a, replace(b, weights=None)])[0]
    sign = 1 if loss.a == 0 else -1
    assert loss.test
    assert sign * loss.test.mean == pytest.approx((log(0.9 / 0.8) + log(0.6 / 0.8)) / 2)


@pytest.mark.parametrize(
    ("mean", "interval", "adjusted", "words"),
    [
        (
            0.012,
            ConfidenceInterval(0.004, 0.02),
            0.0121,
            "a has a lower log loss than b by 0.012 (0.004 to 0.02) on 69 shared rows: significant (p = 0.012).",
        ),
        (
            -0.012,
            ConfidenceInterval(-0.02, -0.004),
            0.0001,
            "b has a lower log loss than a by 0.012 (0.004 to 0.02) on 69 shared rows: significant (p < 0.001).",
        ),
        (
            0.012,
            ConfidenceInterval(-0.01, 0.03),
            0.4,
            "a has a lower log loss than b by 0.012 (-0.01 to 0.03) on 69 shared rows: not significant (p = 0.400).",
        ),
    ],
)
def test_the_sentence_of_a_result(mean: float, interval: ConfidenceInterval, adjusted: float, words: str) -> None:
    pair = PairwiseResult(0, 1, "log loss", 69, PairedTest(69, mean, interval, 0.0001), adjusted)
    assert pair.sentence("a", "b") == words


def test_infinite_mean_losses_cannot_be_compared() -> None:
    pair = compare_pairwise(
        [numbers([np.inf, 1.0], [1.0, 2.0], MSELoss()), numbers([1.0, 1.0], [1.0, 2.0], MSELoss())]
    )[0]
    assert pair.test is None
    assert not pair.is_significant
    assert pair.sentence("a", "b") == "a and b cannot be compared: a loss is not finite."


def test_rows_without_any_weight_cannot_be_compared() -> None:
    a = classes([0.9, 0.4, 0.7], ["yes", "no", "no"], [1, 2, 3], weights=np.array([0.0, 0.0, 1.0]), total=9)
    b = classes([0.8, 0.2], ["yes", "no"], [1, 2], weights=np.array([0.0, 0.0]), total=9)
    assert {pair.reason for pair in compare_pairwise([a, b])} == {"the shared rows have zero weight"}


def test_the_sentence_counts_groups() -> None:
    p, truth, rows = [0.9, 0.4, 0.8, 0.3], ["yes", "no", "yes", "no"], [1, 2, 3, 4]
    a = classes(p, truth, rows, groups=np.array([0, 0, 1, 1]))
    b = classes([0.6] * 4, truth, rows, groups=np.array([0, 0, 1, 1]))
    assert " on 4 shared rows in 2 groups" in compare_pairwise([a, b])[0].sentence("a", "b")


def test_a_model_that_never_predicts_the_rare_class_is_not_called_better() -> None:
    rng = np.random.default_rng(0)
    truth = np.where(rng.random(1000) < 0.03, "yes", "no")
    risk = np.where(truth == "yes", 0.55, 0.02)
    risk[(truth == "no") & (rng.random(1000) < 0.05)] = 0.55  # two false alarms for each hit
    finds_some = classes(risk.tolist(), truth.tolist(), list(range(1000)))
    finds_none = classes([0.03] * 1000, truth.tolist(), list(range(1000)))
    (result,) = compare_pairwise([finds_none, finds_some])
    assert result.measure == "log loss"
    assert result.is_significant
    assert result.favored == 1
    assert result.beside is not None
    assert result.beside.measure == "error rate"
    assert result.beside.a > result.beside.b  # the one with the lower error is not the better one


def epochs(rng: np.random.Generator, hard: np.ndarray, count: int, smoothness: float) -> np.ndarray:
    """The validation losses (rows,) of the best of `count` epochs, none of which is truly better than another."""
    noise = rng.normal(size=(count, len(hard)))
    for item, step in pairwise(noise):  # neighboring epochs are alike
        step *= (1 - smoothness**2) ** 0.5
        step += smoothness * item
    losses = 5.0 + hard + 0.5 * noise
    return np.asarray(losses[losses.mean(axis=1).argmin()])


@pytest.mark.slow
@partly
@pytest.mark.parametrize("smoothness", [0.0, 0.9, 0.99])
@pytest.mark.parametrize(("of_a", "of_b"), [(1, 1), (40, 40), (1, 5), (1, 100), (30, 300)])
def test_of_two_equally_good_runs_few_are_called_better(of_a: int, of_b: int, smoothness: float) -> None:
    rng, result, draws = np.random.default_rng(1), 0, 200 // every(3)
    for _ in range(draws):
        hard = rng.exponential(size=60)
        a, b = (epochs(rng, hard, count, smoothness) for count in (of_a, of_b))
        a_run, b_run = (
            replace(numbers(y, np.zeros(60), MAELoss()), log_choices=log(n)) for y, n in ((a, of_a), (b, of_b))
        )
        result += compare_pairwise([a_run, b_run])[0].is_significant
    assert result / draws <= 0.07


def test_a_result_in_favor_of_the_run_with_more_choices_is_corrected_and_named() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    a = numbers(truth + rng.normal(0, 0.5, 60), truth, MAELoss())
    b = numbers(truth + rng.normal(0, 0.35, 60), truth, MAELoss())
    (plain,) = compare_pairwise([a, b])
    (corrected,) = compare_pairwise([a, replace(b, log_choices=log(100))])
    (other,) = compare_pairwise([replace(a, log_choices=log(100)), b])
    assert plain.test
    assert plain.corrected_p == plain.test.p
    assert plain.is_significant
    assert plain.optimistic is None
    assert plain.favored == corrected.favored == other.favored == 1
    assert corrected.corrected_p == pytest.approx(100 * plain.test.p)
    assert corrected.optimistic == 1
    assert not corrected.is_significant
    assert "these rows chose the epoch of two" in corrected.sentence(
        *(("one", "two")[k] for k in (corrected.a, corrected.b))
    )
    assert other.corrected_p == plain.test.p  # it is better in spite of the optimism of the other one
    assert other.optimistic == 0
    for item in (corrected, other):
        assert item.test
        assert item.test.interval
        assert plain.test.interval
        assert item.test.interval.high - item.test.interval.low > plain.test.interval.high - plain.test.interval.low


def test_about_as_many_choices_are_no_difference_worth_a_word() -> None:
    a, b = classes([0.9, 0.2], ["yes", "no"], [1, 2]), classes([0.8, 0.3], ["yes", "no"], [1, 2])
    (result,) = compare_pairwise([replace(a, log_choices=log(120)), replace(b, log_choices=log(100))])
    assert result.optimistic is None
    assert result.test
    assert result.corrected_p == pytest.approx(min(1.0, 1.2 * result.test.p))


def test_losses_of_an_ensemble_are_those_expected_of_the_mean_of_its_members() -> None:
    truth = ["yes", "no", "yes"]
    a, b = classes([0.9, 0.4, 0.8], truth, [1, 2, 3]), classes([0.8, 0.2, 0.7], truth, [1, 2, 3])
    (plain,) = compare_pairwise([a, b])
    (gained,) = compare_pairwise([replace(a, averaging=Averaging((0.5,), 3)), b])
    assert plain.test
    assert gained.test
    loss_of_a = -(log(0.9) + log(0.6) + log(0.8)) / 3
    sign = 1 if plain.a == gained.a else -1
    assert sign * gained.test.mean - plain.test.mean == pytest.approx((0.5 if plain.a == 0 else -0.5) * loss_of_a)
    wrong = numbers([1.0, 4.0], [2.0, 2.0], MAELoss())
    (result,) = compare_pairwise([replace(wrong, averaging=Averaging((0.25,), 2)), wrong])
    assert result.test
    assert result.a == 0
    assert result.test.mean == pytest.approx((1 - 0.25**0.5) * 1.5)


def test_runs_of_a_kind_of_target_that_a_plugin_has_are_compared_by_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    class CountTarget(NumericTarget):
        task: Literal["count"] = "count"

    class Counts(GammaLoss):
        task: ClassVar[str] = "count"

    monkeypatch.setattr(
        plugins, "find", lambda kind, name: CountTarget if (kind, name) == ("targets", "count") else None
    )
    runs = [numbers([float(i + j) for j in range(1, 21)], [float(j) for j in range(1, 21)], Counts()) for i in (0, 3)]
    (result,) = compare_pairwise(runs)
    assert (result.measure, result.test is not None) == ("gamma", True)
