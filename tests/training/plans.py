"""What the tests of training share: small plans, rows to learn, and all that a state holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from nncli.data.batches.dataset import Examples
from nncli.nn.activations import Tanh
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import CrossEntropy, Mse
from nncli.nn.network import Network
from nncli.optim.optimizers import Adam
from nncli.optim.schedules import ConstantRate
from nncli.training.arguments import Holdout, Plan
from nncli.training.epoch import Wish
from nncli.training.loop import EpochReport, fit
from nncli.training.state import State, Streams


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate({"features": 3, "layers": layers, "outputs": 1, "precision": "float64", **options})


def plan_of(*layers: Any, network: Network | None = None, **options: Any) -> Plan:
    return Plan(
        network=network or network_of(*(layers or (Dense(units=5, activation=Tanh()),))),
        loss=options.pop("loss", Mse()),
        optimizer=options.pop("optimizer", Adam()),
        schedule=options.pop("schedule", ConstantRate(initial=0.01)),
        batch_size=options.pop("batch_size", 8),
        epochs=options.pop("epochs", 3),
        **options,
    )


def reports_of(
    plan: Plan,
    state: State,
    examples: Examples,
    holdout: Holdout | None = None,
    *,
    after_batch: Callable[[int], Wish] = lambda step: Wish.GO_ON,
) -> Iterator[EpochReport]:
    """What `fit` reports, without its pauses."""
    events = fit(plan, state, examples, holdout, after_batch=after_batch)
    return (event for event in events if isinstance(event, EpochReport))


def rows_of(plan: Plan, n: int = 29, *, seed: int = 0, weighted: bool = False) -> Examples:
    rng, network = np.random.default_rng(seed), plan.network
    X = rng.normal(size=(n, network.features)).astype(network.precision)
    y = np.tanh(X[:, :1] - 0.5 * X[:, 1:2] ** 2) + rng.normal(0.0, 0.1, (n, 1))
    return Examples(
        X,
        np.array([[rng.integers(e.slots) for e in network.embeddings] for _ in range(n)], np.int64),
        (y[:, 0] > 0).astype(np.int64) if plan.loss.task == "classes" else y.astype(network.precision),
        rng.uniform(0.5, 1.5, n).astype(network.precision) if weighted else None,
    )


def holdout_of(plan: Plan, score: Callable[[Any], float] = lambda Z: float(Z.mean()), **options: Any) -> Holdout:
    return Holdout(rows_of(plan, 17, seed=9), "mean", options.get("higher_is_better", False), score)


def fresh(plan: Plan, seed: int = 0) -> State:
    return State.fresh(plan.network, plan.optimizer, Streams.of(seed))


def train(
    plan: Plan, examples: Examples | None = None, holdout: Holdout | None = None, *, seed: int = 0
) -> tuple[State, list[EpochReport]]:
    state = fresh(plan, seed)
    return state, list(reports_of(plan, state, examples or rows_of(plan), holdout))


def bits(state: State) -> tuple[Any, ...]:
    """All that a state holds, comparable."""
    p, b, s = state.parameters, state.best, state.streams
    return (
        p.theta.tobytes(),
        p.statistics.tobytes(),
        b.theta.tobytes(),
        b.statistics.tobytes(),
        {name: moment.tobytes() for name, moment in state.moments.items()},
        [g.bit_generator.state for g in (s.split, s.init, s.shuffle, s.dropout)],
        (state.step, state.epoch, state.watch, state.plateau),
    )


def restored(plan: Plan, state: State) -> State:
    """A new state with the values of `state`: what comes back from a checkpoint."""
    other = fresh(plan, seed=123)
    other.parameters.copy_from(state.parameters)
    other.best.copy_from(state.best)
    moments, streams = ({n: m.copy() for n, m in state.moments.items()}, deepcopy(state.streams))
    return replace(state, parameters=other.parameters, best=other.best, moments=moments, streams=streams)


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


def scripted(values: list[float]) -> Callable[[Any], float]:
    """A score that follows a script, whatever the network says."""
    script = iter(values)
    return lambda Z: next(script)


FULL = network_of(
    {"type": "dense", "units": 6, "activation": "gelu"},
    "batch_norm",
    {"type": "residual", "layers": [6, {"type": "dropout", "rate": 0.3}]},
    {"type": "dropout", "rate": 0.5},
    embeddings=(Embedding(name="a", slots=4, width=2),),
    precision="float32",
)


def full_plan(**options: Any) -> Plan:
    return plan_of(network=FULL, loss=CrossEntropy(label_smoothing=0.1), **{"l2": 1e-3, "clip_norm": 1.0, **options})
