"""The loop of a search as `nncli tune` has it, without workers and directories; and plain Optuna."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, TypeAlias

from nncli.config.schema.tune import SamplerName
from nncli.nn.arrays import Floats
from nncli.tuning.sampler import Sampler
from nncli.tuning.search import is_worse
from nncli.tuning.space.space import ChoiceDomain, Parameter, ParameterValue, SearchSpace, Values

if TYPE_CHECKING:
    from optuna.trial import Trial as OptunaTrial


@dataclass(frozen=True)
class Trained:
    """A trial that was trained on some folds: its score after each, the losses of their rows, and seconds of each."""

    scores: tuple[float, ...]
    losses: tuple[Floats, ...]
    seconds: tuple[float, ...]

    def first(self, folds: int) -> Trained:
        """What was known after so many folds."""
        return Trained(self.scores[:folds], self.losses[:folds], self.seconds[:folds])


Stop: TypeAlias = Callable[[Trained], bool]
"""Whether a trial ends after the folds that it was trained on."""


class Objective(Protocol):
    """What is searched."""

    @property
    def space(self) -> SearchSpace:
        """The search space."""

    @property
    def folds(self) -> int:
        """The number of folds."""

    def trained(self, values: Values, stop: Stop) -> Trained | None:
        """The trial with these values, or the configuration itself without any; None if it fails."""

    def loss(self, score: float) -> float:
        """What is minimized."""


@dataclass(frozen=True)
class Ended:
    """A trial of a search, and the loss that the sampler got; None if it failed."""

    trained: Trained | None
    loss: float | None
    is_pruned: bool = False

    @property
    def seconds(self) -> float:
        """The seconds of the folds that it was trained on."""
        return 0.0 if self.trained is None else sum(self.trained.seconds)


def best_so_far(ended: Sequence[Ended]) -> list[float]:
    """The best loss of the complete trials up to each."""
    losses = (math.inf if item.loss is None or item.is_pruned else item.loss for item in ended)
    return list(accumulate(losses, min))


def search(
    objective: Objective, sampler: SamplerName, seed: int, n: int, *, lag: int, prune: bool = False
) -> list[Ended]:
    """The trials 0 to n of a search."""
    space = objective.space
    proposals = Sampler(space, sampler, seed, lag, space.base_values())
    ended: list[Ended] = []
    for t in range(n + 1):
        earlier = ended[: max(0, t - lag + 1)]
        values: Values | None = {} if t == 0 else proposals.propose([item.loss for item in earlier])
        if values is None:
            break
        ended.append(_train(objective, values, earlier if prune else [], [seed, t]))
    return ended


def _train(objective: Objective, values: Values, earlier: Sequence[Ended], seed: Sequence[int]) -> Ended:
    """Train a trial, which is pruned by the best of the known ones."""
    complete = [(item.loss, item.trained) for item in earlier if item.loss is not None and not item.is_pruned]
    rival = min(complete, key=lambda item: item[0], default=(0.0, None))[1]

    def stop(trained: Trained) -> bool:
        folds = len(trained.scores)
        return rival is not None and is_worse(trained.losses, rival.losses[:folds], [*seed, folds])

    trained = objective.trained(values, stop)
    if trained is None:
        return Ended(None, None)
    folds = len(trained.scores)
    if folds == objective.folds or rival is None:
        return Ended(trained, objective.loss(trained.scores[-1]))
    estimate = rival.scores[-1] + trained.scores[-1] - rival.scores[folds - 1]
    return Ended(trained, objective.loss(estimate), is_pruned=True)


def plain_optuna(objective: Objective, seed: int, n: int) -> list[Ended]:
    """Trial 0 and n trials of `study.optimize` with Optuna's TPESampler as it comes, one after another."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ended: list[Ended] = []

    def run(trial: OptunaTrial) -> float:
        values: dict[str, ParameterValue] = {}
        for parameter in objective.space.parameters:
            if parameter.is_active(values):
                values[parameter.name] = _suggest(trial, parameter)
        ended.append(_train(objective, values, [], [seed]))
        loss = ended[-1].loss
        return math.nan if loss is None else loss

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    start = objective.space.base_values()
    if start is not None:
        study.enqueue_trial(dict(start))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.optimize(run, n_trials=n + 1)
    return ended


def _suggest(trial: OptunaTrial, parameter: Parameter) -> ParameterValue:
    domain = parameter.domain
    if isinstance(domain, ChoiceDomain):
        return int(trial.suggest_categorical(parameter.name, list(domain.values)))
    if domain.is_int:
        step = int(domain.step or 1)
        return trial.suggest_int(parameter.name, int(domain.low), int(domain.high), step=step, log=domain.is_log)
    low, high = float(domain.low), float(domain.high)
    return trial.suggest_float(parameter.name, low, high, step=domain.step, log=domain.is_log)
