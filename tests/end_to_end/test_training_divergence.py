"""Numbers that stop being finite: where that is met, what is kept, and how a training goes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncli.base.errors import NncliError
from nncli.nn.activations import Tanh
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.loop import CheckpointDue, EpochReport, LearningRateHalved, fit
from tests.nn.training.helpers import arguments_of, bits, fresh, full_arguments, network_of, reports_of, rows_of, train


@pytest.mark.parametrize("row", [0, 3])
@pytest.mark.parametrize(
    "embeddings", [(), (Embedding(name="town", n_embeddings=3, width=2),)], ids=["numbers", "with codes"]
)
def test_a_nan_in_the_data_is_reported_at_its_step(row: int, embeddings: tuple[Embedding, ...]) -> None:
    arguments = arguments_of(network=network_of(Dense(units=5), embeddings=embeddings), epochs=5, batch_size=29)
    dataset = rows_of(arguments)
    dataset.X[row, 1] = np.nan
    with pytest.raises(DivergedError, match=r"step 1 \(epoch 1\).* layers\.0"):
        train(arguments, dataset)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_huge_learning_rate_diverges_and_the_error_names_step_epoch_and_rate(precision: Any) -> None:
    network = network_of(Dense(units=5), Dense(units=5), precision=precision)
    arguments = arguments_of(network=network, optimizer=Sgd(), schedule=ConstantRate(peak=1e30), epochs=50)
    state = fresh(arguments)
    with pytest.raises(DivergedError) as caught:
        list(fit(arguments, state, rows_of(arguments)))
    assert f"step {state.step} (epoch {state.epoch + 1})" in str(caught.value)
    assert state.step > 1
    assert "1e+30" in str(caught.value.hint)
    assert isinstance(caught.value, NncliError)


def poisoned(arguments: TrainingArguments) -> tuple[Dataset, Callable[[int], LoopSignal]]:
    """Rows that are numbers for two epochs of four steps and no numbers from then on."""
    dataset = rows_of(arguments)

    def after_batch(step: int) -> LoopSignal:
        if step == 8:
            dataset.X[...] = np.nan
        return LoopSignal.CONTINUE

    return dataset, after_batch


def test_the_best_weights_before_a_divergence_are_kept() -> None:
    arguments = arguments_of(epochs=9)
    state = fresh(arguments)
    dataset, after_batch = poisoned(arguments)
    reports = reports_of(arguments, state, dataset, after_batch=after_batch)
    assert [next(reports).epoch, next(reports).epoch] == [1, 2]
    best = state.best.theta.copy()
    with pytest.raises(DivergedError, match=r"step 9 \(epoch 3\).* layers\.0.* epoch 2"):
        next(reports)
    assert state.epoch == 2
    np.testing.assert_array_equal(state.best.theta, best)


@pytest.mark.parametrize("epochs", [1, 5])
def test_weights_that_overflow_in_the_last_step_of_an_epoch_are_never_kept_as_the_best(epochs: int) -> None:
    arguments = arguments_of(
        network=network_of(precision="float32"),
        optimizer=Sgd(),
        schedule=ConstantRate.model_construct(peak=1e300),
        batch_size=29,
        epochs=epochs,
    )
    state = fresh(arguments)
    with pytest.raises(DivergedError, match=r"step 1 \(epoch 1\).* output"):
        list(fit(arguments, state, rows_of(arguments)))
    assert np.isfinite(state.best.theta).all()


def wild(**options: Any) -> TrainingArguments:
    network = network_of(Dense(units=5, activation=Tanh()), Dense(units=5), precision="float32")
    return arguments_of(
        network=network,
        optimizer=Sgd(),
        schedule=ConstantRate(peak=options.pop("rate", 50.0)),
        epochs=options.pop("epochs", 8),
        rollback_on_divergence=True,
        **options,
    )


def test_a_rollback_halves_the_rate_and_trains_all_epochs() -> None:
    arguments = wild()
    state = fresh(arguments)
    events, stood = [], []
    for event in fit(arguments, state, rows_of(arguments)):
        events.append(event)
        stood.append(state.epoch)
    halvings = [event for event in events if isinstance(event, LearningRateHalved)]
    assert all(
        event.epoch == epoch for event, epoch in zip(events, stood, strict=True) if not isinstance(event, CheckpointDue)
    )
    assert [event.factor for event in halvings] == [0.5 ** (n + 1) for n in range(len(halvings))]
    assert halvings
    assert all(f"at step {event.step} (epoch" in event.reason for event in halvings)
    assert state.learning_rate_factor == halvings[-1].factor
    assert (state.epoch, state.step) == (8, 8 * 4)
    last = events[-1]
    assert isinstance(last, EpochReport)
    assert last.loss < 2.0
    assert last.learning_rate == 50.0 * state.learning_rate_factor


def test_no_rollback_to_an_epoch_whose_loss_already_rises() -> None:
    arguments = wild(epochs=30)
    state = fresh(arguments)
    lasting: list[EpochReport] = []
    for event in fit(arguments, state, rows_of(arguments)):
        if isinstance(event, EpochReport):
            lasting.append(event)
            assert state.last_good is not None
        elif isinstance(event, LearningRateHalved):
            del lasting[event.epoch :]
            assert not lasting or lasting[-1].loss <= state.first_loss
    assert [report.epoch for report in lasting] == list(range(1, 31))


def test_a_training_that_diverges_at_any_rate_fails() -> None:
    arguments = wild()
    dataset = rows_of(arguments)
    dataset.X[3, 1] = np.nan
    state = fresh(arguments)
    with pytest.raises(DivergedError):
        list(fit(arguments, state, dataset))
    assert state.learning_rate_factor == 2.0**-20


def test_rollback_changes_nothing_without_divergence() -> None:
    arguments = full_arguments(epochs=4)
    assert bits(train(replace(arguments, rollback_on_divergence=True))[0]) == bits(train(arguments)[0])
