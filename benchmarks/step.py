"""How long is one training step, beside PyTorch, scikit-learn and JAX?

    python benchmarks/step.py                         # one thread
    python benchmarks/step.py --threads 2 --rounds 15

Microseconds per step of Adam in float32: gather the batch, forward, loss, backward, update. Hidden layers are relu;
one output is a mean squared error, two classes share one logistic output, more classes have a softmax. Every peer
does what its users do to be fast:

    nncli         training.loop.fit, the real loop with its checks and reports
    PyTorch       batches by indexing a tensor, fused Adam
    scikit-learn  MLPClassifier or MLPRegressor, partial_fit on all rows, which is one epoch
    JAX           a whole epoch in one jitted lax.scan

Each peer has a process of its own for each size and is left out where it is not installed. The rounds go from peer to
peer, so that a busy moment of the machine hits all of them; the table shows medians. A ratio above 1 is in favour of
nncli.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

Epoch = Callable[[], object]
"""Trains for one epoch."""

RATE = 0.001
SECONDS = 0.4  # of one peer in one round


@dataclass(frozen=True)
class Size:
    """A network and how it is trained: `widths` from input to output, where more than one output means classes."""

    widths: tuple[int, ...]
    batch: int
    steps: int  # in an epoch

    @property
    def name(self) -> str:
        return "-".join(map(str, self.widths)) + f" / {self.batch}"

    @property
    def outputs(self) -> int:
        """Two classes share one output."""
        return 1 if self.widths[-1] == 2 else self.widths[-1]

    @property
    def is_regression(self) -> bool:
        return self.widths[-1] == 1

    def data(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """X (rows, features) and y: (rows, 1) numbers or (rows,) codes."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.batch * self.steps, self.widths[0])).astype(np.float32)
        if self.is_regression:
            return X, np.sin(X.sum(1, keepdims=True)).astype(np.float32)
        return X, np.argmax(X @ rng.normal(size=(self.widths[0], self.widths[-1])), axis=1)


SIZES = (
    Size((2, 16, 1), 32, 320),
    Size((20, 64, 64, 2), 32, 320),
    Size((100, 256, 256, 10), 256, 32),
    Size((784, 1024, 1024, 10), 1024, 4),
)


# ---------------------------------------------------------------------------------------------------------------------
# The peers: each imports its library and returns a function that trains for one epoch
# ---------------------------------------------------------------------------------------------------------------------


def set_up_nncli(size: Size, threads: int) -> Epoch:
    from nncli.data.examples import Examples
    from nncli.nn.activations import Relu
    from nncli.nn.layers import Dense
    from nncli.nn.losses import CrossEntropy, Mse
    from nncli.nn.network import Network
    from nncli.nn.optimizers import Adam
    from nncli.nn.schedules import ConstantRate
    from nncli.training.loop import fit
    from nncli.training.plan import Plan
    from nncli.training.state import State, Streams

    X, y = size.data()
    network = Network(
        features=X.shape[1],
        layers=tuple(Dense(units=units, activation=Relu()) for units in size.widths[1:-1]),
        outputs=size.outputs,
    )
    plan = Plan(
        network=network,
        loss=Mse() if size.is_regression else CrossEntropy(),
        optimizer=Adam(),
        schedule=ConstantRate(initial=RATE),
        batch_size=size.batch,
        epochs=10**9,
    )
    state = State.fresh(network, plan.optimizer, Streams.of(0))
    reports = fit(plan, state, Examples(X, np.empty((len(X), 0), np.int64), y))
    return lambda: next(reports)


def set_up_torch(size: Size, threads: int) -> Epoch:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    X, y = (torch.from_numpy(array) for array in size.data())
    widths = (*size.widths[:-1], size.outputs)
    layers: list[torch.nn.Module] = []
    for d, units in pairwise(widths):
        layers += [torch.nn.Linear(d, units), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    loss_of = torch.nn.MSELoss()
    if not size.is_regression:
        loss_of = torch.nn.BCEWithLogitsLoss() if size.outputs == 1 else torch.nn.CrossEntropyLoss()
    if not size.is_regression and size.outputs == 1:
        y = y[:, None].to(torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)

    def epoch() -> float:
        total = 0.0
        order = torch.randperm(len(X))
        for start in range(0, len(X), size.batch):
            at = order[start : start + size.batch]
            optimizer.zero_grad()
            loss = loss_of(network(X[at]), y[at])
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total

    return epoch


def set_up_sklearn(size: Size, threads: int) -> Epoch:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    X, y = size.data()
    network = (MLPRegressor if size.is_regression else MLPClassifier)(
        hidden_layer_sizes=size.widths[1:-1],
        batch_size=size.batch,
        alpha=0.0,
        learning_rate_init=RATE,
        random_state=0,
    )
    if size.is_regression:
        return lambda: network.partial_fit(X, y.ravel())
    classes = np.arange(size.widths[-1])
    return lambda: network.partial_fit(X, y, classes=classes)


def set_up_jax(size: Size, threads: int) -> Epoch:
    import jax
    import jax.numpy as jnp

    X, y = (jnp.asarray(array) for array in size.data())
    widths = (*size.widths[:-1], size.outputs)
    rng = np.random.default_rng(0)
    theta: Any = [
        (jnp.asarray(rng.normal(0.0, (2.0 / d) ** 0.5, (d, units)), jnp.float32), jnp.zeros(units, jnp.float32))
        for d, units in pairwise(widths)
    ]
    zeros = jax.tree.map(jnp.zeros_like, theta)

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
        loss, grad = jax.value_and_grad(loss_of)(theta, X[at], y[at])
        t += 1.0
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grad)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grad)
        a, b = 1.0 - 0.9**t, 1.0 - 0.999**t
        theta = jax.tree.map(lambda w, m, v: w - RATE * (m / a) / (jnp.sqrt(v / b) + 1e-8), theta, m, v)
        return (theta, m, v, t), loss

    @jax.jit  # type: ignore[untyped-decorator, unused-ignore]  # JAX may be missing, and then it is Any
    def run(carry: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(X)).reshape(size.steps, size.batch)
        return jax.lax.scan(step, carry, order)

    carry: Any = (theta, zeros, zeros, jnp.float32(0.0))
    key = jax.random.key(0)

    def epoch() -> None:
        nonlocal carry, key
        key, now = jax.random.split(key)
        carry, losses = run(carry, now)
        losses.block_until_ready()

    return epoch


