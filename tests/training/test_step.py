"""One training step: what it computes, against the same step written out naively, and that it allocates nothing."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from nncli.data.batches import Batches
from nncli.data.examples import Examples
from nncli.nn.activations import Activation, ElementwiseActivation, Tanh
from nncli.nn.layers import ActivationLayer, BatchNorm, Dense, Dropout, LayerNorm, Residual
from nncli.nn.losses import CrossEntropy, Loss, LossBase, Mse
from nncli.nn.network import Embedding, Network
from nncli.nn.optimizers import Adam, AdamW, Optimizer, OptimizerBase, Sgd
from nncli.nn.parameters import Parameters
from nncli.training.step import BatchStep, Penalty, bind_step, clip
from tests.unions import members, tag

Vector = NDArray[np.float64]

# --- nothing is allocated -------------------------------------------------------------------------------------------

ROWS = 2048  # a vector of one float32 a row is 8 KiB
UNITS = 48  # a 48 x 48 matrix of weights is 9 KiB
FEATURES = 5
LARGEST = 6 * 1024
"""Bytes: less than the smallest array of the test, more than the few scalars and iterators a step passes around.

np.add.at, the embeddings' way back, keeps the book of its iteration in 5.5 KiB whatever the size.
"""


def build(layers: tuple[Any, ...] = (UNITS, UNITS), **options: Any) -> Network:
    return Network(features=FEATURES, layers=layers, outputs=options.pop("outputs", 3), **options)


NETWORKS = {
    "dense": build(),
    "no_layers": build(()),
    "dropout": build((UNITS, {"type": "dropout", "rate": 0.3})),
    "batch_norm": build((UNITS, "batch_norm", {"type": "activation", "activation": "relu"})),
    "layer_norm": build((UNITS, "layer_norm", UNITS)),
    "residual": build((UNITS, {"type": "residual", "layers": [UNITS, "batch_norm", {"type": "dropout", "rate": 0.1}]})),
    "embeddings": build(
        embeddings=(Embedding(name="a", slots=600, width=4), Embedding(name="b", slots=7, width=2)),
    ),
    "first_layer_dropout": build(({"type": "dropout", "rate": 0.1}, UNITS)),
    "float64": build((UNITS, "layer_norm"), precision="float64"),
}


def example_rows(network: Network, loss: LossBase, count: int, *, weighted: bool = False, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, network.features)).astype(network.precision)
    codes = np.stack([rng.integers(0, e.slots, count) for e in network.embeddings] or [np.empty(count, np.int64)], 1)
    classes = 2 if network.outputs == 1 else network.outputs
    numbers = np.abs(rng.normal(size=(count, network.outputs))).astype(network.precision)
    return Examples(
        X,
        codes[:, : len(network.embeddings)],
        rng.integers(0, classes, count) if loss.task == "classes" else numbers,
        rng.uniform(0.5, 1.5, count).astype(network.precision) if weighted else None,
    )


def bound_step(
    network: Network,
    loss: LossBase,
    optimizer: OptimizerBase,
    *,
    weighted: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    clip_norm: float | None = None,
) -> BatchStep:
    examples = example_rows(network, loss, 2 * ROWS, weighted=weighted)
    rng = np.random.default_rng(1)
    parameters = network.initialise(rng)
    batches = Batches(examples, ROWS, rng)
    batches.shuffle()
    optimize = optimizer.bind(
        parameters.theta,
        parameters.grad,
        optimizer.initial_moments(parameters.theta),
        decayed=parameters.layout.decayed,
    )
    penalty = Penalty(parameters, l1=l1, l2=l2) if l1 or l2 else None
    return bind_step(
        network, parameters, loss, batches, ROWS, optimize, penalty=penalty, clip_norm=clip_norm, rng=rng
    )


def peak_of(step: BatchStep, *, steps: int = 50, warm_up: int = 3) -> int:
    """The most that was held at once over `steps` steps, in bytes above what was held before them."""
    gc.disable()  # a collection empties the interpreter's free lists, which then fill up again
    for t in range(1, warm_up + 1):
        step(t % 2, 1e-4, t)
    tracemalloc.start()
    try:
        step(0, 1e-4, warm_up + 1)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for t in range(warm_up + 2, warm_up + 2 + steps):
            step(t % 2, 1e-4, t)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        gc.enable()


OPTIMIZERS = [pytest.param(cls(), id=tag(cls)) for cls in members(Optimizer)]
OPTIMIZERS.append(pytest.param(Sgd(momentum=0.9, nesterov=True), id="sgd-nesterov"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", [pytest.param(n, id=name) for name, n in NETWORKS.items()])
def test_a_step_allocates_nothing(network: Network, optimizer: OptimizerBase) -> None:
    assert peak_of(bound_step(network, CrossEntropy(), optimizer)) < LARGEST


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_with_weights_penalty_and_clipping_allocates_nothing(optimizer: OptimizerBase) -> None:
    step = bound_step(NETWORKS["dense"], CrossEntropy(), optimizer, weighted=True, l1=1e-4, l2=1e-3, clip_norm=0.01)
    assert peak_of(step) < LARGEST


@pytest.mark.parametrize("activation", [pytest.param(cls(), id=tag(cls)) for cls in members(ElementwiseActivation)])
def test_a_step_through_any_activation_allocates_nothing(activation: Any) -> None:
    network = build((Dense(units=UNITS, activation=activation), ActivationLayer(activation=activation)))
    assert peak_of(bound_step(network, CrossEntropy(), Sgd())) < LARGEST


@pytest.mark.parametrize("activation", [pytest.param(cls(), id=tag(cls)) for cls in members(Activation)])
def test_a_step_through_any_output_activation_allocates_nothing(activation: Any) -> None:
    assert peak_of(bound_step(build((8,), output_activation=activation), Mse(), Sgd())) < LARGEST


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("outputs", [1, 3, 20])
@pytest.mark.parametrize("loss", [pytest.param(cls(), id=tag(cls)) for cls in members(Loss)])
def test_a_step_on_any_loss_allocates_nothing(loss: LossBase, outputs: int, weighted: bool) -> None:
    assert peak_of(bound_step(build((8,), outputs=outputs), loss, Sgd(), weighted=weighted)) < LARGEST


def test_the_meter_sees_an_array_of_one_number_a_row() -> None:
    def wasteful(i: int, learning_rate: float, t: int) -> float:
        return float(np.ones(ROWS, np.float32)[0])

    assert peak_of(wasteful) > LARGEST
