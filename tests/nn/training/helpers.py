"""What the tests of training share: arguments, datasets, and all that a state holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from nncli.nn.activations import Tanh
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Adam
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.training.arguments import OutputScore, TrainingArguments, ValidationSet
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.loop import EpochReport, fit
from nncli.nn.training.state import RandomStreams, TrainState


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate(
        {"n_features": 3, "layers": layers, "n_outputs": 1, "precision": "float64", **options}
    )


def arguments_of(*layers: Any, network: Network | None = None, **options: Any) -> TrainingArguments:
    return TrainingArguments(
        network=network or network_of(*(layers or (Dense(units=5, activation=Tanh()),))),
        loss=options.pop("loss", MSELoss()),
        optimizer=options.pop("optimizer", Adam()),
        schedule=options.pop("schedule", ConstantRate(peak=0.01)),
        batch_size=options.pop("batch_size", 8),
        epochs=options.pop("epochs", 3),
        **options,
    )


def reports_of(
    arguments: TrainingArguments,
    state: TrainState,
    dataset: Dataset,
    validation_set: ValidationSet | None = None,
    *,
    after_batch: Callable[[int], LoopSignal] = lambda step: LoopSignal.CONTINUE,
) -> Iterator[EpochReport]:
    """What `fit` reports, without its pauses."""
    events = fit(arguments, state, dataset, validation_set, after_batch=after_batch)
    return (event for event in events if isinstance(event, EpochReport))


def rows_of(arguments: TrainingArguments, n: int = 29, *, seed: int = 0, weighted: bool = False) -> Dataset:
    rng, network = np.random.default_rng(seed), arguments.network
    X = rng.normal(size=(n, network.n_features)).astype(network.precision)
    y = np.tanh(X[:, :1] - 0.5 * X[:, 1:2] ** 2) + rng.normal(0.0, 0.1, (n, 1))
    return Dataset(
        X,
        np.array([[rng.integers(e.n_embeddings) for e in network.embeddings] for _ in range(n)], np.int64),
        (y[:, 0] > 0).astype(np.int64) if arguments.loss.task == "classification" else y.astype(network.precision),
        rng.uniform(0.5, 1.5, n).astype(network.precision) if weighted else None,
    )


def validation_set_of(
    arguments: TrainingArguments, score: OutputScore = lambda Z, rows=None: float(Z.mean()), **options: Any
) -> ValidationSet:
    return ValidationSet(rows_of(arguments, 17, seed=9), "mean", options.get("higher_is_better", False), score)


def fresh(arguments: TrainingArguments, seed: int = 0) -> TrainState:
    return TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(seed))


def train(
    arguments: TrainingArguments,
    dataset: Dataset | None = None,
    validation_set: ValidationSet | None = None,
    *,
    seed: int = 0,
) -> tuple[TrainState, list[EpochReport]]:
    state = fresh(arguments, seed)
    return state, list(reports_of(arguments, state, dataset or rows_of(arguments), validation_set))


def bits(state: TrainState) -> tuple[Any, ...]:
    """All that a state holds, comparable."""
    p, b, s = state.parameters, state.best, state.streams
    return (
        p.theta.tobytes(),
        p.statistics.tobytes(),
        b.theta.tobytes(),
        b.statistics.tobytes(),
        {name: moment.tobytes() for name, moment in state.moments.items()},
        [g.bit_generator.state for g in (s.split, s.init, s.shuffle, s.dropout)],
        (state.step, state.epoch, state.early_stopping, state.plateau),
    )


def restored(arguments: TrainingArguments, state: TrainState) -> TrainState:
    """A new state with the values of `state`: what comes back from a checkpoint."""
    other = fresh(arguments, seed=123)
    other.parameters.copy_from(state.parameters)
    other.best.copy_from(state.best)
    moments, streams = ({n: m.copy() for n, m in state.moments.items()}, deepcopy(state.streams))
    return replace(state, parameters=other.parameters, best=other.best, moments=moments, streams=streams)


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


def scripted(values: list[float]) -> OutputScore:
    """A score that follows a script, epoch by epoch, whatever the network says; that of some rows is the same."""
    script, current = iter(values), [0.0]

    def score(Z: Any, rows: Any = None) -> float:
        if rows is None:
            current[0] = next(script)
        return current[0]

    return score


FULL = network_of(
    {"type": "dense", "units": 6, "activation": "gelu"},
    "batch_norm",
    {"type": "residual", "layers": [6, {"type": "dropout", "rate": 0.3}]},
    {"type": "dropout", "rate": 0.5},
    embeddings=(Embedding(name="a", n_embeddings=4, width=2),),
    precision="float32",
)


def full_arguments(**options: Any) -> TrainingArguments:
    return arguments_of(
        network=FULL, loss=CrossEntropyLoss(label_smoothing=0.1), **{"l2": 1e-3, "clip_norm": 1.0, **options}
    )
