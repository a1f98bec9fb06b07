"""The cases of the reference files: small networks, their data and where they start, all drawn from seeds. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np

from nncli.nn.activations import Activation, Elu, Gelu, LeakyRelu, Mish, Relu, Selu, Silu, Softmax, Tanh
from nncli.nn.embeddings import Embedding
from nncli.nn.layers.dense import Dense, Parametrization
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import Layer, ParametricActivation, Residual, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import (
    ClassificationLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    Loss,
    MAELoss,
    MSELoss,
    PoissonLoss,
    QuantileLoss,
    QuantilesLoss,
)
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding, Periodic, PiecewiseLinear
from nncli.nn.optim.optimizers import Adagrad, Adam, AdamW, Lion, Optimizer, RmsProp, Sgd
from tests.reference.replay import Case

ROWS = 20
BATCH_SIZE = 8  # the last batch has 4 rows
FEATURES = 3


def make_case(
    name: str,
    layers: Sequence[Layer],
    *,
    seed: int,
    loss: Loss | None = None,
    optimizer: Optimizer | None = None,
    rate: float = 0.05,
    outputs: int = 2,
    output_activation: Activation | None = None,
    output_parametrization: Parametrization | None = None,
    embeddings: tuple[Embedding, ...] = (),
    numeric_features: tuple[int, ...] = (),
    numeric_embedding: NumericEmbedding | None = None,
    weighted: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    clip_norm: float | None = None,
) -> Case:
    """A case with data and initial parameters drawn from `seed`, rounded so that the file stays small."""
    rng = np.random.default_rng(seed)
    network = Network(
        n_features=FEATURES,
        embeddings=embeddings,
        layers=tuple(layers),
        n_outputs=outputs,
        output_activation=output_activation,
        precision="float64",
        numeric_features=numeric_features,
        numeric_embedding=numeric_embedding,
        output_parametrization=output_parametrization,
    )
    loss = loss or MSELoss()
    X = np.round(rng.normal(size=(ROWS, FEATURES)), 3)
    initial = network.initialize(rng).by_name
    for spec in network.layout.specs:  # biases, scales and statistics off their usual 0 and 1, to be told apart
        initial[spec.name][...] += np.round(np.abs(rng.normal(0.0, 0.2, spec.shape)), 4)
    return Case(
        name=name,
        network=network,
        loss=loss,
        optimizer=optimizer or Sgd(),
        learning_rate=rate,
        batch_size=BATCH_SIZE,
        l1=l1,
        l2=l2,
        clip_norm=clip_norm,
        X=X.tolist(),
        codes=[[int(rng.integers(e.n_embeddings)) for e in embeddings] for _ in range(ROWS)],
        y=_targets(loss, outputs, rng),
        weights=np.round(rng.uniform(0.2, 1.8, ROWS), 3).tolist() if weighted else None,
        initial={name: np.round(value, 4).tolist() for name, value in initial.items()},
    )


def _targets(loss: Loss, outputs: int, rng: np.random.Generator) -> list[list[float]] | list[int]:
    if isinstance(loss, ClassificationLoss):
        return [int(code) for code in rng.integers(max(2, outputs), size=ROWS)]
    if isinstance(loss, PoissonLoss):
        return [[float(count) for count in row] for row in rng.poisson(2.0, (ROWS, outputs))]
    targets = outputs // loss.outputs(1)
    return [[float(number) for number in row] for row in np.round(rng.normal(size=(ROWS, targets)), 3)]


def hidden_activations() -> list[Activation]:
    """Every activation a hidden layer may have, with settings other than the usual where there are settings."""
    settings: dict[type[Any], Activation] = {LeakyRelu: LeakyRelu(slope=0.2), Elu: Elu(alpha=0.7)}
    classes = get_args(get_args(Activation)[0])  # of Annotated[A | B | ..., ...]
    return [settings.get(f, f()) for f in classes if f is not Softmax]


def layer_cases() -> Iterator[Case]:
    """Each layer, alone and inside others."""
    tanh = Tanh()
    cases: dict[str, list[Layer]] = {
        "dense": [Dense(units=5, activation=tanh), Dense(units=4, activation=tanh)],
        "dense without bias": [Dense(units=5, activation=tanh, bias=False)],
        "no hidden layer": [],
        "dropout of nothing": [Dense(units=5, activation=tanh), Dropout(rate=0.0), Dense(units=4)],
        "batch_norm": [Dense(units=5, bias=False), BatchNorm(), ActivationLayer(activation=tanh)],
        "batch_norm first": [BatchNorm(momentum=0.3, epsilon=1e-3), Dense(units=5, activation=tanh)],
        "batch_norm twice": [BatchNorm(), Dense(units=4, bias=False), BatchNorm(), ActivationLayer(activation=Relu())],
        "layer_norm": [Dense(units=5), LayerNorm(), ActivationLayer(activation=tanh)],
        "layer_norm first": [LayerNorm(epsilon=1e-3), Dense(units=5, activation=tanh)],
        "activation first": [ActivationLayer(activation=tanh), Dense(units=5, activation=tanh)],
        "residual": [Dense(units=5, activation=tanh), Residual(layers=(Dense(units=5, activation=tanh),))],
        "residual first": [Residual(layers=(Dense(units=4, activation=tanh), Dense(units=3)))],
        "residual in residual": [
            Residual(layers=(LayerNorm(), Residual(layers=(Dense(units=3, activation=Gelu()),)), Dense(units=3)))
        ],
        "residual with batch_norm": [
            Dense(units=4),
            Residual(layers=(BatchNorm(), ActivationLayer(activation=Silu()), Dense(units=4))),
        ],
    }
    for seed, (name, layers) in enumerate(cases.items(), start=100):
        yield make_case(f"layer: {name}", layers, seed=seed)
    tables = (Embedding(name="colour", n_embeddings=3, width=2), Embedding(name="size", n_embeddings=4, width=1))
    yield make_case("layer: embeddings", [Dense(units=4, activation=tanh)], seed=150, embeddings=tables)


def activation_cases() -> Iterator[Case]:
    """Each activation in hidden layers, and forced upon the output."""
    for seed, f in enumerate(hidden_activations(), start=200):
        layers: list[Layer] = [Dense(units=5, activation=f), ActivationLayer(activation=f)]
        yield make_case(f"activation: {f.type} hidden", layers, seed=seed)
    for seed, f in enumerate([*hidden_activations(), Softmax()], start=250):
        outputs = 3 if isinstance(f, Softmax) else 2
        layers = [Dense(units=4, activation=Tanh())]
        yield make_case(f"activation: {f.type} forced", layers, seed=seed, outputs=outputs, output_activation=f)


def loss_cases() -> Iterator[Case]:
    """Each loss, with rows that count the same and rows that do not."""
    losses: dict[str, tuple[Loss, int]] = {
        "mse": (MSELoss(), 2),
        "mae": (MAELoss(), 2),
        "huber": (HuberLoss(delta=0.6), 2),
        "quantile": (QuantileLoss(q=0.8), 2),
        "poisson": (PoissonLoss(), 2),
        "softmax": (CrossEntropyLoss(), 3),
        "softmax, smoothed": (CrossEntropyLoss(label_smoothing=0.15), 3),
        "logistic": (CrossEntropyLoss(), 1),
        "logistic, smoothed": (CrossEntropyLoss(label_smoothing=0.15), 1),
        "hinge": (HingeLoss(), 3),
        "hinge, two classes": (HingeLoss(), 1),
        "quantiles": (QuantilesLoss(levels=(0.1, 0.5, 0.8)), 6),
    }
    for seed, (name, (loss, outputs)) in enumerate(losses.items(), start=300):
        for weighted in (False, True):
            yield make_case(
                f"loss: {name}{', weighted' if weighted else ''}",
                [Dense(units=4, activation=Tanh())],
                seed=seed + 50 * weighted,
                loss=loss,
                outputs=outputs,
                weighted=weighted,
            )


def optimizer_cases() -> Iterator[Case]:
    """Each optimizer, then l1, l2 and clipping with some of them."""
    layers: list[Layer] = [Dense(units=4, activation=Tanh())]
    optimizers: dict[str, tuple[Optimizer, float]] = {
        "sgd": (Sgd(), 0.05),
        "momentum": (Sgd(momentum=0.9), 0.02),
        "nesterov": (Sgd(momentum=0.9, nesterov=True), 0.02),
        "rmsprop": (RmsProp(rho=0.95, epsilon=1e-6), 0.01),
        "adagrad": (Adagrad(), 0.05),
        "adam": (Adam(), 0.01),
        "adam with other betas": (Adam(beta1=0.8, beta2=0.99, epsilon=1e-3), 0.02),
        "adamw": (AdamW(weight_decay=0.1), 0.02),
        "lion": (Lion(), 0.003),
        "lion with decay": (Lion(beta1=0.8, beta2=0.95, weight_decay=0.2), 0.003),
    }
    for seed, (name, (optimizer, rate)) in enumerate(optimizers.items(), start=400):
        yield make_case(f"optimizer: {name}", layers, seed=seed, optimizer=optimizer, rate=rate)
    yield make_case("penalty: l1", layers, seed=450, l1=0.01)
    yield make_case("penalty: l2", layers, seed=451, l2=0.1)
    yield make_case("penalty: l2 with adam", layers, seed=452, l2=0.1, optimizer=Adam(), rate=0.01)
    yield make_case("clip_norm", layers, seed=453, clip_norm=0.3)
    yield make_case("clip_norm, l1, l2", layers, seed=454, clip_norm=0.5, l1=0.01, l2=0.05, optimizer=Sgd(momentum=0.9))


def random_cases() -> Iterator[Case]:
    """All of it mixed, as the seed wills."""
    optimizers: list[tuple[Optimizer, float]] = [
        (Sgd(momentum=0.8, nesterov=True), 0.02),
        (RmsProp(), 0.003),
        (Adagrad(), 0.05),
        (Adam(), 0.01),
        (AdamW(weight_decay=0.05), 0.01),
    ]
    losses: list[tuple[Loss, int]] = [
        (MSELoss(), 1),
        (HuberLoss(), 2),
        (PoissonLoss(), 1),
        (CrossEntropyLoss(), 1),
        (CrossEntropyLoss(label_smoothing=0.1), 4),
        (HingeLoss(), 3),
    ]
    activations = hidden_activations()
    for seed in range(500, 512):
        rng = np.random.default_rng(seed)
        layers: list[Layer] = []
        for _ in range(int(rng.integers(1, 4))):
            units, f = int(rng.integers(2, 6)), activations[rng.integers(len(activations))]
            blocks: list[list[Layer]] = [
                [Dense(units=units, activation=f)],
                [Dense(units=units, bias=False), BatchNorm(), ActivationLayer(activation=f)],
                [Dense(units=units), LayerNorm(), ActivationLayer(activation=f)],
                [Dense(units=units), Residual(layers=(Dense(units=3, activation=f), Dense(units=units)))],
            ]
            layers += blocks[rng.integers(len(blocks))]
        loss, outputs = losses[seed % len(losses)]
        optimizer, rate = optimizers[seed % len(optimizers)]
        yield make_case(
            f"random: {seed}",
            layers,
            seed=seed,
            loss=loss,
            outputs=outputs,
            optimizer=optimizer,
            rate=rate / 4.0 if isinstance(loss, PoissonLoss) else rate,  # exp takes off at the others' rate
            weighted=bool(rng.integers(2)),
            l2=0.01 * float(rng.integers(2)),
            clip_norm=1.0 if isinstance(loss, PoissonLoss) or rng.integers(2) else None,
        )


def realmlp_cases() -> Iterator[Case]:
    """What Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024, add to a network: each alone, then all."""
    tanh, mish, selu = Tanh(), Mish(), Selu()
    ntk = Dense(units=4, activation=tanh, parametrization="ntk")
    yield make_case("realmlp: scale", [Dense(units=4, activation=tanh), Scale()], seed=600)
    yield make_case("realmlp: scale first", [Scale(), Dense(units=4, activation=tanh)], seed=601)
    yield make_case("realmlp: ntk", [ntk, ntk], seed=602, output_parametrization="ntk")
    yield make_case("realmlp: ntk without bias", [ntk.model_copy(update={"bias": False})], seed=603)
    for seed, f in enumerate(hidden_activations(), start=610):
        yield make_case(
            f"realmlp: parametric {f.type}",
            [Dense(units=4), ParametricActivation.model_validate({"activation": f})],
            seed=seed,
        )
    yield make_case("realmlp: parametric first", [ParametricActivation(activation=mish), Dense(units=4)], seed=630)
    table = (Embedding(name="colour", n_embeddings=3, width=2),)
    embeddings: dict[str, NumericEmbedding] = {
        "periodic": Periodic(frequencies=5, width=3, sigma=0.5),
        "piecewise_linear": PiecewiseLinear(bins=3, width=2),
    }
    for seed, (name, embedding) in enumerate(embeddings.items(), start=640):
        layers: list[Layer] = [Dense(units=4, activation=tanh)]
        yield make_case(f"realmlp: {name}", layers, seed=seed, numeric_features=(0, 1, 2), numeric_embedding=embedding)
        yield make_case(
            f"realmlp: {name} of some",
            layers,
            seed=seed + 10,
            numeric_features=(0, 2),
            numeric_embedding=embedding,
            embeddings=table,
        )
    wholes: list[tuple[Activation, Loss, int]] = [
        (selu, CrossEntropyLoss(label_smoothing=0.1), 3),
        (mish, CrossEntropyLoss(label_smoothing=0.1), 2),
        (mish, MSELoss(), 1),
    ]
    for seed, (f, loss, outputs) in enumerate(wholes, start=670):
        block: list[Layer] = [
            Dense(units=6, parametrization="ntk"),
            ParametricActivation.model_validate({"activation": f}),
        ]
        yield make_case(
            f"realmlp: whole, {f.type} and {loss.type} of {outputs}",
            [Scale(), *block, *block, *block],
            seed=seed,
            loss=loss,
            outputs=outputs,
            optimizer=Adam(beta2=0.95),
            rate=0.01,
            output_parametrization="ntk",
            numeric_features=(0, 2),
            numeric_embedding=Periodic(),
            embeddings=table,
        )


FILES: Mapping[str, Callable[[], Iterator[Case]]] = {
    "layers.json": layer_cases,
    "activations.json": activation_cases,
    "losses.json": loss_cases,
    "optimizers.json": optimizer_cases,
    "random.json": random_cases,
    "realmlp.json": realmlp_cases,
}
