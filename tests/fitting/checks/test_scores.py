"""After a training: classes that are never predicted, and a score that is no better than that of the baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nncli.fitting.checks.scores import check_scores
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.predictions import Predictions
from nncli.models.scores import ScoreCard, ScoredRows, baseline_predictions, no_better_note, validation_card
from nncli.nn.losses import CrossEntropyLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.classification import classification_scores
from nncli.targets.metrics.regression import regression_scores
from nncli.targets.metrics.survival import SurvivalScores
from nncli.targets.target_base import Scores
from tests.assertions import lines

N = 200
RARE = np.array([1] * 5 + [0] * (N - 5))


def baseline_of(target: ClassificationTarget, y: np.ndarray) -> Predictions:
    rows = LabeledRows(y, None)
    return baseline_predictions(target, rows, rows, CrossEntropyLoss())


def classes_card(y: np.ndarray, P: np.ndarray) -> ScoreCard:
    labels = tuple(map(str, range(P.shape[1])))
    shares = np.bincount(y, minlength=P.shape[1]) / len(y)
    baseline = np.broadcast_to(shares, P.shape)
    return ScoreCard(len(y), classification_scores(y, P, labels), classification_scores(y, baseline, labels))


def numbers_card(*predictions: np.ndarray, y: np.ndarray) -> ScoreCard:
    names = [f"t{i}" for i in range(len(predictions))]
    model = tuple(regression_scores(name, y, p) for name, p in zip(names, predictions, strict=True))
    baseline = tuple(regression_scores(name, y, np.full(len(y), y.mean())) for name in names)
    return ScoreCard(len(y), model, baseline)


def codes(card: ScoreCard | None) -> list[str]:
    return [finding.code.value for finding in check_scores(card, "validation")]


def two(p: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - p, p])


def test_a_rare_class_that_is_never_predicted_is_named() -> None:
    ranked = np.where(RARE == 1, 0.3, 0.01)
    (finding,) = check_scores(classes_card(RARE, two(ranked)), "validation")
    assert (finding.level, finding.code) == ("warning", "class-never-predicted")
    assert "'1'" in finding.message
    assert "5 of the validation rows" in finding.message


def test_a_class_that_is_predicted_or_absent_is_not_named() -> None:
    assert codes(classes_card(RARE, two(np.where(RARE == 1, 0.7, 0.01)))) == []
    P = np.column_stack([two(np.where(RARE == 1, 0.7, 0.01)), np.zeros(N)])
    assert codes(classes_card(RARE, P)) == []
    assert codes(None) == []


def test_many_classes_are_one_warning() -> None:
    y = np.arange(N) % 40
    P = np.full((N, 40), 0.6 / 39)
    P[:, 0] = 0.4
    (finding, *_) = check_scores(classes_card(y, P), "training")
    assert "39 classes" in finding.message
    assert finding.message.count("'") == 6


@pytest.mark.parametrize(("worse", "result"), [(True, ["no-better-than-baseline"]), (False, [])])
def test_a_classifier_worse_than_the_class_shares_is_found(worse: bool, result: list[str]) -> None:
    y = np.arange(N) % 2
    right = np.where(np.arange(N) % 3 == 0, 0.4 if worse else 0.8, 0.6)
    p = np.where(y == 1, right, 1 - right)
    assert codes(classes_card(y, two(1 - p if worse else p))) == result


def test_overconfidence_alone_is_no_alarm() -> None:
    """A log loss above that of the baseline, with far more rows right, is better than the baseline."""
    y = np.arange(N) % 2
    p = np.where(y == 1, 1.0, 0.0)
    p[:10] = 1 - p[:10]
    assert codes(classes_card(y, two(p))) == []


def test_an_accuracy_that_is_clearly_worse_is_found_unless_another_score_is_clearly_better() -> None:
    """The probabilities are a little better than the class shares, and half of the rows have the wrong class."""
    y = (np.arange(N) % 20 >= 13).astype(np.int64)
    P = two(np.where(np.arange(N) % 20 >= 8, 0.52, 0.2))
    target = ClassificationTarget(name="t", labels=("no", "yes"))
    rows = ScoredRows(Predictions(target, P), baseline_of(target, y), y, None, CrossEntropyLoss())
    card = validation_card(rows, 0, optimistic=False)
    assert card.intervals is not None
    intervals = card.intervals
    unclear = {"log_loss": ConfidenceInterval(-0.1, 0.2)}
    worse = {"accuracy": ConfidenceInterval(-0.2, -0.1)}
    better = {"log_loss": ConfidenceInterval(0.1, 0.2)}

    def found(improvements: dict[str, ConfidenceInterval], cross_fitted: Scores | None = None) -> list[str]:
        scores = tuple(replace(score, improvement=improvements.get(score.name)) for score in intervals.scores)
        changed = replace(card, intervals=replace(intervals, scores=scores), cross_fitted_baseline=cross_fitted)
        return codes(changed)

    assert found(unclear | worse) == ["worse-than-baseline"]
    assert found(unclear | worse | better) == []
    assert found(unclear) == []
    right, wrong = (replace(rows, predictions=Predictions(target, two(1.0 * p))).scores for p in (y, 1 - y))
    assert found(unclear | worse, cross_fitted=right) == ["worse-than-baseline"]
    assert found(unclear | worse, cross_fitted=wrong) == []


def test_a_regression_is_compared_for_each_target() -> None:
    y = np.linspace(0.0, 1.0, N)
    card = numbers_card(y + 0.01, np.full(N, 0.5), -y, y=y)
    findings = check_scores(card, "validation")
    assert [finding.code.value for finding in findings] == ["no-better-than-baseline"] * 2
    assert [name in line for line, name in zip(lines(findings), ("'t1'", "'t2'"), strict=True)] == [True, True]


def test_infinite_and_undefined_scores_are_not_better() -> None:
    y = np.linspace(0.0, 1.0, N)
    with np.errstate(over="ignore", invalid="ignore"):
        assert codes(numbers_card(np.full(N, 1e308), y=y)) == ["no-better-than-baseline"]


@pytest.mark.parametrize(
    ("model", "baseline", "named"),
    [
        ({"integrated_brier": None, "survival_loss": None}, {"integrated_brier": None, "survival_loss": None}, None),
        ({"integrated_brier": None, "survival_loss": 0.5}, {"integrated_brier": 0.2, "survival_loss": None}, None),
        ({"integrated_brier": 0.3, "survival_loss": 0.5}, {"integrated_brier": None, "survival_loss": 0.4}, None),
        ({"integrated_brier": None, "survival_loss": 0.5}, {"integrated_brier": 0.2, "survival_loss": 0.4}, "loss 0.5"),
        ({"integrated_brier": 0.3, "survival_loss": 0.5}, {"integrated_brier": 0.2, "survival_loss": 0.4}, "brier 0.3"),
    ],
)
def test_no_verdict_is_about_a_score_that_is_unknown(
    model: dict[str, float | None], baseline: dict[str, float | None], named: str | None
) -> None:
    of_model, of_baseline = SurvivalScores(tuple(model.items())), SurvivalScores(tuple(baseline.items()))
    findings = check_scores(ScoreCard(N, (of_model,), (of_baseline,)), "validation")
    note = no_better_note((of_model,), (of_baseline,), N)
    assert [named in finding.message for finding in findings if named] == [True] * (named is not None)
    assert (len(findings), note is None) == ((0, True) if named is None else (1, False))
    assert named is None or named in (note or "")
