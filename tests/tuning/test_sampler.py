"""Proposals are a function of the seed, the number of the trial, and the results of trials up to lag before it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

from nncli.base.errors import RunError, UsageError
from nncli.config.schema.tune import SamplerName
from nncli.tuning.sampler import Sampler
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.space import ParameterValue, SearchSpace, Values
from tests.assertions import raises
from tests.tuning.searches import NUMBERS, loaded

pytest.importorskip("optuna")
CONDITIONAL = """
tune:
  search:
    learning_rate: {from: 1e-4, to: 1.0, scale: log}
    batch_size: {from: 16, to: 64}
    optimizer: {choices: [{type: sgd, momentum: {from: 0.5, to: 0.99}}, adam, rmsprop]}
"""
SMALL = """
tune:
  search:
    batch_size: {choices: [8, 16, 32]}
    optimizer: {choices: [{type: sgd, momentum: {choices: [0.5, 0.9]}}, adam]}
"""
RANGES = "tune: {search: {learning_rate: {from: 1e-4, to: 1.0, scale: log}, epochs: {from: 1, to: 90}}}"
LAG = 3


@pytest.fixture
def conditional(tmp_path: Path) -> SearchSpace:
    return space_of(tmp_path, CONDITIONAL)


def space_of(folder: Path, text: str) -> SearchSpace:
    config = loaded(folder, NUMBERS + text)
    assert config.tune is not None
    return build_space(config, config.tune)


def loss_of(values: Values) -> float | None:
    """A made loss; trials with a high learning rate fail."""
    rate = float(values.get("learning_rate", 0.1))
    return None if rate > 0.5 else abs(rate - 0.01) + 0.001 * float(values.get("batch_size", 0))


def proposals(space: SearchSpace, name: SamplerName, n: int, seed: int = 0, lag: int = LAG) -> list[Values]:
    """The values of trials 1 to n of a search in which each trial ends as late as it may."""
    sampler, losses, all_values = Sampler(space, name, seed, lag), [0.3], []  # type: tuple[Sampler, list[float | None], list[Values]]
    for t in range(1, n + 1):
        values = sampler.propose(losses[: max(0, t - lag + 1)])
        assert values is not None
        all_values.append(values)
        losses.append(loss_of(values))
    return all_values


def plain(values: Sequence[Values]) -> list[dict[str, ParameterValue]]:
    return [dict(value) for value in values]


NAMES: list[SamplerName] = ["tpe", "random", "cmaes"]


@pytest.mark.parametrize("name", NAMES)
def test_proposals_do_not_depend_on_results_that_came_early(conditional: SearchSpace, name: SamplerName) -> None:
    late = proposals(conditional, name, 25)
    sampler, losses = Sampler(conditional, name, 0, LAG), [0.3]  # type: tuple[Sampler, list[float | None]]
    for values in late:
        assert dict(sampler.propose(losses) or {}) == dict(values)  # all losses up to the last trial
        losses.append(loss_of(values))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("done", [1, 7, 16])
def test_a_restored_sampler_goes_on_with_the_same_proposals(
    conditional: SearchSpace, name: SamplerName, done: int
) -> None:
    expected = proposals(conditional, name, 25)
    losses = [0.3, *map(loss_of, expected)]
    sampler = Sampler(conditional, name, 0, LAG)
    for values in expected[:done]:
        sampler.restore(dict(values), losses)
    for t, values in enumerate(expected[done:], done + 1):
        assert dict(sampler.propose(losses[: max(0, t - LAG + 1)]) or {}) == dict(values)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_another_seed_or_lag_gives_other_proposals(conditional: SearchSpace, name: SamplerName) -> None:
    single = plain(proposals(conditional, name, 20))
    assert plain(proposals(conditional, name, 20, seed=1)) != single
    if name != "random":
        assert plain(proposals(conditional, name, 20, lag=1)) != single


@pytest.mark.slow
def test_the_results_of_trials_change_what_tpe_proposes(conditional: SearchSpace) -> None:
    late = [float(proposal["learning_rate"]) for proposal in proposals(conditional, "tpe", 60)[30:]]
    at_random = [float(proposal["learning_rate"]) for proposal in proposals(conditional, "random", 60)[30:]]
    assert sum(abs(rate - 0.01) < 0.01 for rate in late) > sum(abs(rate - 0.01) < 0.01 for rate in at_random)


@pytest.mark.parametrize("name", NAMES)
def test_a_conditional_parameter_has_a_value_only_where_it_is_active(
    conditional: SearchSpace, name: SamplerName
) -> None:
    for values in proposals(conditional, name, 30):
        assert (conditional.parameters[-1].name in values) == (values["optimizer"] == 0)
        assert 1e-4 <= values["learning_rate"] <= 1.0
        assert isinstance(values["batch_size"], int)


def test_the_grid_is_walked_in_order_the_last_parameter_changing_fastest(tmp_path: Path) -> None:
    space = space_of(tmp_path, "tune: {search: {batch_size: {choices: [8, 16]}, epochs: {from: 1, to: 3}}}")
    sampler = Sampler(space, "grid", 0, LAG)
    walked = [tuple((sampler.propose([]) or {}).values()) for _ in range(6)]
    assert walked == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    assert sampler.propose([]) is None


@pytest.mark.parametrize("name", ["tpe", "random", "grid"])
def test_a_small_space_is_tried_once_each_and_then_exhausted(tmp_path: Path, name: SamplerName) -> None:
    space = space_of(tmp_path, SMALL)
    sampler, seen = Sampler(space, name, 0, LAG), []
    losses: list[float | None] = [0.5]
    while (values := sampler.propose(losses)) is not None:
        seen.append(tuple(values.items()))
        losses.append(float(len(seen) % 4))
    assert len(seen) == len(set(seen)) == 9  # sgd has two variants, adam one


@pytest.mark.parametrize("name", ["tpe", "grid"])
def test_the_values_of_the_configuration_itself_are_not_proposed_again(tmp_path: Path, name: SamplerName) -> None:
    space = space_of(tmp_path, SMALL)
    start: Values = {"batch_size": 1, "optimizer": 1}
    sampler, seen = Sampler(space, name, 0, LAG, start), []
    while (values := sampler.propose([0.5])) is not None:
        seen.append(dict(values))
    assert start not in seen
    assert len(seen) == 8


def test_in_a_space_without_end_a_repeated_proposal_is_taken(tmp_path: Path) -> None:
    space = space_of(tmp_path, "tune: {search: {learning_rate: {from: 0.1, to: 0.10000000000000002}}}")
    sampler = Sampler(space, "random", 0, LAG)
    rates = [space.rounded(sampler.propose([]) or {})["learning_rate"] for _ in range(8)]
    assert set(rates) <= {0.1, 0.10000000000000002}


def test_trials_that_all_fail_give_proposals_still(conditional: SearchSpace) -> None:
    sampler = Sampler(conditional, "tpe", 0, 1)
    seen = [dict(sampler.propose([None] * t) or {}) for t in range(1, 16)]
    assert len({str(item) for item in seen}) == 15


@pytest.mark.slow
def test_a_failed_trial_counts_as_the_worst_one(conditional: SearchSpace) -> None:
    failed, worst = Sampler(conditional, "tpe", 0, 1), Sampler(conditional, "tpe", 0, 1)
    for t in range(1, 25):
        losses = [1.0, *(float(i % 5) for i in range(1, t))]
        same = [*losses]
        if t > 7:
            losses[7], same[7] = None, max(losses[:7])  # type: ignore[call-overload]
        assert failed.propose(losses) == worst.propose(same)


def test_cma_es_that_proposes_something_else_is_an_error(tmp_path: Path) -> None:
    space = space_of(tmp_path, RANGES)
    expected = proposals(space, "cmaes", 10)
    sampler = Sampler(space, "cmaes", 0, LAG)
    sampler.restore(expected[0], [])
    with raises(RunError, mentions="tune.json"):
        sampler.restore({**expected[1], "epochs": 1 + int(expected[1]["epochs"]) % 90}, [0.3])


def test_a_grid_of_ranges_without_a_step_is_refused(conditional: SearchSpace) -> None:
    with raises(UsageError, mentions="learning_rate"):
        Sampler(conditional, "grid", 0, LAG)


@pytest.mark.parametrize(("name", "module"), [("gp", "torch"), ("tpe", "optuna"), ("cmaes", "cmaes")])
def test_a_missing_package_is_named(
    conditional: SearchSpace, monkeypatch: pytest.MonkeyPatch, name: SamplerName, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with raises(UsageError, mentions="pip install"):
        Sampler(conditional, name, 0, LAG)


def test_optuna_says_nothing_and_its_verbosity_is_left_alone(
    conditional: SearchSpace, capfd: pytest.CaptureFixture[str]
) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            proposals(conditional, name, 15)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""
