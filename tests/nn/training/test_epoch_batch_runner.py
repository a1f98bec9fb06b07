"""Going on through an epoch: how much is taken at a time, at what rate, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nncli.nn.batches.batches import Batches
from nncli.nn.losses import MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate, CosineRate, TrainingLength
from nncli.nn.training import epoch as module
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import COMPILED_SLICE_SECONDS, RunBatches, bind_batch_runner, learning_rate_at
from nncli.nn.training.parallel import WorkerThreads
from nncli.nn.training.state import RandomStreams, TrainState
from tests.nn.training.test_step import example_rows

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])
ROWS = 100


def bound(backend: Any, parts: int = 1, **options: Any) -> tuple[TrainingArguments, TrainState, Batches, RunBatches]:
    if backend == "numba":
        pytest.importorskip("numba")
        pytest.importorskip("scipy")
    settings = {"schedule": CosineRate(peak=0.01, warmup_steps=5), "batch_size": 1, "epochs": 3} | options
    network = Network.model_validate({"n_features": 3, "layers": [4], "n_outputs": 1})
    arguments = TrainingArguments(network, MSELoss(), Sgd(), backend=backend, n_shards=parts, **settings)  # type: ignore[arg-type]
    state = TrainState.create(network, arguments.optimizer, RandomStreams.of(0), parts)
    batches = Batches(example_rows(network, arguments.loss, ROWS), arguments.batch_size, state.streams.shuffle)
    batches.shuffle()
    return arguments, state, batches, bind_batch_runner(arguments, state, batches, None, WorkerThreads(1))


@pytest.mark.parametrize("parts", [1, 2])
@BACKENDS
def test_one_batch_at_least_is_taken_and_never_more_than_was_asked(backend: str, parts: int) -> None:
    _, state, batches, advance = bound(backend, parts)
    while state.position < batches.steps:
        most = min(7, batches.steps - state.position)
        taken = advance(most)
        assert 1 <= len(taken.losses) <= most
        assert taken.finite
        state.position += len(taken.losses)
        state.step += len(taken.losses)
    assert state.position == ROWS


def ticking(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A clock by which every stretch takes so many seconds."""
    now = [0.0]

    def perf_counter() -> float:
        now[0] += seconds
        return now[0]

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=perf_counter))


def taken(state: TrainState, advance: RunBatches, times: int) -> list[int]:
    counts = []
    for _ in range(times):
        counts.append(len(advance(ROWS - state.position).losses))
        state.position = (state.position + counts[-1]) % ROWS
        state.step += counts[-1]
    return counts


def test_stretches_grow_eightfold_while_they_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, _, advance = bound("numba")
    ticking(monkeypatch, COMPILED_SLICE_SECONDS / 1000)
    assert taken(state, advance, 3) == [1, 8, 64]


def test_stretches_that_take_too_long_shrink_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, _, advance = bound("numba")
    ticking(monkeypatch, COMPILED_SLICE_SECONDS / 20)
    assert taken(state, advance, 2) == [1, 8]
    ticking(monkeypatch, 4 * COMPILED_SLICE_SECONDS)
    assert taken(state, advance, 3)[1:] == [16, 4]
    ticking(monkeypatch, 100 * COMPILED_SLICE_SECONDS)
    assert taken(state, advance, 3)[1:] == [1, 1]


def test_a_clock_that_stands_still_or_a_compilation_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, _, advance = bound("numba")
    ticking(monkeypatch, 12.0)  # by this clock the first call takes long
    assert taken(state, advance, 1) == [1]
    ticking(monkeypatch, 0.0)
    assert taken(state, advance, 3) == [1, 8, 64]


@BACKENDS
def test_every_batch_of_a_stretch_has_the_rate_of_its_own_step(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, state, _, advance = bound(backend)
    state.learning_rate_factor = 0.5
    length = TrainingLength(3, ROWS)
    expected = [0.5 * arguments.schedule.rate(i, length, state.plateau) for i in range(20)]
    assert [learning_rate_at(arguments, state, length, i) for i in range(20)] == expected
    asked: list[int] = []
    real = learning_rate_at

    def noted(arguments: TrainingArguments, state: TrainState, length: TrainingLength, step: int) -> float:
        asked.append(step)
        return real(arguments, state, length, step)

    monkeypatch.setattr(module, "learning_rate_at", noted)
    while state.step < 20:
        count = len(advance(20 - state.step).losses)
        state.position += count
        state.step += count
    assert asked == list(range(20))


@pytest.mark.parametrize("parts", [1, 2])
@BACKENDS
@pytest.mark.parametrize("bad", [0, 1, 37])
def test_a_loss_that_is_not_finite_is_the_last_and_moves_nothing(backend: str, bad: int, parts: int) -> None:
    _, state, batches, advance = bound(backend, parts, schedule=ConstantRate(peak=0.01))
    batches.dataset.X[batches.order[bad], 0] = np.nan
    losses: list[float] = []
    while len(losses) <= bad:
        before = state.parameters.theta.copy()
        losses += advance(ROWS - state.position).losses
        state.position = state.step = len(losses)
    assert len(losses) == bad + 1
    assert np.isnan(losses[-1])
    assert np.isfinite(losses[:-1]).all()
    assert np.isfinite(state.parameters.theta).all()
    if bad == 0:
        assert state.parameters.theta.tobytes() == before.tobytes()
