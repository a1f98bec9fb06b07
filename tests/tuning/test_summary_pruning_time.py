"""The training time that pruning saves."""

from __future__ import annotations

from nncli.tuning.summary import time_saved
from nncli.tuning.trials import Trial

COMPLETE = Trial(number=0, values={}, state="complete", score=1.0, folds=(1.0, 1.0, 1.0, 1.0), seconds=8.0)
PRUNED = Trial(number=1, values={}, state="pruned", score=2.0, folds=(2.0,), seconds=3.0)


def test_other_folds_would_have_taken_as_long_as_those_trained() -> None:
    saved = time_saved([COMPLETE, PRUNED, Trial(number=2, values={})], 4)
    assert saved
    assert (saved.trials, saved.seconds, saved.trained) == (1, 9.0, 11.0)
    assert saved.share == 0.45


def test_without_pruned_trials_nothing_is_saved() -> None:
    assert time_saved([COMPLETE], 4) is None


def test_trainings_that_take_no_time_save_none() -> None:
    saved = time_saved([PRUNED.model_copy(update={"seconds": 0.0})], 4)
    assert saved
    assert saved.share == 0.0
