"""A traced step: the bits of the training, the numbers of PyTorch, and a true difference beside each gradient."""

from __future__ import annotations

import json
from collections import deque
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncli.base.errors import NncliError
from nncli.nn.activations import Relu, Sigmoid, Tanh
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import ParametricActivation, Residual, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import Periodic
from nncli.nn.optim.optimizers import Adam, AdamW, Sgd
from nncli.nn.optim.schedules import ConstantRate, CosineRate, TrainingLength
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import LoopSignal
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState
from nncli.nn.training.trace import TracedStep, trace_step
from tests.reference.replay import FOLDER

ROWS, FEATURES = 20, 3


def network_of(*layers: Any, **options: Any) -> Network:
    return Network.model_validate({"n_features": FEATURES, "layers": layers, "n_outputs": 2, **options})


def arguments_of(network: Network, **options: Any) -> TrainingArguments:
    defaults = {
        "loss": MSELoss(), "optimizer": Adam(), "schedule": ConstantRate(peak=0.05), "batch_size": 6, "epochs": 3
    }  # fmt: skip
    return TrainingArguments(network=network, **{**defaults, **options})


def dataset_of(arguments: TrainingArguments) -> Dataset:
    rng, network = np.random.default_rng(7), arguments.network
    X = rng.normal(size=(ROWS, FEATURES)).astype(network.precision)
    codes = rng.integers(0, 3, size=(ROWS, len(network.embeddings)))
    if isinstance(arguments.loss, MSELoss):
        return Dataset(X, codes, rng.normal(size=(ROWS, network.n_outputs)).astype(network.precision))
    weights = rng.uniform(0.5, 1.5, ROWS).astype(network.precision)
    return Dataset(X, codes, rng.integers(0, network.n_outputs, ROWS), weights)


def trained(arguments: TrainingArguments, dataset: Dataset, steps: int) -> TrainState:
    """The state after some steps of the training."""
    state = TrainState.create(arguments.network, arguments.optimizer, RandomStreams.of(3), 1, dataset)

    def after(step: int) -> LoopSignal:
        return LoopSignal.STOP if step >= steps else LoopSignal.CONTINUE

    if steps:
        with closing(fit(arguments, state, dataset, after_batch=after)) as training:
            deque(training, maxlen=0)
    return state


def traced(arguments: TrainingArguments, dataset: Dataset, state: TrainState, *, every: bool = False) -> TracedStep:
    """The next step, in the order of the training."""
    with closing(Batches(dataset, arguments.batch_size, state.streams.shuffle)) as batches:
        if state.position:
            batches.rng.bit_generator.state = state.order
        batches.shuffle()
        length = TrainingLength(arguments.epochs, batches.steps)
        return trace_step(arguments, state, batches, state.position, length, every=every)


