"""What a trial follows from: all trials up to lag before it, and nothing of later ones."""

from __future__ import annotations

import random

import pytest

from nncli.nn.losses import MSELoss
from nncli.tuning.search_data import Objective
from nncli.tuning.trials import Trial, TrialHistory

RMSE, R2 = Objective("rmse", MSELoss()), Objective("r2", MSELoss())


def running(number: int) -> Trial:
    return Trial(number=number, values={})


def complete(number: int, score: float) -> Trial:
    return Trial(number=number, values={}, state="complete", score=score)


def history(lag: int, *trials: Trial, objective: Objective = RMSE) -> TrialHistory:
    history = TrialHistory(objective, lag)
    for trial in trials:
        history.add(trial)
    return history


def test_the_losses_that_a_trial_follows_from_are_known_once_all_of_them_are_finished() -> None:
    trials = history(2, complete(0, 3.0), running(1), complete(2, 1.0))
    assert trials.known_losses(1) == []
    assert trials.known_losses(2) == [3.0]
    assert trials.known_losses(3) is None
    trials.finish(complete(1, 2.0))
    assert trials.known_losses(3) == [3.0, 2.0]
    assert trials.known_losses(4) == [3.0, 2.0, 1.0]
    assert trials.known_losses(5) is None


def test_a_higher_score_is_a_lower_loss_where_it_is_better() -> None:
    trials = history(1, complete(0, 0.25), complete(1, 0.5), objective=R2)
    assert trials.known_losses(2) == [-0.25, -0.5]
    assert trials.best == complete(1, 0.5)


def test_a_pruned_trial_counts_with_its_estimate_and_a_failed_one_as_none() -> None:
    pruned = Trial(number=0, values={}, state="pruned", score=9.0, estimated_score=4.0)
    undefined = Trial(number=1, values={}, state="pruned")
    failed = Trial(number=2, values={}, state="failed", message="why")
    trials = history(1, pruned, undefined, failed)
    assert trials.known_losses(3) == [4.0, None, None]
    assert trials.best is None
    assert trials.incumbent(3) is None


def test_the_incumbent_of_a_trial_is_the_best_of_those_that_it_follows_from() -> None:
    trials = history(2, complete(0, 3.0), complete(1, 2.0), complete(2, 1.0), complete(3, 2.0))
    incumbents = [trials.incumbent(number) for number in range(5)]
    assert [None if incumbent is None else incumbent.number for incumbent in incumbents] == [None, None, 0, 1, 2]


def test_of_equal_trials_the_first_is_the_best_whichever_ended_first() -> None:
    trials = history(3, running(0), running(1))
    trials.finish(complete(1, 1.0))
    assert trials.best == complete(1, 1.0)
    trials.finish(complete(0, 1.0))
    assert trials.best == complete(0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_in_which_order_trials_end(seed: int) -> None:
    rng = random.Random(seed)
    trials = [complete(number, float(rng.randint(0, 9))) for number in range(30)]
    in_order, shuffled = history(4, *trials), history(4, *map(running, range(30)))
    for trial in rng.sample(trials, 30):
        shuffled.finish(trial)
    assert shuffled.best == in_order.best
    for number in range(34):
        assert shuffled.incumbent(number) == in_order.incumbent(number)
        assert shuffled.known_losses(number) == in_order.known_losses(number)


def test_the_incumbents_of_later_trials_are_kept_also_of_some_that_are_not_proposed() -> None:
    trials = history(2, complete(0, 3.0), complete(1, 2.0), running(2), complete(3, 1.0))
    assert trials.incumbents_from(2) == {0, 1, 3}
    assert trials.incumbents_from(3) == {1, 3}
