"""The state of a training: streams that share no draw, and a fresh start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.nn.layers import Dense, Dropout
from nncli.nn.network import Network
from nncli.nn.normalization import BatchNorm
from nncli.nn.optimizers import Adam, Optimizer, OptimizerBase
from nncli.nn.schedules import Plateau
from nncli.training.state import State, Streams
from nncli.training.stopping import Watch
from tests.unions import members, tag

NETWORK = Network(features=3, layers=(Dense(units=4), BatchNorm(), Dropout(rate=0.5)), outputs=2)
NAMES = ("split", "init", "shuffle", "dropout")


def draws(streams: Streams) -> dict[str, list[float]]:
    return {name: getattr(streams, name).random(100).tolist() for name in NAMES}


def test_the_same_seed_gives_the_same_streams() -> None:
    assert draws(Streams.of(7)) == draws(Streams.of(7))


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_streams_and_seeds_share_no_draw(seed: int) -> None:
    found = [v for s in (seed, seed + 1) for values in draws(Streams.of(s)).values() for v in values]
    assert len(set(found)) == len(found) == 2 * len(NAMES) * 100


@pytest.mark.parametrize("greedy", NAMES)
def test_who_draws_more_from_one_stream_shifts_none_of_the_others(greedy: str) -> None:
    plain, other = Streams.of(3), Streams.of(3)
    getattr(other, greedy).random(12_345)
    expected, found = draws(plain), draws(other)
    for name in NAMES:
        assert (found[name] == expected[name]) == (name != greedy)


def test_streams_are_uncorrelated() -> None:
    streams = Streams.of(0)
    table = np.array([getattr(streams, name).normal(size=20_000) for name in NAMES])
    off_diagonal = np.corrcoef(table) - np.eye(len(NAMES))
    assert float(np.abs(off_diagonal).max()) < 4.5 / 20_000**0.5


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
def test_a_fresh_state_has_taken_no_step(optimizer: OptimizerBase) -> None:
    state = State.fresh(NETWORK, optimizer, Streams.of(0))
    assert (state.step, state.epoch) == (0, 0)
    assert state.watch == Watch()
    assert state.plateau == Plateau()
    assert set(state.moments) == set(optimizer.moments)
    assert all((m == 0).all() and m.shape == state.parameters.theta.shape for m in state.moments.values())


def test_a_fresh_state_draws_its_weights_from_the_init_stream_alone() -> None:
    streams, untouched = Streams.of(5), Streams.of(5)
    state = State.fresh(NETWORK, Adam(), streams)
    expected = NETWORK.initialise(untouched.init)
    assert state.parameters.theta.tobytes() == expected.theta.tobytes()
    for name in NAMES:
        found: Any = getattr(streams, name).bit_generator.state
        assert found == getattr(untouched, name).bit_generator.state


def test_the_best_weights_start_as_a_copy_of_the_present_ones() -> None:
    state = State.fresh(NETWORK, Adam(), Streams.of(5))
    np.testing.assert_array_equal(state.best.theta, state.parameters.theta)
    np.testing.assert_array_equal(state.best.statistics, state.parameters.statistics)
    state.parameters.theta[...] = 9.0
    state.parameters.statistics[...] = 9.0
    assert not (state.best.theta == 9.0).any()
    assert not (state.best.statistics == 9.0).any()
