"""The libraries that nncli is compared with, each used as its own documentation advises for speed.

    nncli         training.loop.fit, the real loop with its checks and reports; nncli[fast] has its compiled kernels
    PyTorch       batches by indexing a tensor, fused Adam
    JAX           a whole epoch in one jitted lax.scan, awaited once an epoch
    Keras         on JAX: compiled `fit`, every step of an epoch in one execution
    scikit-learn  MLPClassifier or MLPRegressor, `fit` from the weights it has, without its stopping early

All train in float32 with Adam, shuffle the rows anew in every epoch and train on the last, smaller batch too. Hidden
layers are relu; one output is a mean squared error, two classes share one logistic output, more have a softmax.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sizes import RATE, Size
from timing import refusal

Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Learner:
    """A network that is ready: `train(epochs)` trains on and waits for the end, `save(folder)` writes it down."""

    train: Callable[[int], object]
    save: Callable[[Path], object]


def set_up_nncli(size: Size, X: Rows, y: Rows, threads: int, **settings: Any) -> Learner:
    from nncli.base.threads import limit_blas_threads
    from nncli.fitting.prepare.execution import choose_threads
    from nncli.nn.activations import Relu
    from nncli.nn.batches.dataset import Dataset
    from nncli.nn.layers.dense import Dense
    from nncli.nn.losses import CrossEntropyLoss, MSELoss
    from nncli.nn.network import Network
    from nncli.nn.optim.optimizers import Adam
    from nncli.nn.optim.schedules import ConstantRate
    from nncli.nn.training.arguments import TrainingArguments
    from nncli.nn.training.compiled.support import load
    from nncli.nn.training.loop import fit
    from nncli.nn.training.state import RandomStreams, TrainState

    network = Network(
        n_features=X.shape[1],
        layers=tuple(Dense(units=units, activation=Relu()) for units in size.widths[1:-1]),
        n_outputs=size.outputs,
    )
    parts = min(threads, choose_threads("auto", network, size.batch).n_shards)
    plan = TrainingArguments(
        network=network,
        loss=MSELoss() if size.is_regression else CrossEntropyLoss(),
        optimizer=Adam(),
        schedule=ConstantRate(peak=RATE),
        batch_size=size.batch,
        epochs=10**9,
        n_shards=parts,
        **settings,
    )
    load(plan.backend)
    state = TrainState.create(network, plan.optimizer, RandomStreams.of(0), parts)
    reports = fit(plan, state, Dataset(X, np.empty((len(X), 0), np.int64), y), max_batches=lambda step: sys.maxsize)

    def train(epochs: int) -> None:
        with limit_blas_threads(1):
            for _ in range(epochs):
                next(reports)

    return Learner(train, lambda folder: np.save(folder / "theta.npy", state.parameters.theta))


def set_up_nncli_fast(size: Size, X: Rows, y: Rows, threads: int) -> Learner:
    return set_up_nncli(size, X, y, threads, backend="numba")


def set_up_torch(size: Size, X: Rows, y: Rows, threads: int) -> Learner:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    A, t = torch.from_numpy(X), torch.from_numpy(y)
    layers: list[torch.nn.Module] = []
    for d, units in size.layers:
        layers += [torch.nn.Linear(d, units), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    loss_of = torch.nn.MSELoss()
    if not size.is_regression:
        loss_of = torch.nn.BCEWithLogitsLoss() if size.outputs == 1 else torch.nn.CrossEntropyLoss()
    if not size.is_regression and size.outputs == 1:
        t = t[:, None].to(torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)

    def train(epochs: int) -> float:
        total = 0.0
        for _ in range(epochs):
            order = torch.randperm(len(A))
            for start in range(0, len(A), size.batch):
                at = order[start : start + size.batch]
                optimizer.zero_grad()
                loss = loss_of(network(A[at]), t[at])
                loss.backward()
                optimizer.step()
                total += loss.item()
        return total

    return Learner(train, lambda folder: torch.save(network.state_dict(), folder / "weights.pt"))


def set_up_jax(size: Size, X: Rows, y: Rows, threads: int) -> Learner:
    import jax
    import jax.numpy as jnp

    A, target = jnp.asarray(X), jnp.asarray(y)
    rng = np.random.default_rng(0)
    theta: Any = [
        (jnp.asarray(rng.normal(0.0, (2.0 / d) ** 0.5, (d, units)), jnp.float32), jnp.zeros(units, jnp.float32))
        for d, units in size.layers
    ]
    zeros = jax.tree.map(jnp.zeros_like, theta)
    steps, whole = len(X) // size.batch, len(X) // size.batch * size.batch

    def loss_of(theta: Any, X: Any, y: Any) -> Any:
        for W, b in theta[:-1]:
            X = jax.nn.relu(X @ W + b)
        W, b = theta[-1]
        Z = X @ W + b
        if size.is_regression:
            return jnp.mean((Z - y) ** 2)
        if size.outputs == 1:
            return jnp.mean(jax.nn.softplus(Z[:, 0]) - y * Z[:, 0])
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1))

    def step(carry: Any, at: Any) -> Any:
        theta, m, v, t = carry
        loss, grad = jax.value_and_grad(loss_of)(theta, A[at], target[at])
        t += 1.0
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grad)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grad)
        a, b = 1.0 - 0.9**t, 1.0 - 0.999**t
        theta = jax.tree.map(lambda w, m, v: w - RATE * (m / a) / (jnp.sqrt(v / b) + 1e-8), theta, m, v)
        return (theta, m, v, t), loss

    @jax.jit  # type: ignore[untyped-decorator, unused-ignore]  # JAX may be missing, and then it is Any
    def epoch(carry: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(X))
        carry, losses = jax.lax.scan(step, carry, order[:whole].reshape(steps, size.batch))
        return (carry, losses) if whole == len(X) else (step(carry, order[whole:])[0], losses)

    carry: Any = (theta, zeros, zeros, jnp.float32(0.0))
    key = jax.random.key(0)

    def train(epochs: int) -> None:
        nonlocal carry, key
        for _ in range(epochs):
            key, now = jax.random.split(key)
            carry, losses = epoch(carry, now)
            jax.block_until_ready((carry, losses))

    def save(folder: Path) -> None:
        np.savez(folder / "weights.npz", *(np.asarray(part) for layer in carry[0] for part in layer))

    return Learner(train, save)


def set_up_keras(size: Size, X: Rows, y: Rows, threads: int) -> Learner:
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.layers.Input((X.shape[1],)),
            *(keras.layers.Dense(units, activation="relu") for units in size.widths[1:-1]),
            keras.layers.Dense(size.outputs),
        ]
    )
    loss_of: Any = keras.losses.MeanSquaredError()
    if not size.is_regression:
        of_classes = (
            keras.losses.BinaryCrossentropy if size.outputs == 1 else keras.losses.SparseCategoricalCrossentropy
        )
        loss_of = of_classes(from_logits=True)
    target = y[:, None].astype(np.float32) if not size.is_regression and size.outputs == 1 else y
    steps = len(X) // size.batch
    network.compile(keras.optimizers.Adam(RATE), loss_of, jit_compile=True, steps_per_execution=steps)
    return Learner(
        lambda epochs: network.fit(X, target, batch_size=size.batch, epochs=epochs, verbose=0),
        lambda folder: network.save(folder / "model.keras"),
    )


def set_up_sklearn(size: Size, X: Rows, y: Rows, threads: int) -> Learner:
    import joblib
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    network = (MLPRegressor if size.is_regression else MLPClassifier)(
        hidden_layer_sizes=size.widths[1:-1],
        batch_size=size.batch,
        alpha=0.0,
        learning_rate_init=RATE,
        random_state=0,
        warm_start=True,
        n_iter_no_change=10**9,
    )

    def train(epochs: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            network.set_params(max_iter=epochs).fit(X, y.ravel())

    return Learner(train, lambda folder: joblib.dump(network, folder / "model.joblib"))


@dataclass(frozen=True)
class Peer:
    """A library: its title, the packages that it needs with the modules they bring, and how it is set up."""

    title: str
    modules: dict[str, str]
    set_up: Callable[[Size, Rows, Rows, int], Learner]
    setting: str | None = None
    """Of nncli's configuration; an nncli that refuses it, or lacks what it needs, is no peer."""

    @property
    def is_installed(self) -> bool:
        """Whether it is there; why an nncli is left out is printed."""
        if not all(map(importlib.util.find_spec, self.modules.values())):
            return False
        reason = refusal(self.setting) if self.setting and self.title != NNCLI else None
        if reason:
            print(f"{self.title} is left out: {reason}")
        return reason is None


