"""One training step: what it computes, against the same step written out naively, and that it allocates nothing."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest

from nncli.nn.activations import Activation, ElementwiseActivation, Tanh
from nncli.nn.arrays import Array
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import ParametricActivation, Residual
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import CrossEntropyLoss, LossBase, MSELoss
from nncli.nn.losses.amounts import CountLoss, TwoParameterLoss
from nncli.nn.losses.distributions import DistributionLoss
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import Periodic, PiecewiseLinear
from nncli.nn.optim.optimizers import Adam, AdamW, Optimizer, OptimizerBase, Sgd
from nncli.nn.parameters import Parameters
from nncli.nn.training.step import L1L2Penalty, TrainStep, bind_gradient, bind_step, clip_by_global_norm
from tests.unions import members, plain_losses, tag

# --- nothing is allocated -------------------------------------------------------------------------------------------

ROWS = 2048  # a vector of one float32 a row is 8 KiB
UNITS = 10
FEATURES = 5
LARGEST = 6 * 1024
"""Bytes: less than the smallest array of the test, more than the few scalars and iterators a step passes around.

np.add.at, the embeddings' way back, keeps the book of its iteration in 5.5 KiB whatever the size.
"""


def build(layers: tuple[Any, ...] = (UNITS, UNITS), **options: Any) -> Network:
    return Network(n_features=FEATURES, layers=layers, n_outputs=options.pop("outputs", 3), **options)


NETWORKS = {
    "dense": build(),
    "no_layers": build(()),
    "dropout": build((UNITS, {"type": "dropout", "rate": 0.3})),
    "scheduled_dropout": build((UNITS, {"type": "dropout", "rate": 0.3, "schedule": "flat_cosine"})),
    "batch_norm": build((UNITS, "batch_norm", {"type": "activation", "activation": "relu"})),
    "layer_norm": build((UNITS, "layer_norm", UNITS)),
    "residual": build((UNITS, {"type": "residual", "layers": [UNITS, "batch_norm", {"type": "dropout", "rate": 0.1}]})),
    "embeddings": build(
        embeddings=(
            Embedding(name="a", n_embeddings=600, width=4),
            Embedding(name="b", n_embeddings=7, width=2),
        ),  # theta: 10 KiB
    ),
    "first_layer_dropout": build(({"type": "dropout", "rate": 0.1}, UNITS)),
    "scale": build(({"type": "scale"}, UNITS)),
    "ntk": build((Dense(units=UNITS, parametrization="ntk"),), output_parametrization="ntk"),
    "periodic": build(numeric_features=(0, 2, 3), numeric_embedding=Periodic()),
    "piecewise_linear": build(numeric_features=(0, 1, 2, 3, 4), numeric_embedding=PiecewiseLinear(bins=6, width=3)),
    "float64": build((UNITS, "layer_norm"), precision="float64"),
}


def example_rows(network: Network, loss: LossBase, count: int, *, weighted: bool = False, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, network.n_features)).astype(network.precision)
    codes = np.stack(
        [rng.integers(0, e.n_embeddings, count) for e in network.embeddings] or [np.empty(count, np.int64)], 1
    )
    classes = network.n_outputs + 1 if loss.task == "ordinal" else max(2, network.n_outputs)
    targets = max(1, network.n_outputs // max(1, loss.outputs(1)))
    if loss.task == "survival":  # the share of each bin at risk, and the event
        targets = 2 * (network.n_outputs - loss.outputs(0))
    numbers = np.abs(rng.normal(size=(count, targets))).astype(network.precision)
    return Dataset(
        X,
        codes[:, : len(network.embeddings)],
        rng.integers(0, classes, count) if loss.task in ("classification", "ordinal") else numbers,
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
) -> TrainStep:
    dataset = example_rows(network, loss, 2 * ROWS, weighted=weighted)
    rng = np.random.default_rng(1)
    parameters = network.initialize(rng)
    batches = Batches(dataset, ROWS, rng)
    batches.shuffle()
    optimize = optimizer.bind(
        parameters.theta,
        parameters.grad,
        optimizer.init_state(parameters.theta),
        groups=parameters.layout.groups,
        progress=np.zeros(()),
    )
    penalty = L1L2Penalty(parameters, l1=l1, l2=l2) if l1 or l2 else None
    gradient = bind_gradient(network, parameters, loss, batches, slice(0, ROWS), ROWS, training=TrainingContext(rng))
    return bind_step(gradient, parameters.grad, optimize, penalty=penalty, clip_norm=clip_norm)


def peak_of(step: TrainStep, *, steps: int = 50, rounds: int = 20) -> int:
    """The most that was held at once over `steps` steps, in bytes above what was held before them.

    The least of several rounds: an interpreter's free list that happens to grow does so once, a thread that an earlier
    test left running ends after a while, and an allocation of the step is there every time.
    """
    t, peaks = 0, []
    gc.disable()  # a collection empties the free lists, which then grow again
    tracemalloc.start()
    try:
        for _ in range(rounds):
            for first in (True, False):  # first a round of warm-up
                before, _peak = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                for _ in range(10 if first else steps):
                    t += 1
                    step(t % 2, 1e-4, t)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            if peaks[-1] < LARGEST:
                break
            time.sleep(0.05)
    finally:
        tracemalloc.stop()
        gc.enable()
    return min(peaks)


OPTIMIZERS = [pytest.param(cls(), id=tag(cls)) for cls in members(Optimizer)]
OPTIMIZERS.append(pytest.param(Sgd(momentum=0.9, nesterov=True), id="sgd-nesterov"))
IN_GROUPS = {
    "decay_schedule": "flat_cosine",
    "param_groups": {
        "scale": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
        "bias": {"learning_rate_multiplier": 0.1},
    },
}
OPTIMIZERS.append(pytest.param(AdamW.model_validate(IN_GROUPS), id="adamw-in-groups"))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", [pytest.param(n, id=name) for name, n in NETWORKS.items()])
def test_a_step_allocates_nothing(network: Network, optimizer: OptimizerBase) -> None:
    assert peak_of(bound_step(network, CrossEntropyLoss(), optimizer)) < LARGEST


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_with_weights_penalty_and_clipping_allocates_nothing(optimizer: OptimizerBase) -> None:
    step = bound_step(
        NETWORKS["embeddings"], CrossEntropyLoss(), optimizer, weighted=True, l1=1e-4, l2=1e-3, clip_norm=0.01
    )
    assert peak_of(step) < LARGEST


@pytest.mark.parametrize("activation", [pytest.param(cls(), id=tag(cls)) for cls in members(ElementwiseActivation)])
def test_a_step_through_any_activation_allocates_nothing(activation: Any) -> None:
    network = build(
        (
            Dense(units=UNITS, activation=activation),
            ActivationLayer(activation=activation),
            ParametricActivation(activation=activation),
        )
    )
    assert peak_of(bound_step(network, CrossEntropyLoss(), Sgd())) < LARGEST


@pytest.mark.parametrize("activation", [pytest.param(cls(), id=tag(cls)) for cls in members(Activation)])
def test_a_step_through_any_output_activation_allocates_nothing(activation: Any) -> None:
    assert peak_of(bound_step(build((8,), output_activation=activation), MSELoss(), Sgd())) < LARGEST


IN_DOUBLE = [cls for cls in plain_losses() if issubclass(cls, TwoParameterLoss | CountLoss | DistributionLoss)]
"""Losses that are computed in temporary arrays of float64, for the functions of their distributions."""


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("outputs", [1, 3, 20])
@pytest.mark.parametrize("loss", [pytest.param(cls(), id=tag(cls)) for cls in plain_losses() if cls not in IN_DOUBLE])
def test_a_step_on_any_loss_allocates_nothing(loss: LossBase, outputs: int, weighted: bool) -> None:
    network = build((8,), outputs=max(1, loss.outputs(outputs)))
    assert peak_of(bound_step(network, loss, Sgd(), weighted=weighted)) < LARGEST


@pytest.mark.slow
def test_the_meter_sees_an_array_of_one_number_a_row() -> None:
    def wasteful(i: int, learning_rate: float, t: int) -> float:
        return float(np.ones(ROWS, np.float32)[0])

    assert peak_of(wasteful) > LARGEST


# --- what a step computes -------------------------------------------------------------------------------------------


def line(*, outputs: int = 1) -> tuple[Network, Parameters, Dataset]:
    """z = x W + b on four rows, in float64."""
    network = Network(n_features=2, layers=(), n_outputs=outputs, precision="float64")
    parameters = network.initialize(np.random.default_rng(5))
    parameters.by_name["output.bias"][...] = 0.3
    return network, parameters, example_rows(network, MSELoss(), 4, weighted=True, seed=6)


def take_step(
    network: Network, parameters: Parameters, dataset: Dataset, rate: float, **options: Any
) -> tuple[float, Array]:
    """One step of gradient descent on all rows: its value, and theta after it."""
    batches = Batches(dataset, len(dataset), np.random.default_rng(7))
    batches.shuffle()
    moments = Sgd().init_state(parameters.theta)
    groups, progress = parameters.layout.groups, np.zeros(())
    optimize = Sgd().bind(parameters.theta, parameters.grad, moments, groups=groups, progress=progress)
    l1, l2 = options.get("l1", 0.0), options.get("l2", 0.0)
    n = len(dataset)
    gradient = bind_gradient(
        network, parameters, MSELoss(), batches, slice(0, n), n, training=TrainingContext(np.random.default_rng(8))
    )
    penalty = L1L2Penalty(parameters, l1=l1, l2=l2) if l1 or l2 else None
    step = bind_step(gradient, parameters.grad, optimize, penalty=penalty, clip_norm=options.get("clip_norm"))
    return step(0, rate, 1), parameters.theta.copy()


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
@pytest.mark.parametrize("clip_norm", [None, 0.05, 100.0])
def test_a_step_is_loss_then_penalty_then_clipping_then_the_move(
    weighted: bool, l1: float, l2: float, clip_norm: float | None
) -> None:
    network, parameters, dataset = line()
    if not weighted:
        dataset = Dataset(dataset.X, dataset.codes, dataset.y)
    X, y, n = dataset.X, dataset.y, len(dataset)
    w = np.ones(n) if dataset.weights is None else dataset.weights
    W, b = parameters.by_name["output.weight"].copy(), parameters.by_name["output.bias"].copy()

    D = X @ W + b - y
    dZ = 2.0 * D * w[:, None] / n
    dW = X.T @ dZ + l1 * np.sign(W) + l2 * W  # the bias is free of both
    db = dZ.sum(axis=0)
    norm = sqrt(float((dW**2).sum() + (db**2).sum()))
    if clip_norm is not None and norm > clip_norm:
        dW, db = dW * clip_norm / norm, db * clip_norm / norm

    value, theta = take_step(network, parameters, dataset, 0.1, l1=l1, l2=l2, clip_norm=clip_norm)
    assert value == pytest.approx(float((w[:, None] * D**2).mean()), rel=1e-12)  # before the move, no penalty in it
    np.testing.assert_allclose(theta, np.concatenate([(W - 0.1 * dW).ravel(), b - 0.1 * db]), rtol=1e-12)


def test_the_penalty_is_worked_by_hand() -> None:
    # w = (1, -2, 0, 3): sum |w| = 6, sum w² = 14; the penalty is 0.1 · 6 + 0.5 / 2 · 14 = 4.1
    network = Network(n_features=2, layers=(), n_outputs=2, precision="float64")
    parameters = network.layout.empty("float64")
    parameters.by_name["output.weight"][...] = [[1.0, -2.0], [0.0, 3.0]]
    parameters.by_name["output.bias"][...] = 100.0
    penalty = L1L2Penalty(parameters, l1=0.1, l2=0.5)
    assert penalty.value() == pytest.approx(4.1)
    parameters.grad[...] = 1.0
    penalty.add_gradient()
    # 1 + 0.1 sign(w) + 0.5 w; the biases' stays 1
    np.testing.assert_allclose(parameters.grad, [1.6, -0.1, 1.0, 2.6, 1.0, 1.0])


def test_the_gradient_of_the_penalty_is_its_derivative() -> None:
    _, parameters, _ = line()
    penalty = L1L2Penalty(parameters, l1=0.3, l2=0.7)
    parameters.grad[...] = 0.0
    penalty.add_gradient()
    for i in range(parameters.layout.size):
        at, h = parameters.theta[i], 1e-6
        values = []
        for t in (at - h, at + h):
            parameters.theta[i] = t
            values.append(penalty.value())
        parameters.theta[i] = at
        assert (values[1] - values[0]) / (2 * h) == pytest.approx(parameters.grad[i], abs=1e-8)


def test_embeddings_are_penalized_and_scales_are_not() -> None:
    network = Network(
        n_features=1,
        embeddings=(Embedding(name="a", n_embeddings=3, width=2),),
        layers=(LayerNorm(),),
        n_outputs=1,
        precision="float64",
    )
    parameters = network.initialize(np.random.default_rng(0))
    parameters.grad[...] = 0.0
    L1L2Penalty(parameters, l1=1.0, l2=0.0).add_gradient()
    g = parameters.gradients
    np.testing.assert_array_equal(np.abs(g["embeddings.a"]), 1.0)
    np.testing.assert_array_equal(np.abs(g["output.weight"]), 1.0)
    for free in ("layers.0.gamma", "layers.0.beta", "output.bias"):
        np.testing.assert_array_equal(g[free], 0.0)


@pytest.mark.parametrize("largest", [1e-3, 1.0, 4.999])
def test_clipping_shortens_a_long_gradient_and_keeps_its_direction(largest: float) -> None:
    grad = np.array([3.0, 4.0])  # of length 5
    clip_by_global_norm(grad, largest)
    np.testing.assert_allclose(grad, [0.6 * largest, 0.8 * largest], rtol=1e-15)


@pytest.mark.parametrize("largest", [5.0, 5.1, 1e9])
def test_clipping_leaves_a_short_gradient_alone_to_the_bit(largest: float) -> None:
    grad = np.array([3.0, 4.0])
    clip_by_global_norm(grad, largest)
    assert grad.tolist() == [3.0, 4.0]


def test_clipping_is_right_where_the_squares_overflow() -> None:
    grad = np.array([3e30, -4e30], np.float32)  # the square of either is beyond float32
    with np.errstate(over="ignore"):
        clip_by_global_norm(grad, 1.0)
    np.testing.assert_allclose(grad, [0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_clipping_never_hides_a_gradient_that_is_no_number(value: float) -> None:
    grad = np.array([1.0, value])
    with np.errstate(invalid="ignore"):
        clip_by_global_norm(grad, 1.0)
    assert not np.isfinite(grad).all()


def repeated_value(layers: tuple[Any, ...]) -> tuple[Callable[[], float], Parameters]:
    """A call that goes forward and backward on the same eight rows and returns the loss."""
    network = Network(n_features=3, layers=layers, n_outputs=2, precision="float64")
    parameters = network.initialize(np.random.default_rng(0))
    bound = network.bind(parameters, 8, training=TrainingContext(np.random.default_rng(1)))
    bound.X[...] = np.random.default_rng(2).normal(size=(8, 3))
    loss = CrossEntropyLoss().bind(bound.Z, np.arange(8) % 2, None)

    def value() -> float:
        bound.forward()
        result = loss.forward()
        bound.backward(loss.backward())
        return result

    return value, parameters


@pytest.mark.parametrize(
    "layers",
    [
        (Dense(units=4, activation=Tanh()),),
        (Dense(units=4), BatchNorm(), Residual(layers=(Dense(units=4), LayerNorm()))),
    ],
)
def test_the_gradient_is_written_anew_by_every_step_and_never_added_up(layers: tuple[Any, ...]) -> None:
    value, parameters = repeated_value(layers)
    value()
    first = parameters.grad.copy()
    parameters.grad[...] = 1e9
    value()
    assert parameters.grad.tobytes() == first.tobytes()


def test_dropout_draws_anew_every_step() -> None:
    value, _ = repeated_value((Dense(units=32), Dropout(rate=0.5)))
    assert len({value() for _ in range(5)}) == 5


@pytest.mark.parametrize("optimizer", [Adam(), AdamW(weight_decay=0.1)])
def test_a_hundred_steps_lower_the_loss(optimizer: OptimizerBase) -> None:
    step = bound_step(build((UNITS,)), MSELoss(), optimizer)
    values = [step(t % 2, 0.01, t) for t in range(1, 101)]
    assert values[-1] < 0.8 * values[0]
