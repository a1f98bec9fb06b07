"""Arguments for the compiled loops of kernels.py, which compute the same step as nncli/training/step.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.batches.batches import Batches
from nncli.nn.activations import ElementwiseActivation, Identity, LeakyRelu
from nncli.nn.arrays import Array, zeros_aligned
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import CrossEntropy
from nncli.nn.network import Network
from nncli.nn.parameters import DECAYED, Parameters, ParamGroup
from nncli.optim.optimizers import AdamW, OptimizerBase, Sgd, Step
from nncli.training.arguments import TrainingArguments
from nncli.training.compiled import kernels
from nncli.training.compiled.support import COMPILED_ACTIVATIONS
from nncli.training.step import GradientFn

RunSteps: TypeAlias = Callable[[int, npt.NDArray[np.float64], int], tuple[npt.NDArray[np.float64], bool]]
"""run(position, rates, t) trains on one batch for each learning rate, starting at `position` of the epoch.

It returns the loss of each batch that was run, and whether the last one's gradient was finite, if its loss was.
"""


@dataclass(frozen=True)
class KernelInputs:
    """The rows, loss and layers of a training as arguments of the loops."""

    data: tuple[Any, ...]
    layers: npt.NDArray[np.int64]
    activation_slopes: npt.NDArray[np.float32]

    @property
    def widths(self) -> int:
        """The total width of the input and all layers."""
        return int(self.layers[0, kernels.D] + self.layers[:, kernels.U].sum())

    def net(self, parameters: Parameters, rows: int) -> tuple[Any, ...]:
        """The network with its vectors, and buffers for a number of rows."""
        A, dA = (zeros_aligned(rows * self.widths, np.float32) for _ in range(2))
        return (self.layers, self.activation_slopes, parameters.theta, parameters.grad, A, dA)


def is_cached(parts: int) -> bool:
    """Whether Numba's cache folder holds compiled loops that are newer than their source."""
    loops: Any = kernels.train_batches if parts == 1 else kernels.gradient
    if loops.signatures:
        return True
    try:
        cached = Path(loops.stats.cache_path).glob(f"*.{loops.__name__}-*.nbc")
        return max((file.stat().st_mtime for file in cached), default=0.0) > Path(kernels.__file__).stat().st_mtime
    except OSError:
        return False


def _warm_up(loop: Any, *arguments: Any) -> None:
    """Compile a loop, or load it from the cache, by a call that does nothing.

    Cache files that cannot be read, for example after a power failure, are deleted and compiled again.
    """
    try:
        loop(*arguments)
    except Exception:
        for file in Path(loop.stats.cache_path).glob("kernels.*.nb?"):
            with suppress(OSError):
                file.unlink()
        loop(*arguments)


def kernel_inputs(arguments: TrainingArguments, batches: Batches) -> KernelInputs:
    """The inputs of the loops for a training that they support."""
    dataset, network, loss = batches.pool, arguments.network, arguments.loss
    k, classes = network.n_outputs, isinstance(loss, CrossEntropy)
    y = np.empty((0, k), np.float32) if classes else _contiguous(dataset.y)
    codes = _contiguous(dataset.y) if classes else np.empty(0, np.int64)
    w = np.empty(0, np.float32) if dataset.weights is None else _contiguous(dataset.weights)
    T = loss.targets(k, np.dtype(np.float32)) if isinstance(loss, CrossEntropy) else np.empty((0, 0), np.float32)
    loss_id = (kernels.LOGISTIC if k == 1 else kernels.SOFTMAX) if classes else kernels.MSE
    return KernelInputs((np.ascontiguousarray(dataset.X), y, codes, w, T, loss_id), *_table(network))


def _contiguous(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous, writable array: for any other the loops would be compiled again."""
    return np.require(array, requirements=["C", "W"])


def _table(network: Network) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    spans, d = network.layout.spans, network.input_width
    table, slopes = [], []
    for name, layer in network.sequential.named_layers:
        assert isinstance(layer, Dense)
        f: ElementwiseActivation = layer.activation or Identity()
        bias = spans[f"{name}.bias"][0].start if layer.bias else -1
        units = layer.out_features(d)
        table.append((d, units, spans[f"{name}.weight"][0].start, bias, COMPILED_ACTIVATIONS.index(type(f))))
        slopes.append(f.slope if isinstance(f, LeakyRelu) else 0.0)
        d = units
    return np.array(table, np.int64), np.array(slopes, np.float32)


def bind_gradient(
    inputs: KernelInputs, parameters: Parameters, batches: Batches, rows: slice, batch: int
) -> GradientFn:
    """The compiled counterpart of nncli.training.step.bind_gradient."""
    data, net, start, stop = inputs.data, inputs.net(parameters, rows.stop - rows.start), rows.start, rows.stop
    _warm_up(kernels.gradient, data, net, batches.order[:1], batch)  # every step overwrites the gradient

    def gradient(i: int) -> float:
        return kernels.gradient(data, net, batches.pool_indices(i)[start:stop], batch)

    return gradient


def _optimizer_arguments(optimizer: OptimizerBase, moments: Mapping[str, Array], decayed: int) -> tuple[Any, ...]:
    """The optimizer as arguments of nncli.training.compiled.kernels.optimizer_step."""
    if isinstance(optimizer, Sgd):
        (v,) = moments.values()
        return v, v, kernels.SGD, np.array([optimizer.momentum, optimizer.nesterov, 0.0, 0.0]), decayed
    decay = optimizer.weight_decay if isinstance(optimizer, AdamW) else 0.0
    o: Any = optimizer  # an Adam, since it is supported
    return moments["mean"], moments["square"], kernels.ADAM, np.array([o.beta1, o.beta2, o.epsilon, decay]), decayed


def bind_optimizer(
    optimizer: OptimizerBase,
    theta: Array,
    grad: Array,
    moments: Mapping[str, Array],
    *,
    groups: Mapping[ParamGroup, slice],
    progress: Array,
) -> Step:
    """The compiled counterpart of the optimizer's bind; no supported optimizer depends on `progress`."""
    decayed = max((span.stop for group, span in groups.items() if group in DECAYED), default=0)
    arguments = _optimizer_arguments(optimizer, moments, decayed)
    _warm_up(kernels.optimizer_step, theta[:0], grad[:0], (*arguments[:-1], 0), 0.0, 1)

    def step(learning_rate: float, t: int) -> None:
        kernels.optimizer_step(theta, grad, arguments, learning_rate, t)

    return step


def bind_run(
    arguments: TrainingArguments, parameters: Parameters, moments: Mapping[str, Array], batches: Batches
) -> RunSteps:
    """Bind the loop that runs many steps in one call."""
    inputs, batch, losses = kernel_inputs(arguments, batches), batches.batch_size, np.empty(batches.steps)
    net = inputs.net(parameters, batch)
    optimizer = _optimizer_arguments(arguments.optimizer, moments, parameters.layout.n_decayed)
    extras = (arguments.l1, arguments.l2, arguments.clip_norm or 0.0)
    _warm_up(kernels.train_batches, inputs.data, net, optimizer, extras, batches.order, batch, np.empty(0), 1, losses)

    def run(position: int, rates: npt.NDArray[np.float64], t: int) -> tuple[npt.NDArray[np.float64], bool]:
        order = batches.pool_indices(position)
        done, finite = kernels.train_batches(inputs.data, net, optimizer, extras, order, batch, rates, t, losses)
        return losses[:done], finite

    return run