TANH = Dense(units=4, activation=Tanh())
CASES = {
    "linear": arguments_of(network_of(), optimizer=Sgd()),
    "momentum, penalties and clipping": arguments_of(
        network_of(TANH), optimizer=Sgd(momentum=0.9, nesterov=True), l1=0.01, l2=0.1, clip_norm=0.1
    ),
    "classes": arguments_of(
        network_of(Dense(units=4, activation=Sigmoid())), loss=CrossEntropyLoss(label_smoothing=0.1)
    ),
    "two classes": arguments_of(network_of(TANH, n_outputs=1), loss=CrossEntropyLoss(), optimizer=AdamW()),
    "output activation": arguments_of(network_of(TANH, output_activation={"type": "sigmoid"})),
    "ntk": arguments_of(network_of(Scale(), Dense(units=4, activation=Tanh(), parametrization="ntk"))),
    "norms": arguments_of(network_of(TANH, BatchNorm(), LayerNorm(), ActivationLayer(activation=Tanh()))),
    "dropout": arguments_of(
        network_of(Dropout(rate=0.2), TANH, Dropout(rate=0.4, schedule="flat_cosine")), optimizer=Sgd()
    ),
    "no dropout at the input": arguments_of(network_of(Dropout(rate=0.0), TANH)),
    "residual": arguments_of(network_of(TANH, Residual(layers=(TANH, Dropout(rate=0.3))))),
    "alpha": arguments_of(network_of(Dense(units=4), ParametricActivation(activation=Tanh()))),
    "embeddings": arguments_of(
        network_of(
            TANH,
            embeddings=(Embedding(name="Y", n_embeddings=3, width=2),),
            numeric_features=(0, 2),
            numeric_embedding=Periodic(frequencies=2, width=3),
        )
    ),
    "schedule": arguments_of(network_of(TANH), schedule=CosineRate(peak=0.1, warmup_steps=3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 2, 4, 7])
@pytest.mark.parametrize("case", CASES)
def test_the_weights_after_a_traced_step_are_those_of_the_training_to_the_bit(case: str, steps: int) -> None:
    arguments, dataset = CASES[case], dataset_of(CASES[case])
    expected, state = trained(arguments, dataset, steps + 1), trained(arguments, dataset, steps)
    step = traced(arguments, dataset, state)
    assert step.step == steps + 1 == state.step
    for name, vector in expected.vectors.items():
        if not name.startswith("best"):
            assert np.array_equal(state.vectors[name], vector), name
    after = {update.name: update.after for layer in step.layers for update in layer.updates}
    assert all(np.array_equal(after[name], expected.parameters.by_name[name]) for name in after)
    assert set(after) == set(state.parameters.gradients)


@pytest.mark.parametrize("case", CASES)
def test_every_gradient_has_its_difference_beside_it(case: str) -> None:
    arguments = CASES[case]
    dataset = dataset_of(arguments)
    step = traced(arguments, dataset, trained(arguments, dataset, 1), every=True)
    symbols = set()
    for layer in step.layers:
        for gradient in layer.backward:
            assert gradient.differences is not None
            assert np.allclose(gradient.differences, gradient.values, rtol=1e-3, atol=2e-6), (layer.name, gradient)
            assert gradient.kinks == 0
            symbols.add(gradient.symbol)
        assert all(value.formula for value in layer.forward)
    assert {"dW", "db", "dZ"} <= symbols
    assert sum(len(layer.parameters) for layer in step.layers) == len(step_parameters(arguments))


def step_parameters(arguments: TrainingArguments) -> list[str]:
    return list(arguments.network.layout.empty("float32").gradients)


@pytest.mark.parametrize("case", ["linear", "classes", "two classes"])
def test_the_parts_of_the_rows_add_up_to_the_loss(case: str) -> None:
    dataset = dataset_of(CASES[case])
    step = traced(CASES[case], dataset, trained(CASES[case], dataset, 0))
    assert step.row_losses.sum() == pytest.approx(step.loss, rel=1e-6)
    assert len(step.row_losses) == len(step.batch) == 6


def test_a_large_gradient_is_checked_by_its_norm_unless_every_number_is_asked_for() -> None:
    arguments = arguments_of(network_of(Dense(units=30, activation=Tanh())))
    dataset = dataset_of(arguments)
    large = traced(arguments, dataset, trained(arguments, dataset, 0)).layers[0].backward
    assert [gradient.symbol for gradient in large] == ["dY", "dZ", "dW", "db"]
    for gradient in large[:3]:
        assert gradient.differences is None
        assert gradient.norm_difference == pytest.approx(gradient.norm, rel=1e-5)
    assert large[3].norm_difference is None
    every = traced(arguments, dataset, trained(arguments, dataset, 0), every=True).layers[0].backward
    assert all(gradient.differences is not None for gradient in every)


def test_a_kink_of_the_loss_is_counted_and_no_other_difference_is_wrong() -> None:
    arguments = arguments_of(network_of(Dense(units=2, activation=Relu())))
    dataset = dataset_of(arguments)
    dataset.X[:] = 0.0  # with biases of 0, every unit is at the kink of its ReLU
    step = traced(arguments, dataset, trained(arguments, dataset, 0))
    kinks = {gradient.symbol: gradient.kinks for gradient in step.layers[0].backward}
    assert kinks == {"dY": 0, "dZ": 12, "dW": 0, "db": 2}


def test_a_step_that_diverges_is_an_error() -> None:
    arguments = arguments_of(network_of(), optimizer=Sgd(), schedule=ConstantRate(peak=1e30))
    dataset = dataset_of(arguments)
    state = trained(arguments, dataset, 0)
    traced(arguments, dataset, state)
    with pytest.raises(NncliError):
        traced(arguments, dataset, replace(state, position=1, order=dict(state.streams.shuffle.bit_generator.state)))


@pytest.mark.parametrize(
    "case", json.loads((FOLDER / "trace" / "steps.json").read_text("utf-8")), ids=lambda c: c["name"]
)
def test_the_numbers_of_a_step_are_those_of_pytorch(case: dict[str, Any]) -> None:
    network = Network.model_validate(case["network"])
    classes = case["loss"] == "cross_entropy"
    arguments = arguments_of(
        network,
        loss=CrossEntropyLoss() if classes else MSELoss(),
        optimizer=Adam() if case["optimizer"] == "adam" else Sgd(momentum=0.9),
        batch_size=len(case["X"]),
        l2=case["l2"],
    )
    y = np.array(case["y"])
    dataset = Dataset(np.array(case["X"]), np.empty((len(y), 0), np.int64), y)
    state = TrainState.create(network, arguments.optimizer, RandomStreams.of(0), 1, dataset)
    for name, values in case["initial"].items():
        state.parameters.by_name[name][...] = values
    batches = Batches(dataset, len(y), state.streams.shuffle)
    for expected in case["steps"]:
        step = trace_step(arguments, state, batches, 0, TrainingLength(3, 1), every=True)
        result = {
            f"{layer.name}.{v.symbol}": v.values for layer in step.layers for v in (*layer.forward, *layer.backward)
        }
        result |= {f"{update.name} after": update.after for layer in step.layers for update in layer.updates}
        assert set(result) == set(expected["values"])
        assert step.loss == pytest.approx(expected["loss"], rel=1e-12)
        for name, values in expected["values"].items():
            assert np.allclose(result[name], values, rtol=1e-10, atol=1e-14), name
