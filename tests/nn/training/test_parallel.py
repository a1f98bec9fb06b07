"""A batch in parts: the loss and gradient of the whole, the same bits on any number of threads, its own randomness.

`close` is what another order of summing may change in float64; a step in float32 differs in its last bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.fitting.prepare.execution import choose_threads
from nncli.nn.arrays import Array
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import CrossEntropyLoss, LossBase, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam, AdamW, Lion, Optimizer, OptimizerBase, Sgd
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.training import loop
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import DivergedError, LoopSignal, RunBatches, bind_batch_runner
from nncli.nn.training.loop import CheckpointDue, EpochReport, fit
from nncli.nn.training.parallel import (
    WorkerThreads,
    bind_optimizer_shard,
    gradient_replicas,
    run_in_parallel,
    split_evenly,
    sum_gradients,
)
from nncli.nn.training.state import RandomStreams, TrainState
from nncli.nn.training.step import L1L2Penalty, bind_gradient
from nncli.run_directory.checkpoints import load_checkpoint, save_checkpoint
from tests.nn.training.test_step import LARGEST, example_rows, peak_of
from tests.unions import members, plain_losses, tag

ROWS = 50
LAYERS: dict[str, list[Any]] = {
    "no_layers": [],
    "dense": [6, {"type": "dense", "units": 5, "activation": "tanh", "bias": False}],
    "layer_norm": [6, "layer_norm"],
    "activation": [6, {"type": "activation", "activation": "silu"}],
    "residual": [6, {"type": "residual", "layers": [4, 6, "layer_norm"]}],
    "dropout": [8, {"type": "dropout", "rate": 0.3}],
    "scheduled_dropout": [8, {"type": "dropout", "rate": 0.3, "schedule": "flat_cosine"}],
}
SILENT = [name for name in LAYERS if "dropout" not in name]
"""Networks that draw nothing while they train."""
EXTRAS = {"plain": {}, "penalty": {"l1": 1e-3, "l2": 1e-2}, "clip": {"clip_norm": 0.05}}


def network_of(name: str, *, precision: str = "float64", outputs: int = 3, embedded: bool = False) -> Network:
    embeddings = (Embedding(name="a", n_embeddings=5, width=2),) if embedded else ()
    parts = {"n_features": 4, "layers": LAYERS[name], "n_outputs": outputs, "precision": precision}
    return Network.model_validate({**parts, "embeddings": embeddings})


def arguments_of(network: Network, loss: LossBase | None = None, **options: Any) -> TrainingArguments:
    settings: dict[str, Any] = {"batch_size": 16, "epochs": 3, "optimizer": Adam()} | options
    return TrainingArguments(
        network=network, loss=loss or CrossEntropyLoss(), schedule=ConstantRate(peak=0.01), **settings
    )


def fresh(arguments: TrainingArguments) -> TrainState:
    return TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(1), arguments.n_shards)


def trained(
    arguments: TrainingArguments, *, weighted: bool = False, rows: int = ROWS
) -> tuple[TrainState, list[EpochReport]]:
    state = fresh(arguments)
    events = fit(arguments, state, example_rows(arguments.network, arguments.loss, rows, weighted=weighted))
    return state, [replace(event, seconds=0.0) for event in events if isinstance(event, EpochReport)]


# --- the sum of the parts


@given(size=st.integers(0, 1000), parts=st.integers(1, 20), multiple=st.sampled_from([1, 8, 16]))
def test_spans_cover_all_in_order_and_are_nearly_equal(size: int, parts: int, multiple: int) -> None:
    result = split_evenly(size, parts, multiple)
    assert [i for span in result for i in range(span.start, span.stop)] == list(range(size))
    assert all(span.start % multiple == 0 for span in result)
    lengths = [span.stop - span.start for span in result]
    assert len(result) == max(1, min(parts, -(-size // multiple)))
    assert max(lengths) - min(lengths) < 2 * multiple


def learned(network: Network, loss: LossBase, dataset: Dataset, parts: int, threads: int) -> tuple[float, Array]:
    """The loss of one batch of all rows, and its gradient."""
    parameters = network.initialize(np.random.default_rng(2))
    shares, n = gradient_replicas(parameters, parts), len(dataset)
    batches = Batches(dataset, n, np.random.default_rng(3))
    batches.shuffle()
    gradients = [
        bind_gradient(
            network, shares[i], loss, batches, span, n, training=TrainingContext(np.random.default_rng(4 + i))
        )
        for i, span in enumerate(split_evenly(n, parts))
    ]
    with WorkerThreads(threads) as crew:
        gradient = sum_gradients(gradients, shares, crew)
        gradient(0)
        return gradient(0), parameters.grad.copy()


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("embedded", [False, True], ids=["numbers", "embedded"])
@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_add_up_to_the_batch(name: str, embedded: bool, weighted: bool, parts: int) -> None:
    network = network_of(name, embedded=embedded)
    dataset = example_rows(network, CrossEntropyLoss(), ROWS, weighted=weighted)
    value, grad = learned(network, CrossEntropyLoss(), dataset, 1, 1)
    result, in_parts = learned(network, CrossEntropyLoss(), dataset, parts, 2)
    assert result == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(in_parts, grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", [pytest.param(cls(), id=tag(cls)) for cls in plain_losses()])
def test_the_parts_of_any_loss_add_up(loss: LossBase, outputs: int) -> None:
    network = network_of("dense", outputs=max(1, loss.outputs(outputs)))
    dataset = example_rows(network, loss, ROWS, weighted=True)
    value, grad = learned(network, loss, dataset, 1, 1)
    result, in_parts = learned(network, loss, dataset, 3, 2)
    assert result == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(in_parts, grad, rtol=1e-10, atol=1e-14)


FACTORS = {
    "weight": {"learning_rate_multiplier": 2.0},
    "embedding": {"weight_decay_multiplier": 0.5},
    "bias": {"learning_rate_multiplier": 0.1},
    "scale": {"weight_decay_multiplier": 3.0},
}
IN_GROUPS = [cls.model_validate({"param_groups": FACTORS, "weight_decay": 0.1}) for cls in (AdamW, Lion)]


@pytest.mark.parametrize("optimizer", [*(cls() for cls in members(Optimizer)), *IN_GROUPS], ids=repr)
@pytest.mark.parametrize("parts", [2, 3, 7])
def test_an_optimizer_moves_the_parts_of_theta_as_the_whole(optimizer: OptimizerBase, parts: int) -> None:
    network = network_of("residual", embedded=True)
    after = []
    for count in (1, parts):
        state, rng = TrainState.create(network, optimizer, RandomStreams.of(0)), np.random.default_rng(1)
        parameters = state.parameters
        with WorkerThreads(2) as crew:
            bound = [
                bind_optimizer_shard(optimizer.bind, state, span) for span in split_evenly(parameters.theta.size, count)
            ]
            step = run_in_parallel(bound, crew)
            for t in range(1, 6):
                parameters.grad[...] = rng.normal(size=parameters.grad.size)
                step(0.01, t)
        after.append([parameters.theta.tobytes(), *(moment.tobytes() for moment in state.moments.values())])
    assert after[0] == after[1]


@pytest.mark.parametrize("parts", [1, 3])
def test_a_step_ends_within_the_bounds_of_theta(parts: int) -> None:
    network, optimizer = network_of("residual", embedded=True), Adam()
    state = TrainState.create(network, optimizer, RandomStreams.of(0))
    parameters, rng = state.parameters, np.random.default_rng(1)
    size = parameters.theta.size
    low, high = np.full(size, -0.01, np.float32), np.full(size, 0.02, np.float32)
    steps = [bind_optimizer_shard(optimizer.bind, state, span, (low, high)) for span in split_evenly(size, parts)]
    parameters.grad[...] = rng.normal(size=size)
    for t in range(1, 4):
        for step in steps:
            step(0.1, t)
    assert parameters.theta.min() == low[0]
    assert parameters.theta.max() == high[0]


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("extras", [pytest.param(e, id=name) for name, e in EXTRAS.items()])
@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("parts", [2, 3])
def test_a_training_in_parts_is_that_of_the_whole(name: str, extras: Any, weighted: bool, parts: int) -> None:
    arguments = arguments_of(network_of(name), optimizer=AdamW(weight_decay=0.1), **extras)
    whole, reports = trained(arguments, weighted=weighted)
    state, result = trained(replace(arguments, n_shards=parts), weighted=weighted)
    np.testing.assert_allclose(state.parameters.theta, whole.parameters.theta, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose([r.loss for r in result], [r.loss for r in reports], rtol=1e-10)
    np.testing.assert_allclose([r.penalty for r in result], [r.penalty for r in reports], rtol=1e-10)


@pytest.mark.parametrize("optimizer", IN_GROUPS, ids=repr)
@pytest.mark.parametrize("parts", [2, 3])
def test_what_changes_with_progress_does_so_in_every_part(optimizer: OptimizerBase, parts: int) -> None:
    arguments = arguments_of(
        network_of("layer_norm"), optimizer=optimizer.model_copy(update={"decay_schedule": "flat_cosine"})
    )
    whole, reports = trained(arguments)
    state, result = trained(replace(arguments, n_shards=parts))
    np.testing.assert_allclose(state.parameters.theta, whole.parameters.theta, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose([r.loss for r in result], [r.loss for r in reports], rtol=1e-10)
    constant, _ = trained(replace(arguments, optimizer=optimizer))
    assert not np.allclose(constant.parameters.theta, whole.parameters.theta, rtol=1e-5)


@pytest.mark.parametrize(("rows", "batch"), [(1, 1), (2, 2), (17, 16), (9, 2), (5, 64)])
def test_a_batch_of_fewer_rows_than_parts_is_worked_in_fewer(rows: int, batch: int) -> None:
    arguments = arguments_of(network_of("dense"), MSELoss(), optimizer=Sgd(momentum=0.9), batch_size=batch)
    whole, reports = trained(arguments, rows=rows)
    state, result = trained(replace(arguments, n_shards=3), rows=rows)
    np.testing.assert_allclose(state.parameters.theta, whole.parameters.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([r.loss for r in result], [r.loss for r in reports], rtol=1e-10)


@pytest.mark.parametrize("layers", [["batch_norm"], [6, {"type": "residual", "layers": ["batch_norm"]}]])
@pytest.mark.parametrize("wanted", ["auto", 1, 4])
def test_a_network_that_couples_rows_gets_one_part(layers: Any, wanted: Any) -> None:
    network = Network.model_validate({"n_features": 4, "layers": layers, "n_outputs": 1})
    assert choose_threads(wanted, network, 1 << 22).n_shards == 1


# --- the same bits on any number of threads


def bits(state: TrainState) -> Any:
    snapshot = state.snapshot()
    return snapshot.metadata, {name: array.tobytes() for name, array in snapshot.arrays.items()}


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_the_bits_do_not_depend_on_the_number_of_threads(
    name: str, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_of(
        network_of(name, precision="float32", embedded=True), n_shards=parts, l2=1e-3, clip_norm=1.0
    )
    result = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(loop, "available_cpus", lambda threads=threads: threads)
        state, reports = trained(arguments, weighted=True)
        result.append((bits(state), reports))
    assert result[0] == result[1] == result[2]


# --- dropout


def test_each_part_has_a_dropout_stream_of_its_own() -> None:
    streams = RandomStreams.of(5).in_parts(4)
    assert len(streams.extra_dropout) == 3
    draws = [value for rng in (streams.dropout, *streams.extra_dropout) for value in rng.random(100).tolist()]
    others = [value for rng in (streams.split, streams.init, streams.shuffle) for value in rng.random(100).tolist()]
    assert len({*draws, *others}) == 700


def test_the_streams_of_the_parts_follow_from_the_seed_and_leave_the_first_part_its_own() -> None:
    first, again, other = (RandomStreams.of(seed).in_parts(3) for seed in (5, 5, 6))
    assert [g.random() for g in first.extra_dropout] == [g.random() for g in again.extra_dropout]
    assert [g.random() for g in first.extra_dropout] != [g.random() for g in other.extra_dropout]
    assert first.dropout.random() == RandomStreams.of(5).dropout.random()


def test_the_parts_of_a_batch_of_equal_rows_are_silenced_differently() -> None:
    network = network_of("dropout", outputs=1)
    same = Dataset(np.ones((ROWS, 4)), np.empty((ROWS, 0), np.int64), np.ones((ROWS, 1)), None)
    seen = {learned(network, MSELoss(), same, parts, 1)[0] for parts in (1, 2, 3)}
    assert len(seen) == 3


def paused_at(arguments: TrainingArguments, dataset: Dataset, at: int) -> TrainState:
    state = fresh(arguments)
    for event in fit(
        arguments, state, dataset, after_batch=lambda step: LoopSignal.STOP if step == at else LoopSignal.CONTINUE
    ):
        assert isinstance(event, EpochReport | CheckpointDue)
    return state


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("at", [1, 3, 4, 6])
@pytest.mark.parametrize("name", ["dropout", "scheduled_dropout"])
def test_a_checkpoint_in_the_midst_of_an_epoch_goes_on_to_the_same_bits(
    tmp_path: Path, name: str, parts: int, at: int
) -> None:
    arguments = arguments_of(network_of(name, precision="float32"), n_shards=parts)
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    whole, _ = trained(arguments)
    save_checkpoint(tmp_path, paused_at(arguments, dataset, at), [], owner="me", keep=1)
    state = fresh(arguments)
    load_checkpoint(tmp_path, state, owner="me")
    assert state.step == at
    list(fit(arguments, state, dataset))
    assert bits(state) == bits(whole)


def test_a_state_of_another_number_of_parts_is_refused() -> None:
    arguments = arguments_of(network_of("dropout"), n_shards=2)
    snapshot = fresh(arguments).snapshot()
    for parts in (1, 3):
        with pytest.raises(ValueError, match=r"zip\(\)"):
            fresh(replace(arguments, n_shards=parts)).restore(snapshot)


def test_a_training_that_goes_back_gives_each_part_its_stream_as_it_was() -> None:
    network = network_of("dropout", precision="float32", outputs=1)
    arguments = replace(
        arguments_of(network, MSELoss(), optimizer=Sgd(), n_shards=2, epochs=4, rollback_on_divergence=True),
        clip_norm=None,
    )
    wild = replace(arguments, schedule=ConstantRate(peak=1e4))
    again = [trained(wild)[0] for _ in range(2)]
    assert again[0].learning_rate_factor < 1.0
    assert bits(again[0]) == bits(again[1])


# --- what diverges


@pytest.mark.parametrize("row", [0, 20, 49])
def test_a_nan_in_any_part_stops_at_its_step_with_the_words_of_one_part(row: int) -> None:
    said = set()
    for parts in (1, 2, 3):
        arguments = arguments_of(network_of("dense", precision="float32"), MSELoss(), n_shards=parts)
        dataset = example_rows(arguments.network, arguments.loss, ROWS)
        dataset.X[row, 1] = np.nan
        with pytest.raises(DivergedError) as caught:
            list(fit(arguments, fresh(arguments), dataset))
        said.add(str(caught.value))
    assert len(said) == 1


def test_numbers_that_overflow_in_a_part_are_met_without_a_warning() -> None:
    arguments = arguments_of(network_of("dense", precision="float32"), MSELoss(), n_shards=2)
    dataset = example_rows(arguments.network, arguments.loss, ROWS)
    dataset.y[...] = 1e30
    with pytest.raises(DivergedError, match="the loss became"):
        list(fit(arguments, fresh(arguments), dataset))


# --- nothing is allocated

AHEAD = 2 * 1024
"""Bytes of the crew's own small objects, lists of tasks and queue entries, above what one part may pass around."""


def advances(arguments: TrainingArguments) -> Iterator[RunBatches]:
    with WorkerThreads(arguments.n_shards) as crew:
        state, rows = fresh(arguments), 2 * arguments.batch_size
        batches = Batches(
            example_rows(arguments.network, arguments.loss, rows, weighted=True),
            arguments.batch_size,
            state.streams.shuffle,
        )
        batches.shuffle()
        penalty = (
            L1L2Penalty(state.parameters, l1=arguments.l1, l2=arguments.l2) if arguments.l1 or arguments.l2 else None
        )
        yield bind_batch_runner(arguments, state, batches, penalty, crew)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("extras", [pytest.param(e, id=key) for key, e in EXTRAS.items()])
def test_a_step_in_parts_allocates_nothing(name: str, extras: Any) -> None:
    arguments = arguments_of(network_of(name, precision="float32"), batch_size=4096, n_shards=2, **extras)
    for advance in advances(arguments):

        def step(i: int, rate: float, t: int, advance: RunBatches = advance) -> float:
            return advance(1).losses[0]

        assert peak_of(step) < LARGEST + AHEAD
