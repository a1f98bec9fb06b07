"""One epoch: its batches, its signals, and divergence within it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nncli.nn.batches.batches import Batches
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import DivergedError, LoopSignal, bind_epoch
from nncli.nn.training.parallel import WorkerThreads
from nncli.nn.training.state import TrainState
from tests.nn.training.helpers import arguments_of, bits, fresh, rows_of

ROWS, BATCH = 29, 8
STEPS = 4


def epoch_of(
    arguments: TrainingArguments, after_batch: Callable[[int], LoopSignal], *, bad_row: int | None = None
) -> tuple[TrainState, Callable[[], LoopSignal]]:
    """A new state, and the function that trains it for one epoch."""
    state, dataset = fresh(arguments), rows_of(arguments, ROWS)
    if bad_row is not None:
        dataset = replace(dataset, X=dataset.X.copy())
        dataset.X[bad_row] = np.nan
    batches = Batches(dataset, arguments.batch_size, state.streams.shuffle)
    return state, bind_epoch(arguments, state, batches, None, WorkerThreads(1), after_batch, lambda step: 1)


def test_an_epoch_takes_every_batch_once_and_sums_the_loss_of_the_rows() -> None:
    steps: list[int] = []

    def after_batch(step: int) -> LoopSignal:
        steps.append(step)
        return LoopSignal.CONTINUE

    state, run = epoch_of(arguments_of(batch_size=BATCH), after_batch)
    assert run() is LoopSignal.CONTINUE
    assert steps == [1, 2, 3, 4]
    assert (state.step, state.position) == (STEPS, STEPS)
    assert state.first_loss > 0.0
    assert state.epoch_loss > 0.0


@pytest.mark.parametrize("signal", [LoopSignal.CHECKPOINT, LoopSignal.STOP])
@pytest.mark.parametrize("at", [1, 3])
def test_an_epoch_ends_at_a_signal_and_continues_with_the_same_order(signal: LoopSignal, at: int) -> None:
    arguments = arguments_of(batch_size=BATCH)
    state, run = epoch_of(arguments, lambda step: signal if step == at else LoopSignal.CONTINUE)
    assert run() is signal
    assert (state.step, state.position) == (at, at)
    assert run() is LoopSignal.CONTINUE
    whole, run_whole = epoch_of(arguments, lambda step: LoopSignal.CONTINUE)
    run_whole()
    assert bits(state) == bits(whole)
    assert state.epoch_loss == whole.epoch_loss


def test_a_loss_that_is_not_finite_is_an_error_at_its_step() -> None:
    state, run = epoch_of(arguments_of(batch_size=BATCH), lambda step: LoopSignal.CONTINUE, bad_row=5)
    with pytest.raises(DivergedError) as caught:
        run()
    assert caught.value.exit_code == 1
    assert f"step {state.step} (epoch 1)" in caught.value.message
    assert caught.value.hint
