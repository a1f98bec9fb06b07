"""A training stopped at any step and taken up again ends in the bits of one that was never stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.losses import CrossEntropyLoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adagrad, Adam, AdamW, Lion, OptimizerBase, RmsProp, Sgd
from nncli.nn.optim.schedules import (
    ConstantRate,
    CosineRate,
    CoslogRate,
    ExponentialRate,
    FlatCosineRate,
    OneCycleRate,
    ReduceOnPlateau,
    ScheduleBase,
    StepRate,
)
from nncli.nn.training.arguments import TrainingArguments, ValidationSet
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.loop import CheckpointDue, EpochReport, fit
from nncli.nn.training.state import RandomStreams, Snapshot, TrainState
from tests.thorough import every, partly

ROWS, BATCH, EPOCHS = 29, 8, 50  # four steps an epoch, the last one smaller: 200 steps

OPTIMIZERS: list[OptimizerBase] = [
    Sgd(),
    Sgd(momentum=0.9),
    Sgd(momentum=0.9, nesterov=True),
    RmsProp(),
    Adagrad(),
    Adam(),
    AdamW(weight_decay=0.1),
    Lion(weight_decay=0.1),
    AdamW.model_validate(
        {
            "weight_decay": 0.1,
            "decay_schedule": "flat_cosine",
            "param_groups": {"scale": {"weight_decay_multiplier": 36.0}},
        }
    ),
]
SCHEDULES: list[ScheduleBase] = [
    ConstantRate(peak=0.01),
    StepRate(peak=0.01, every=3),
    ExponentialRate(peak=0.01),
    CosineRate(peak=0.01, warmup_steps=17),
    FlatCosineRate(peak=0.01),
    CoslogRate(peak=0.04),
    OneCycleRate(peak=0.01),
    ReduceOnPlateau(peak=0.01, patience=2, warmup_steps=5),
]


def examples_of(rows: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    X, codes = rng.normal(size=(rows, 3)).astype(np.float32), rng.integers(0, 5, (rows, 1))
    return Dataset(X, codes, rng.integers(0, 3, rows), rng.uniform(0.5, 1.5, rows).astype(np.float32))


TRAINING, VALIDATION = examples_of(ROWS, 1), examples_of(11, 2)
HOLDOUT = ValidationSet(VALIDATION, "spread", True, lambda Z, rows=None: float(Z.std()))


def arguments_of(
    optimizer: OptimizerBase, schedule: ScheduleBase, dropout: float, patience: int | None
) -> TrainingArguments:
    layers: Any = [
        {"type": "dense", "units": 6, "activation": "tanh"},
        "batch_norm",
        {"type": "dropout", "rate": dropout, "schedule": "flat_cosine"},
    ]
    network = Network(
        n_features=3,
        embeddings=(Embedding(name="c", n_embeddings=5, width=2),),
        layers=layers,
        n_outputs=3,
        precision="float32",
    )
    return TrainingArguments(
        network=network,
        loss=CrossEntropyLoss(),
        optimizer=optimizer,
        schedule=schedule,
        batch_size=BATCH,
        epochs=EPOCHS,
        l2=1e-3,
        clip_norm=1.0,
        monitor="val_loss",
        patience=patience,
    )


def fresh(arguments: TrainingArguments) -> TrainState:
    return TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(3))


def written_and_read(snapshot: Snapshot) -> Snapshot:
    """As through a file: the plain part is JSON."""
    return Snapshot(snapshot.copy().arrays, json.loads(json.dumps(snapshot.metadata)))


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


def ends_alike(first: TrainState, other: TrainState) -> bool:
    here, there = first.snapshot(), other.snapshot()
    return here.metadata == there.metadata and all(
        here.arrays[name].tobytes() == there.arrays[name].tobytes() for name in here.arrays
    )


def run_pausing_everywhere(
    arguments: TrainingArguments,
) -> tuple[TrainState, list[EpochReport], list[tuple[Snapshot, int]]]:
    """The end, the reports, and the state after every step with the number of reports by then."""
    state, reports, stops = fresh(arguments), [], []
    for event in fit(arguments, state, TRAINING, HOLDOUT, after_batch=lambda step: LoopSignal.CHECKPOINT):
        if isinstance(event, EpochReport):
            reports.append(event)
        assert isinstance(event, CheckpointDue | EpochReport)
        stops.append((written_and_read(state.snapshot()), len(reports)))
    return state, reports, stops


def resumed(arguments: TrainingArguments, snapshot: Snapshot) -> tuple[TrainState, list[EpochReport]]:
    state = fresh(arguments)
    state.restore(snapshot)
    return state, [r for r in fit(arguments, state, TRAINING, HOLDOUT) if isinstance(r, EpochReport)]


@partly
def test_stopping_at_every_one_of_200_steps_changes_nothing() -> None:
    arguments = arguments_of(OPTIMIZERS[-1], ReduceOnPlateau(peak=0.01, patience=2, warmup_steps=5), 0.3, None)
    expected = fresh(arguments)
    reports = [r for r in fit(arguments, expected, TRAINING, HOLDOUT) if isinstance(r, EpochReport)]
    assert expected.step == 200
    paused, again, stops = run_pausing_everywhere(arguments)
    assert len(stops) == 200
    assert ends_alike(paused, expected)
    assert timeless(again) == timeless(reports)
    for snapshot, count in stops[:: every(5)]:
        state, rest = resumed(arguments, snapshot)
        assert ends_alike(state, expected)
        assert timeless(rest) == timeless(reports)[count:]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.model_dump_json())
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_every_optimizer_and_schedule_resumes_to_the_bit(optimizer: OptimizerBase, schedule: ScheduleBase) -> None:
    arguments = replace(arguments_of(optimizer, schedule, 0.2, 4), epochs=6)
    expected, reports, stops = run_pausing_everywhere(arguments)
    for snapshot, count in stops[:: max(1, len(stops) // 5)]:
        state, rest = resumed(arguments, snapshot)
        assert ends_alike(state, expected)
        assert timeless(rest) == timeless(reports)[count:]


@given(
    optimizer=st.sampled_from(OPTIMIZERS),
    schedule=st.sampled_from(SCHEDULES),
    dropout=st.sampled_from([0.0, 0.1, 0.5]),
    patience=st.none() | st.integers(1, 6),
    stops=st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_a_training_stopped_several_times_ends_in_the_same_bits(
    optimizer: OptimizerBase, schedule: ScheduleBase, dropout: float, patience: int | None, stops: list[int]
) -> None:
    arguments = replace(arguments_of(optimizer, schedule, dropout, patience), epochs=15)
    expected = fresh(arguments)
    reports = list(fit(arguments, expected, TRAINING, HOLDOUT))
    state, result = fresh(arguments), []
    for wait in stops:
        until = state.step + wait
        wish = lambda step, until=until: LoopSignal.STOP if step >= until else LoopSignal.CONTINUE  # noqa: E731
        result += [r for r in fit(arguments, state, TRAINING, HOLDOUT, after_batch=wish) if isinstance(r, EpochReport)]
        taken_up = fresh(arguments)
        taken_up.restore(written_and_read(state.snapshot()))
        state = taken_up
    result += [r for r in fit(arguments, state, TRAINING, HOLDOUT) if isinstance(r, EpochReport)]
    assert ends_alike(state, expected)
    assert timeless(result) == timeless([r for r in reports if isinstance(r, EpochReport)])


def test_a_state_of_another_training_is_refused() -> None:
    arguments = arguments_of(Adam(), SCHEDULES[0], 0.0, None)
    other = arguments_of(Sgd(), SCHEDULES[0], 0.0, None)
    with pytest.raises(KeyError):
        fresh(arguments).restore(fresh(other).snapshot())
