"""The same seed gives the same bits, whatever stands beside the training; what is trained on is left alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer
from nncli.nn.layers.sequential import Dropout
from nncli.nn.optim.optimizers import Optimizer
from nncli.nn.optim.schedules import CosineRate, ReduceOnPlateau
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams
from tests.nn.training.helpers import (
    arguments_of,
    bits,
    fresh,
    full_arguments,
    reports_of,
    restored,
    rows_of,
    timeless,
    train,
    validation_set_of,
)
from tests.unions import members, tag


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(optimizer: Any) -> None:
    arguments = full_arguments(optimizer=optimizer)
    validation_set = validation_set_of(arguments)
    first, reports = train(arguments, validation_set=validation_set, seed=4)
    second, again = train(arguments, validation_set=validation_set, seed=4)
    assert bits(first) == bits(second)
    assert timeless(reports) == timeless(again)
    assert bits(train(arguments, validation_set=validation_set, seed=5)[0]) != bits(first)


@pytest.mark.parametrize("optimizer", [cls() for cls in members(Optimizer)], ids=lambda o: tag(type(o)))
@pytest.mark.parametrize("k", [1, 3, 5])
def test_training_in_two_parts_equals_training_at_once(optimizer: Any, k: int) -> None:
    schedule = ReduceOnPlateau(peak=0.01, patience=1, warmup_steps=6)
    arguments = full_arguments(optimizer=optimizer, epochs=5, schedule=schedule, monitor="val_loss", patience=4)
    expected, reports = train(arguments, validation_set=validation_set_of(arguments))
    parts = fresh(arguments)
    result = list(reports_of(replace(arguments, epochs=k), parts, rows_of(arguments), validation_set_of(arguments)))
    result += list(reports_of(arguments, parts, rows_of(arguments), validation_set_of(arguments)))
    assert bits(parts) == bits(expected)
    assert timeless(result) == timeless(reports)


def test_a_training_continued_between_two_reports_is_unchanged() -> None:
    arguments = full_arguments(epochs=6, schedule=CosineRate(peak=0.01))
    expected, _ = train(arguments)
    state = fresh(arguments)
    reports = reports_of(arguments, state, rows_of(arguments))
    next(reports)
    next(reports)
    saved = restored(arguments, state)
    list(fit(arguments, saved, rows_of(arguments)))
    assert bits(saved) == bits(expected)


def test_validation_never_changes_the_training() -> None:
    arguments = full_arguments(epochs=4, monitor="val_loss")
    without, reports = train(arguments)
    with_rows, watched = train(arguments, validation_set=validation_set_of(arguments))
    assert with_rows.parameters.theta.tobytes() == without.parameters.theta.tobytes()
    assert with_rows.parameters.statistics.tobytes() == without.parameters.statistics.tobytes()
    assert bits(with_rows)[5] == bits(without)[5]
    assert [r.loss for r in watched] == [r.loss for r in reports]


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_does_not_change_the_order_of_the_rows(rate: float) -> None:
    def shuffles(rate: float) -> list[Any]:
        """The state of the shuffle stream after every batch."""
        arguments = arguments_of(Dense(units=4), Dropout(rate=rate))
        state, seen = fresh(arguments), []

        def after_batch(step: int) -> LoopSignal:
            seen.append(state.streams.shuffle.bit_generator.state)
            return LoopSignal.CONTINUE

        list(fit(arguments, state, rows_of(arguments), after_batch=after_batch))
        return seen

    assert shuffles(0.0) == shuffles(rate)


def test_dropout_does_not_change_the_initial_weights() -> None:
    with_dropout = arguments_of(Dense(units=5), Dropout(rate=0.5))
    without = arguments_of(Dense(units=5), Dropout(rate=0.0))
    assert fresh(with_dropout).parameters.theta.tobytes() == fresh(without).parameters.theta.tobytes()
    assert train(with_dropout)[0].streams.shuffle.random() == train(without)[0].streams.shuffle.random()


def test_without_dropout_its_random_stream_is_unused() -> None:
    arguments = arguments_of()
    assert train(arguments)[0].streams.dropout.random() == RandomStreams.of(0).dropout.random()


def test_the_batch_size_does_not_change_the_order_of_the_rows() -> None:
    states = [train(arguments_of(batch_size=size))[0].streams.shuffle.random() for size in (1, 8, 29)]
    assert len(set(states)) == 1


def test_training_does_not_change_its_dataset() -> None:
    arguments = full_arguments()
    dataset, untouched = rows_of(arguments, weighted=True), rows_of(arguments, weighted=True)
    train(arguments, dataset, validation_set_of(arguments))
    for name in ("X", "codes", "y", "weights"):
        np.testing.assert_array_equal(getattr(dataset, name), getattr(untouched, name))


def test_one_row_can_be_trained_on() -> None:
    arguments = full_arguments(epochs=3)
    _, reports = train(arguments, rows_of(arguments, 1))
    assert all(math.isfinite(report.loss) for report in reports)


def test_a_last_batch_of_one_row_is_trained_on() -> None:
    arguments = full_arguments(epochs=2, batch_size=8)
    state, reports = train(arguments, rows_of(arguments, 25))
    assert state.step == 2 * 4
    assert all(math.isfinite(report.loss) for report in reports)


@pytest.mark.parametrize("layer", members(Layer), ids=tag)
def test_every_layer_can_be_trained(layer: type[Any]) -> None:
    needed: dict[str, dict[str, Any]] = {
        "dense": {"units": 4},
        "activation": {"activation": "relu"},
        "parametric_activation": {"activation": "relu"},
        "residual": {"layers": [3]},
    }
    arguments = arguments_of(layer.model_validate(needed.get(tag(layer), {})), epochs=2)
    assert all(math.isfinite(report.loss) for report in train(arguments)[1])
