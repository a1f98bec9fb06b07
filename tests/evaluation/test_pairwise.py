"""Two runs on the rows that neither was trained on, against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from nncli.evaluation.pairwise import ComparableRun, PairwiseResult, compare_pairwise
from nncli.metrics.bootstrap import ConfidenceInterval
from nncli.metrics.significance import PairedTest
from nncli.nn.losses import MAE, MSE, CrossEntropy, Loss, Quantile


def classes(p_yes: list[float], truth: list[str], numbers: list[int], **more: object) -> ComparableRun:
    """What a run says of rows of two classes."""
    p = np.array(p_yes)
    held = ComparableRun(
        table="sum",
        target=("t",),
        labels=("no", "yes"),
        numbers=np.array(numbers),
        truth=np.array(truth),
        values=np.column_stack([1 - p, p]),
        loss=CrossEntropy(),
        weights=None,
        groups=None,
        seed=0,
    )
    return replace(held, **more)  # type: ignore[arg-type]


def numbers(said: object, truth: object, loss: Loss) -> ComparableRun:
    """What a run says of rows of numbers."""
    y, values = (np.array(one, np.float64).reshape(len(truth), -1) for one in (truth, said))  # type: ignore[arg-type]
    one = classes([], [], [])
    names = tuple(f"y{j}" for j in range(y.shape[1]))
    return replace(one, labels=None, target=names, truth=y, values=values, loss=loss, numbers=np.arange(1, len(y) + 1))


def test_only_rows_that_both_held_out_are_compared() -> None:
    a = classes([0.9, 0.8, 0.1], ["yes", "yes", "no"], [1, 2, 5])
    b = classes([0.5, 0.4, 0.6], ["yes", "yes", "no"], [2, 4, 5])
    loss, wrong = compare_pairwise([a, b])
    assert (loss.a, loss.b, loss.rows) == (0, 1, 2)
    assert loss.found
    assert loss.found.mean == pytest.approx((log(0.8 / 0.5) + log(0.9 / 0.4)) / 2)
    assert wrong.found
    assert wrong.found.mean == 1.0  # of rows 2 and 5 a is right twice; b is sure of nothing, then wrong


def test_the_best_is_held_against_the_others_whatever_their_order() -> None:
    good = classes([0.9, 0.9, 0.2], ["yes", "yes", "no"], [1, 2, 3])
    bad = classes([0.6, 0.4, 0.7], ["yes", "yes", "no"], [1, 2, 3])
    (first, *_), (second, *_) = compare_pairwise([good, bad]), compare_pairwise([bad, good])
    assert (first.a, first.b) == (0, 1)
    assert (second.a, second.b) == (1, 0)
    assert first.found == second.found
    assert first.found
    assert first.found.mean > 0


def test_classes_are_matched_by_their_names() -> None:
    a = classes([0.9, 0.2], ["yes", "no"], [1, 2])
    b = replace(a, labels=("yes", "no"), values=a.values[:, ::-1])
    loss, wrong = compare_pairwise([a, b])
    assert loss.found
    assert wrong.found
    assert (loss.found.mean, wrong.found.mean, loss.adjusted) == (0.0, 0.0, 1.0)
    assert loss.in_words("a", "b") == "a and b are equally good in log loss on each of 2 shared rows."


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (classes([0.9], ["yes"], [7]), "no row was held out by both"),
        (classes([0.9, 0.9], ["no", "no"], [1, 2]), "differently"),
        (classes([0.9, 0.9], ["yes", "no"], [1, 2], weights=np.zeros(2)), None),
    ],
)
def test_why_two_runs_cannot_be_compared(other: ComparableRun, reason: str | None) -> None:
    one = classes([0.9, 0.2], ["yes", "no"], [1, 2])
    for pair in compare_pairwise([one, other]):
        assert (pair.found is None) == (reason is not None)
        assert pair.adjusted is None or reason is None
        assert (reason or "") in pair.reason
        assert reason is None or f"cannot be held against each other: {pair.reason}" in pair.in_words("a", "b")


def test_other_tables_targets_and_tasks_are_never_compared() -> None:
    one = classes([0.9], ["yes"], [1])
    assert not compare_pairwise([one, replace(one, table="other"), replace(one, target=("u",)), None])
    assert not compare_pairwise([one, numbers([1], [1], MSE())])


@pytest.mark.parametrize(
    ("losses", "measures", "means"),
    [
        ((MSE(), MAE()), ("squared error", "absolute error"), ((4 - 1) / 2, 0.5)),
        ((MAE(), MAE()), ("absolute error",), (0.5,)),
        ((Quantile(q=0.9), Quantile(q=0.9)), ("pinball loss",), (0.45,)),
        ((Quantile(q=0.9), Quantile(q=0.1)), ("squared error", "absolute error"), (1.5, 0.5)),
    ],
)
def test_numbers_are_compared_in_what_all_were_trained_to_lower(
    losses: tuple[Loss, Loss], measures: tuple[str, ...], means: tuple[float, ...]
) -> None:
    found = compare_pairwise([numbers([2, 5], [3, 5], losses[0]), numbers([1, 5], [3, 5], losses[1])])
    assert tuple(pair.measure for pair in found) == measures
    assert tuple(pair.found and pair.found.mean for pair in found) == pytest.approx(means)


def test_several_targets_count_by_their_spread() -> None:
    truth = [[0, 0], [2, 200]]
    good, bad = numbers(truth, truth, MSE()), numbers([[1, 0], [2, 300]], truth, MSE())
    squared, absolute = compare_pairwise([good, bad])
    assert squared.found
    assert squared.found.mean == pytest.approx((1 / 1 / 2 + 100**2 / 100**2 / 2) / 2)
    assert absolute.found
    assert absolute.found.mean == pytest.approx((1 / 1 / 2 + 100 / 100 / 2) / 2)


def test_errors_beyond_measure_are_no_evidence() -> None:
    with np.errstate(over="ignore"):
        found = compare_pairwise([numbers([1, 1], [1, 2], MSE()), numbers([1e200, 1], [1, 2], MSE())])
    assert [pair.reason for pair in found] == ["a loss is beyond all measure", ""]


def test_p_values_count_every_pair_that_might_have_been_looked_at() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40)
    runs = [numbers(truth + rng.normal(0, spread, 40), truth, MAE()) for spread in (0.1, 0.5, 0.5)]
    found = compare_pairwise(runs)
    raw = sorted(pair.found.p for pair in found if pair.found)
    adjusted = sorted(pair.adjusted for pair in found if pair.adjusted is not None)
    assert adjusted == pytest.approx([3 * raw[0], max(3 * raw[0], 2 * raw[1])])
    assert all(pair.is_significant for pair in found)


def test_rows_count_with_weights_that_both_have() -> None:
    truth, rows = ["yes", "no"], [1, 2]
    a = classes([0.9, 0.4], truth, rows, weights=np.array([3.0, 1.0]))
    b = classes([0.8, 0.2], truth, rows, weights=np.array([3.0, 1.0]))
    loss = compare_pairwise([a, b])[0]
    sign = 1 if loss.a == 0 else -1
    assert loss.found
    assert sign * loss.found.mean == pytest.approx((3 * log(0.9 / 0.8) + log(0.6 / 0.8)) / 4)
    loss = compare_pairwise([a, replace(b, weights=None)])[0]
    sign = 1 if loss.a == 0 else -1
    assert loss.found
    assert sign * loss.found.mean == pytest.approx((log(0.9 / 0.8) + log(0.6 / 0.8)) / 2)


@pytest.mark.parametrize(
    ("mean", "interval", "adjusted", "words"),
    [
        (
            0.012,
            ConfidenceInterval(0.004, 0.02),
            0.0121,
            "a is better than b by 0.012 (0.004 to 0.02) in log loss on 69 shared rows: more than chance would give "
            "(p = 0.012).",
        ),
        (
            -0.012,
            ConfidenceInterval(-0.02, -0.004),
            0.0001,
            "b is better than a by 0.012 (0.004 to 0.02) in log loss on 69 shared rows: more than chance would give "
            "(p < 0.001).",
        ),
        (
            0.012,
            ConfidenceInterval(-0.01, 0.03),
            0.4,
            "The rows do not tell a and b apart: a is better by 0.012 (-0.01 to 0.03) in log loss on 69 shared rows, "
            "which chance may give (p = 0.400).",
        ),
    ],
)
def test_the_finding_in_words(mean: float, interval: ConfidenceInterval, adjusted: float, words: str) -> None:
    pair = PairwiseResult(0, 1, "log loss", 69, PairedTest(69, mean, interval, 0.0001), adjusted)
    assert pair.in_words("a", "b") == words


def test_losses_beyond_measure_cannot_be_held_against_each_other() -> None:
    pair = compare_pairwise([numbers([np.inf, 1.0], [1.0, 2.0], MSE()), numbers([1.0, 1.0], [1.0, 2.0], MSE())])[0]
    assert pair.found is None
    assert not pair.is_significant
    assert pair.in_words("a", "b") == "a and b cannot be held against each other: a loss is beyond all measure."


def test_rows_without_any_weight_cannot_be_held_against_each_other() -> None:
    a = classes([0.9, 0.4, 0.7], ["yes", "no", "no"], [1, 2, 3], weights=np.array([0.0, 0.0, 1.0]))
    b = classes([0.8, 0.2], ["yes", "no"], [1, 2], weights=np.array([0.0, 0.0]))
    assert {pair.reason for pair in compare_pairwise([a, b])} == {"the shared rows have no weight"}


def test_groups_of_rows_are_counted_in_words() -> None:
    p, truth, rows = [0.9, 0.4, 0.8, 0.3], ["yes", "no", "yes", "no"], [1, 2, 3, 4]
    a = classes(p, truth, rows, groups=np.array([0, 0, 1, 1]))
    b = classes([0.6] * 4, truth, rows, groups=np.array([0, 0, 1, 1]))
    assert " on 4 shared rows in 2 groups" in compare_pairwise([a, b])[0].in_words("a", "b")
