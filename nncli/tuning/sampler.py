"""Optuna's samplers as a function: the proposal for a trial from its number and the results of trials before it.

A proposal depends on the seed, the number of the trial, and the results of the trials that are at least `lag` before
it, never on the order in which trials end. The study that Optuna sees is built in the order of the trials: when trial t
is asked for, trials up to t - lag have been told, and those between are running.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast, get_args

import numpy as np

from nncli.base import plugins
from nncli.base.errors import RunError, UsageError, extra_required
from nncli.base.plugins import NamedPart
from nncli.config.schema.tune import SamplerName
from nncli.tuning.space.space import Domain, NumberDomain, ParameterValue, SearchSpace, Values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

MAX_ATTEMPTS = 20
"""How often a trial is proposed again if an earlier one had the same values."""
RANDOM_TRIALS, LEAST_RESULTS = 10, 4
"""Trials up to which TPE chooses at random, trial 0 included, whatever the lag; and results that it needs to go on."""
_REQUIRED: Mapping[SamplerName, tuple[tuple[str, ...], str]] = {
    "gp": (("torch", "scipy"), "torch scipy"),
    "cmaes": (("cmaes",), "cmaes"),
}
"""The modules that samplers of Optuna import, and the packages that hold them."""
ValuesKey: TypeAlias = tuple[tuple[str, ParameterValue], ...]


@dataclass(frozen=True)
class SamplerKind(NamedPart):
    """A sampler of Optuna for `sampler`: `make` gives it from a seed."""

    plugin_kind: ClassVar[str] = "samplers"
    built_in: ClassVar[frozenset[str]] = frozenset(get_args(SamplerName))

    name: str
    make: Callable[[int], BaseSampler]


class Sampler:
    """Proposes the values of trial 1, 2 and so on. `lag` and `seed` are those of the search.

    Trial 0 is the configuration itself; it counts as a result if its values are in the space (`start`).

    Raises:
        UsageError: Optuna, or what its sampler needs, is not installed, or the sampler does not fit the space.
    """

    def __init__(self, space: SearchSpace, name: SamplerName, seed: int, lag: int, start: Values | None = None) -> None:
        self._space, self._name, self._seed, self._lag = space, name, seed, lag
        self._make = _sampler_factory(name, space, lag)
        self._distributions = {p.name: distribution_of(p.domain) for p in space.parameters}
        self._combinations = iter(()) if space.size is None else space.combinations()
        self._proposed: set[ValuesKey] = set()
        with without_logs():
            import optuna

            self._study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
        self._numbers: list[int | None] = []  # of each trial in the study
        self._n_results = 0
        self._worst = -math.inf
        self._add(start)

    def propose(self, losses: Sequence[float | None]) -> Values | None:
        """The values for the next trial, unrounded; None if every combination has been tried.

        `losses` are those of all trials in order, up to `lag` before the next one; None is a trial that failed.
        """
        t = len(self._numbers)
        self._tell(losses[: max(0, t - self._lag + 1)])
        if self._name == "grid":
            return self._add(self._next_combination())
        for attempt in range(MAX_ATTEMPTS):
            with without_logs():
                self._study.sampler = self._make(self._seed_of(t, attempt))
                trial = self._study.ask()
                values = self._suggest(trial)
            if self._name == "cmaes":  # it keeps its state with the trials that it was asked for
                self._numbers.append(trial.number)
                return values
            self._reject(trial)  # Optuna notes more with it than values, which a restored study could not know
            if self._is_new(values):
                return self._add(values)
        return self._add(values if self._space.size is None else self._next_combination())

    def restore(self, values: Values, losses: Sequence[float | None]) -> None:
        """Take the next trial as proposed before, when `losses` were known.

        Raises:
            RunError: CMA-ES, whose state are its proposals, proposes something else.
        """
        if self._name != "cmaes":
            self._tell(losses[: max(0, len(self._numbers) - self._lag + 1)])
            self._add(values)
        elif self.propose(losses) != values:
            raise RunError(
                "this version of Optuna or cmaes proposes other values than the one that the search began with",
                hint="Install the version that is named in tune.json.",
            )

    def _add(self, values: Values | None) -> Values | None:
        """Add a running trial with these values to the study."""
        if values is None:
            self._numbers.append(None)
            return None
        from optuna.trial import TrialState, create_trial

        with without_logs():
            distributions = {name: self._distributions[name] for name in values}
            self._study.add_trial(
                create_trial(state=TrialState.RUNNING, params=dict(values), distributions=distributions)
            )
        self._numbers.append(len(self._study.get_trials(deepcopy=False)) - 1)
        self._proposed.add(self._key(values))
        return values

    def _tell(self, losses: Sequence[float | None]) -> None:
        """Tell the study the results that it does not know yet."""
        for loss, number in zip(losses[self._n_results :], self._numbers[self._n_results :], strict=False):
            self._n_results += 1
            if loss is not None:
                self._worst = max(self._worst, loss)  # losses are finite
            if number is None:
                continue
            with without_logs():  # a failed trial is as bad as the worst one, or it would be proposed again
                self._study.tell(number, self._worst if loss is None else loss)

    def _reject(self, trial: Trial) -> None:
        from optuna.trial import TrialState

        with without_logs():
            self._study.tell(trial, state=TrialState.FAIL)

    def _suggest(self, trial: Trial) -> Values:
        values: dict[str, ParameterValue] = {}
        for parameter in self._space.parameters:
            if parameter.is_active(values):
                name = parameter.name
                values[name] = _suggested(trial, name, parameter.domain)
        return MappingProxyType(values)

    def _next_combination(self) -> Values | None:
        return next((values for values in self._combinations if self._is_new(values)), None)

    def _is_new(self, values: Values) -> bool:
        return self._key(values) not in self._proposed

    def _key(self, values: Values) -> ValuesKey:
        return tuple(self._space.rounded(values).items())

    def _seed_of(self, t: int, attempt: int) -> int:
        return int(np.random.SeedSequence([self._seed, t, attempt]).generate_state(1)[0])


def _suggested(trial: Trial, name: str, domain: Domain) -> ParameterValue:
    """The value that Optuna proposes for a parameter."""
    if not isinstance(domain, NumberDomain):
        return int(trial.suggest_categorical(name, domain.values))
    if domain.is_int:
        whole = int(domain.low), int(domain.high)
        return trial.suggest_int(name, *whole, log=domain.is_log, step=int(domain.step or 1))
    return trial.suggest_float(name, float(domain.low), float(domain.high), log=domain.is_log, step=domain.step)


def distribution_of(domain: Domain) -> BaseDistribution:
    """The domain of a parameter as Optuna knows it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(domain, NumberDomain):
        return CategoricalDistribution(domain.values)
    if domain.is_int:
        return IntDistribution(int(domain.low), int(domain.high), domain.is_log, int(domain.step or 1))
    return FloatDistribution(float(domain.low), float(domain.high), domain.is_log, domain.step)


