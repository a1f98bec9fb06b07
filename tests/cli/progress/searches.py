"""Events of a search that was not run, for tests of what is shown of it."""

from __future__ import annotations

from pathlib import Path

from nncli.base.time_limit import TimeLimit
from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.tuning.search import RunningTrial, SearchProgress, SearchStarted, TrialFinished
from nncli.tuning.space.build_space import build_space
from nncli.tuning.trials import Trial
from tests.tuning.configs import search_config

FIRST = Trial(number=0, values={}, state="complete", score=0.5, folds=(0.5, 0.5, 0.5), seconds=3.0)
BETTER = Trial(
    number=1, values={"learning_rate": 0.02, "layers": 1}, state="complete", score=0.25, folds=(0.2, 0.3, 0.25)
)
PRUNED = Trial(
    number=2, values={"learning_rate": 0.001, "layers": 0}, state="pruned", score=0.9, estimated_score=1.1, folds=(0.9,)
)
FAILED = Trial(number=3, values={"learning_rate": 0.1, "layers": 0}, state="failed", message="the loss is not finite")
ENDED = [TrialFinished(FIRST, True), TrialFinished(BETTER, True), TrialFinished(PRUNED, False)]


def started(folder: Path, trials: int = 10, folds: int = 3, limit: TimeLimit | None = None) -> SearchStarted:
    """The start of a search for the learning rate and the layers."""
    loaded = load(search_config(folder))
    space = build_space(loaded, loaded.tune or TuneSection())
    return SearchStarted(folder / "t", trials, folds, 2, "log_loss", False, space, limit)


def progress(*trials: Trial, running: tuple[RunningTrial, ...] = (), seconds: float = 0.0) -> SearchProgress:
    """The progress with these finished trials."""
    return SearchProgress(trials, running, None, seconds)