@dataclass(frozen=True)
class Peer:
    """A library: its title, the module to import, the package that it comes in, and how it is set up."""

    title: str
    module: str
    package: str
    set_up: Callable[[Size, int], Epoch]


NNCLI = Peer("nncli", "nncli", "nncli-train", set_up_nncli)
OTHERS = (
    Peer("PyTorch", "torch", "torch", set_up_torch),
    Peer("scikit-learn", "sklearn", "scikit-learn", set_up_sklearn),
    Peer("JAX", "jax", "jax", set_up_jax),
)


# ---------------------------------------------------------------------------------------------------------------------
# A worker: trains for about SECONDS whenever a line comes in, and answers with microseconds per step
# ---------------------------------------------------------------------------------------------------------------------


def work(peer: Peer, size: Size, threads: int) -> None:
    """The process of one peer and one size."""
    if hasattr(os, "sched_setaffinity"):  # what no setting tells a library, the system does
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    epoch = peer.set_up(size, threads)
    epoch()  # compiles, allocates
    start = time.perf_counter()
    epoch()
    epochs = max(1, round(SECONDS / (time.perf_counter() - start)))
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(epochs):
            epoch()
        print(1e6 * (time.perf_counter() - start) / (epochs * size.steps), flush=True)


def environment(threads: int) -> dict[str, str]:
    """The environment of a worker: libraries read the number of threads from it while they are imported."""
    # OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, where present, hold BLAS to an older kernel
    kept = {k: v for k, v in os.environ.items() if k not in {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}}
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    single = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if threads == 1 else {}
    return {**kept, **dict.fromkeys(names, str(threads)), **single, "JAX_PLATFORMS": "cpu"}


class Worker:
    """The parent's end of a worker."""

    def __init__(self, peer: Peer, size: Size, threads: int) -> None:
        self._title = peer.title
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", peer.title, str(SIZES.index(size)), "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._title} ended with exit code {self._process.wait()}; its message is above")
        return line

    def measure(self) -> float:
        """Microseconds per step, measured now."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


# ---------------------------------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------------------------------


def measure(peers: list[Peer], size: Size, threads: int, rounds: int) -> dict[str, float]:
    """The median of every peer, by its title."""
    workers = {peer.title: Worker(peer, size, threads) for peer in peers}
    found: dict[str, list[float]] = {title: [] for title in workers}
    for _ in range(rounds):
        for title, worker in workers.items():
            found[title].append(worker.measure())
    for worker in workers.values():
        worker.close()
    return {title: median(values) for title, values in found.items()}


def print_row(name: str, found: Mapping[str, float], others: list[Peer]) -> None:
    """One line of the table: microseconds, then ratios."""
    ours = found["nncli"]
    cells = [f"{name:<28}", f"{ours:>12,.1f}", *(f"{found[peer.title]:>14,.1f}" for peer in others)]
    print(*cells, *(f"{found[peer.title] / ours:>21.2f}x" for peer in others), flush=True)


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="threads of every library (default 1)")
    parser.add_argument("--rounds", type=int, default=11, help="measurements of every peer (default 11)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        title, index = options.worker
        peer = next(peer for peer in (NNCLI, *OTHERS) if peer.title == title)
        work(peer, SIZES[int(index)], options.threads)
        return

    others = [peer for peer in OTHERS if importlib.util.find_spec(peer.module)]
    if options.json:
        result = {size.name: measure([NNCLI, *others], size, options.threads, options.rounds) for size in SIZES}
        print(json.dumps(result, indent=1))
        return
    versions = ", ".join(f"{peer.title} {importlib.metadata.version(peer.package)}" for peer in others)
    print(f"Microseconds per training step: Adam, float32, threads: {options.threads}, medians of {options.rounds}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}{', ' if versions else ''}{versions}")
    titles = [f"{peer.title:>14}" for peer in others]
    print(f"{'network / batch':<28}", f"{'nncli':>12}", *titles, *(f"{peer.title + ' / nncli':>22}" for peer in others))
    for size in SIZES:
        print_row(size.name, measure([NNCLI, *others], size, options.threads, options.rounds), others)


if __name__ == "__main__":
    main()