def _sampler_factory(name: SamplerName, space: SearchSpace, lag: int) -> Callable[[int], BaseSampler]:
    """A function from a seed to a sampler of Optuna."""
    with extra_required("tune", "tune needs Optuna, which is not installed"):
        import optuna
    if name == "grid" and space.size is None:
        unlisted = ", ".join(p.name for p in space.parameters if p.domain.values is None)
        raise UsageError(
            f"the sampler grid tries all values, and these ranges have no step: {unlisted}",
            hint="Give each a step or choices, or use the sampler tpe.",
        )
    required, packages = _REQUIRED.get(name, ((), ""))
    try:
        for module in required:
            import_module(module)
    except ImportError as error:
        hint = f"pip install {packages}, or use the sampler tpe."
        raise UsageError(f"the sampler {name} needs {error.name}, which is not installed", hint=hint) from error
    if name not in SamplerKind.built_in_names():
        return cast("SamplerKind", plugins.find("samplers", name)).make
    if name == "gp":
        return lambda seed: optuna.samplers.GPSampler(seed=seed)
    if name == "cmaes":
        return lambda seed: optuna.samplers.CmaEsSampler(seed=seed)
    if name == "tpe":
        results = max(LEAST_RESULTS, RANDOM_TRIALS + 1 - lag)
        return lambda seed: optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=results
        )
    return lambda seed: optuna.samplers.RandomSampler(seed=seed)


@contextmanager
def without_logs() -> Iterator[None]:
    """Keep off the terminal what Optuna logs of each trial, and that arguments of its samplers are experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