NNCLI, FAST = "nncli", "nncli[fast]"
PEERS = {
    peer.title: peer
    for peer in (
        Peer(NNCLI, {"numpy": "numpy"}, set_up_nncli, "backend=numpy"),
        Peer(FAST, {"numba": "numba"}, set_up_nncli_fast, "backend=numba"),
        Peer("PyTorch", {"torch": "torch"}, set_up_torch),
        Peer("JAX", {"jax": "jax"}, set_up_jax),
        Peer("Keras", {"keras": "keras", "jax": "jax"}, set_up_keras),
        Peer("scikit-learn", {"scikit-learn": "sklearn"}, set_up_sklearn),
    )
}
JITTED = "JAX"
"""The peer that is held apart: the goal against it is a share, and to be ahead of the others."""


def installed(wanted: list[str] | None) -> list[str]:
    """The titles of the peers that are there, nncli first; of the `wanted` ones, if any are named."""
    return [title for title, peer in PEERS.items() if (wanted is None or title in wanted) and peer.is_installed]


def versions() -> dict[str, str]:
    """The packages of all peers that are there, and what nncli stands on."""
    packages = ["numpy", "polars", *(package for peer in PEERS.values() for package in peer.modules)]
    result = {}
    for package in dict.fromkeys(packages):
        try:
            result[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return result
