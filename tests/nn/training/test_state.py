"""The state of a training: streams that share no draw, and a fresh start."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from nncli.nn.batches.dataset import Dataset
from nncli.nn.initializers import DataDependent
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm
from nncli.nn.layers.sequential import Dropout
from nncli.nn.losses import LossBase
from nncli.nn.losses.amounts import (
    GammaLoss,
    LogNormalLoss,
    NegativeBinomialLoss,
    PoissonLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.losses.classification import ClassificationLoss, ClassLoss
from nncli.nn.losses.regression import RegressionLoss
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import Periodic
from nncli.nn.optim.optimizers import Adam, Optimizer, OptimizerBase
from nncli.nn.optim.schedules import PlateauState
from nncli.nn.training import state
from nncli.nn.training.early_stopping import BestEpoch
from nncli.nn.training.state import RandomStreams, TrainState
from tests.unions import members, tag

NETWORK = Network(n_features=3, layers=(Dense(units=4), BatchNorm(), Dropout(rate=0.5)), n_outputs=2)
NAMES = ("split", "init", "shuffle", "dropout")


def draws(streams: RandomStreams) -> dict[str, list[float]]:
    return {name: getattr(streams, name).random(100).tolist() for name in NAMES}


def test_the_same_seed_gives_the_same_streams() -> None:
    assert draws(RandomStreams.of(7)) == draws(RandomStreams.of(7))


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_streams_and_seeds_share_no_draw(seed: int) -> None:
    result = [v for s in (seed, seed + 1) for values in draws(RandomStreams.of(s)).values() for v in values]
    assert len(set(result)) == len(result) == 2 * len(NAMES) * 100


@pytest.mark.parametrize("greedy", NAMES)
def test_who_draws_more_from_one_stream_shifts_none_of_the_others(greedy: str) -> None:
    plain, other = RandomStreams.of(3), RandomStreams.of(3)
    getattr(other, greedy).random(12_345)
    expected, result = draws(plain), draws(other)
    for name in NAMES:
        assert (result[name] == expected[name]) == (name != greedy)


def test_streams_are_uncorrelated() -> None:
    streams = RandomStreams.of(0)
    table = np.array([getattr(streams, name).normal(size=20_000) for name in NAMES])
    off_diagonal = np.corrcoef(table) - np.eye(len(NAMES))
    assert float(np.abs(off_diagonal).max()) < 4.5 / 20_000**0.5


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
def test_a_fresh_state_has_taken_no_step(optimizer: OptimizerBase) -> None:
    fresh = TrainState.create(NETWORK, optimizer, RandomStreams.of(0))
    assert (fresh.step, fresh.epoch) == (0, 0)
    assert fresh.early_stopping == BestEpoch()
    assert fresh.plateau == PlateauState()
    assert set(fresh.moments) == set(optimizer.state)
    assert all((m == 0).all() and m.shape == fresh.parameters.theta.shape for m in fresh.moments.values())


def test_a_fresh_state_draws_its_weights_from_the_init_stream_alone() -> None:
    streams, untouched = RandomStreams.of(5), RandomStreams.of(5)
    fresh = TrainState.create(NETWORK, Adam(), streams)
    expected = NETWORK.initialize(untouched.init)
    assert fresh.parameters.theta.tobytes() == expected.theta.tobytes()
    for name in NAMES:
        result: Any = getattr(streams, name).bit_generator.state
        assert result == getattr(untouched, name).bit_generator.state


def test_the_best_weights_start_as_a_copy_of_the_present_ones() -> None:
    fresh = TrainState.create(NETWORK, Adam(), RandomStreams.of(5))
    np.testing.assert_array_equal(fresh.best.theta, fresh.parameters.theta)
    np.testing.assert_array_equal(fresh.best.statistics, fresh.parameters.statistics)
    fresh.parameters.theta[...] = 9.0
    fresh.parameters.statistics[...] = 9.0
    assert not (fresh.best.theta == 9.0).any()
    assert not (fresh.best.statistics == 9.0).any()


# --- first weights that follow from the data ------------------------------------------------------------------------

FOLLOWING = Network(n_features=2, layers=(Dense(units=300, init=DataDependent()),), n_outputs=1)


def examples_of(n: int) -> Dataset:
    X = np.random.default_rng(0).normal(5.0, [20.0, 30.0], (n, 2)).astype(np.float32)
    return Dataset(X, np.empty((n, 0), np.int64), np.zeros((n, 1), np.float32))


def first_weights(dataset: Dataset | None, seed: int = 0) -> Any:
    return TrainState.create(FOLLOWING, Adam(), RandomStreams.of(seed), 1, dataset).parameters.by_name[
        "layers.0.weight"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, state.MAX_INIT_ROWS, 5 * state.MAX_INIT_ROWS])
def test_first_weights_follow_from_the_examples_or_from_a_part_of_many(n: int) -> None:
    dataset = examples_of(n)
    spread = (dataset.X @ first_weights(dataset)).std(axis=0)
    rtol = 1e-4 if n <= state.MAX_INIT_ROWS else 0.05
    assert spread.max() < 1.0 + rtol
    assert np.mean(spread > 1.0 - rtol) > 0.5  # others varied far less than units with such weights do


LOSSES: list[LossBase] = [loss() for loss in get_args(RegressionLoss)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_training_starts_from_a_constant_that_no_other_one_near_beats(loss: LossBase, is_weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y = rng.poisson(3.0, (400, 1)) + 1.0
    if loss.valid_targets != "above 0":
        y -= rng.integers(0, 2, (400, 1))
    if not loss.valid_targets:
        y = (y - y.mean()) / y.std()
    counts = rng.integers(1, 4, 400).astype(np.float32) if is_weighted else None
    X = rng.normal(size=(400, 2)).astype(np.float32)
    network = Network(n_features=2, layers=FOLLOWING.layers, n_outputs=loss.outputs(1), output_init=DataDependent())
    dataset = Dataset(X, np.empty((400, 0), np.int64), y.astype(np.float32), counts)
    start = TrainState.create(network, Adam(), RandomStreams.of(0), 1, dataset, loss).parameters.by_name
    assert not start["output.weight"].any()

    def value(outputs: Any) -> float:
        Z = np.tile(np.asarray(outputs, np.float64), (400, 1))
        return loss.bind(Z, y, None if counts is None else counts.astype(np.float64)).forward()

    least = value(start["output.bias"])
    scale = abs(value(start["output.bias"] + 1.0) - least)
    for step in np.eye(loss.outputs(1)) * 0.1:
        assert value(start["output.bias"] + step) > least - 0.02 * scale
        assert value(start["output.bias"] - step) > least - 0.02 * scale


@pytest.mark.parametrize("loss", [loss() for loss in get_args(ClassLoss)], ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("classes", [2, 4])
def test_a_training_of_classes_starts_from_their_shares(loss: ClassificationLoss, classes: int) -> None:
    y = np.random.default_rng(0).integers(0, classes, 400) ** 2 // classes
    k = loss.outputs(classes)
    network = Network(n_features=2, layers=FOLLOWING.layers, n_outputs=k, output_init=DataDependent())
    X = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    y[:classes] = range(classes)
    dataset = Dataset(X, np.empty((400, 0), np.int64), y)
    start = TrainState.create(network, Adam(), RandomStreams.of(0), 1, dataset, loss).parameters.by_name
    P = loss.inverse_link(start["output.bias"][None])
    np.testing.assert_allclose(P[0], (np.bincount(y) + 1.0) / (400 + classes), rtol=1e-5)


def test_an_offset_is_part_of_the_constant_from_which_a_training_starts() -> None:
    rng = np.random.default_rng(0)
    e = rng.uniform(0.1, 10.0, 20_000)
    o = np.log(e).astype(np.float32)
    for loss, y in (
        (PoissonLoss(), rng.poisson(2.0 * e)),
        (GammaLoss(), 2.0 * e * rng.gamma(2.0, 0.5, len(e))),
        (LogNormalLoss(), 2.0 * e * np.exp(0.5 * rng.normal(size=len(e)) - 0.125)),
        (NegativeBinomialLoss(), rng.poisson(2.0 * e * rng.gamma(2.0, 0.5, len(e)))),
        (ZeroInflatedPoissonLoss(), rng.poisson(2.0 * e / 0.7) * (rng.uniform(size=len(e)) > 0.3)),
        (TweedieLoss(power=1.5), rng.poisson(2.0 * e)),
    ):
        start = loss.initial_outputs(y[:, None].astype(np.float32), None, o)
        assert float(loss.inverse_link(start[None])[0, 0]) == pytest.approx(2.0, rel=0.05), loss.type


def test_first_weights_are_the_same_for_the_same_seed_and_stay_as_drawn_without_examples() -> None:
    dataset = examples_of(2 * state.MAX_INIT_ROWS)
    assert first_weights(dataset).tobytes() == first_weights(dataset).tobytes()
    assert first_weights(dataset).tobytes() != first_weights(dataset, seed=1).tobytes()
    drawn = FOLLOWING.initialize(RandomStreams.of(0).init).by_name["layers.0.weight"]
    assert first_weights(None).tobytes() == drawn.tobytes()


def test_where_rows_are_wide_fewer_of_them_are_looked_at() -> None:
    dense = Dense(units=state.MAX_INIT_BYTES // 4 // 100)
    wide = Network(n_features=1, layers=(dense,), n_outputs=1)
    assert len(state._init_rows(wide, 10_000, np.random.default_rng(0))) == 100
    numbers = Network(
        n_features=1, numeric_features=(0,), numeric_embedding=Periodic(frequencies=dense.units), layers=(), n_outputs=1
    )
    rows = state._init_rows(numbers, 10_000, np.random.default_rng(0))
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()


def test_where_nothing_follows_from_the_examples_nothing_more_is_drawn() -> None:
    streams, plain = RandomStreams.of(0), RandomStreams.of(0)
    dataset = Dataset(np.zeros((9, 3), np.float32), np.empty((9, 0), np.int64), np.zeros((9, 1)))
    TrainState.create(NETWORK, Adam(), streams, 1, dataset)
    TrainState.create(NETWORK, Adam(), plain)
    assert streams.init.bit_generator.state == plain.init.bit_generator.state
