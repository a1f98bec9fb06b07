"""Arguments for the compiled loops of kernels.py, which compute the same step as nncli/nn/training/step.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array, Floats
from nncli.nn.batches.batches import Batches
from nncli.nn.layers.layer import annealing_factor
from nncli.nn.losses import LossBase
from nncli.nn.losses.loss import Kernel
from nncli.nn.optim.optimizers import DecoupledWeightDecay, OptimizerBase, Sgd, Step, merge_groups
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.parameters import Parameters, ParamGroup
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.compiled import cache, inputs, kernels
from nncli.nn.training.compiled.blocks import Bins, NetworkArguments
from nncli.nn.training.compiled.cache import warm_up
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import GradientFn

RunSteps: TypeAlias = Callable[[int, Floats, int], tuple[Floats, bool]]
"""run(position, rates, t) trains on one batch for each learning rate, starting at `position` of the epoch.

It returns the loss of each batch that was run, and whether the last one's gradient was finite, if its loss was.
"""


def is_cached() -> bool:
    """Whether the loops are compiled, in this process or on disk."""
    return cache.is_cached(kernels.train_batches)


KERNELS: dict[Kernel, int] = {
    "mse": kernels.MSE,
    "logistic": kernels.LOGISTIC,
    "softmax": kernels.SOFTMAX,
    "pinball": kernels.PINBALL,
}
"""The number of the loop of each loss."""


@dataclass(frozen=True)
class KernelInputs:
    """The rows, loss and network of a training as arguments of the loops."""

    data: tuple[Any, ...]
    network: NetworkArguments
    bins: Bins


def kernel_inputs(arguments: TrainingArguments, parameters: Parameters, batches: Batches) -> KernelInputs:
    """The inputs of the loops for a training that they support, whose edges of bins are placed."""
    dataset, network, loss = batches.pool, arguments.network, arguments.loss
    k, classes = network.n_outputs, dataset.y.dtype.kind == "i"
    y = np.empty((0, k), np.float32) if classes else _contiguous(dataset.y)
    codes = _contiguous(dataset.y) if classes else np.empty(0, np.int64)
    w = np.empty(0, np.float32) if dataset.weights is None else _contiguous(dataset.weights)
    data = (_contiguous(dataset.X), _contiguous(dataset.codes), y, codes, w, *_loss_arguments(loss, k))
    fixed_rows = 0 if batches.dataset.storage else len(dataset)
    bins = Bins.of(network, parameters, fixed_rows)
    if len(bins.bins):
        inputs.locate_all(data[0], bins.columns, bins.edges, bins.width, bins.bins, bins.fractions)
    return KernelInputs(data, NetworkArguments.of(network), bins)


def _loss_arguments(loss: LossBase, k: int) -> tuple[npt.NDArray[np.float32], int]:
    """The table of a loss, of its targets or its levels, and the number of its loop; the network has k outputs."""
    kernel = loss.kernel(k)
    assert kernel is not None
    name, table = kernel
    return table, KERNELS[name]


def _contiguous(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous, writable array: for any other the loops would be compiled again."""
    return np.require(array, requirements=["C", "W"])


def dropout_seed(stream: np.random.Generator) -> np.uint64:
    """The seed of the masks of a shard: the next number of its stream, which is not taken from it.

    The stream's state is saved with a checkpoint, so a resumed training gets the same seed.
    """
    return np.uint64(deepcopy(stream).integers(0, 1 << 64, dtype=np.uint64))


def bind_gradient(
    arguments: TrainingArguments,
    kernel: KernelInputs,
    batches: Batches,
    state: TrainState,
    shard: int,
    parameters: Parameters,
    rows: slice,
    batch: int,
) -> GradientFn:
    """The compiled counterpart of nncli.nn.training.step.bind_gradient, for a shard of a batch."""
    stream = (state.streams.dropout, *state.streams.extra_dropout)[shard]
    start, stop, values = rows.start, rows.stop, np.empty(1)
    network = kernel.network.bind(parameters, kernel.bins, stop - start, dropout_seed(stream))
    optimizer = _optimizer_arguments(arguments.optimizer, state.moments, {})
    run = _bind_loop(
        kernel.data, network, optimizer, (0.0, 0.0, 0.0, 0, *NO_BOUNDS), batches.order, stop - start, values
    )

    def gradient(i: int) -> float:
        annealing = np.array([annealing_factor("flat_cosine", state.progress.item())])
        run(batches.pool_indices(i)[start:stop], ONE, annealing, state.step + 1, batch)
        return float(values[0])

    return gradient


ONE = np.ones(1)
NO_BOUNDS = (np.empty(0, np.float32), np.empty(0, np.float32))
Loop: TypeAlias = Callable[[npt.NDArray[np.int64], Floats, Floats, int, int], tuple[int, bool]]
"""loop(order, rates, annealing, t, shard_of): see nncli.nn.training.compiled.kernels.train_batches."""


def _bind_loop(
    data: tuple[Any, ...],
    network: tuple[tuple[Any, ...], tuple[Any, ...]],
    optimizer: tuple[Any, ...],
    extras: tuple[float, float, float, int, Array, Array],
    order: npt.NDArray[np.int64],
    batch: int,
    losses: Floats,
) -> Loop:
    """The loop with its buffers, compiled."""

    def loop(order: npt.NDArray[np.int64], rates: Floats, annealing: Floats, t: int, shard_of: int) -> tuple[int, bool]:
        return kernels.train_batches(
            data, *network, optimizer, extras, order, batch, rates, annealing, t, losses, shard_of
        )

    warm_up(kernels.train_batches, lambda: loop(order, ONE[:0], ONE[:0], 1, 0))
    return loop


def _optimizer_arguments(
    optimizer: OptimizerBase, moments: Mapping[str, Array], groups: Mapping[ParamGroup, slice]
) -> tuple[Any, ...]:
    """The optimizer as arguments of nncli.nn.training.compiled.kernels.optimizer_step."""
    decay = optimizer.strength if isinstance(optimizer, DecoupledWeightDecay) else 0.0
    merged = (
        (span, (multiplier, strength * decay))
        for span, multiplier, strength in merge_groups(optimizer.param_groups, groups)
    )
    runs = [(multipliers, [span for span, _ in run]) for multipliers, run in groupby(merged, key=itemgetter(1))]
    spans = np.array([(run[0].start, run[-1].stop) for _, run in runs], np.int64).reshape(-1, 2)
    multipliers = np.array([multipliers for multipliers, _ in runs], np.float64).reshape(-1, 2)
    if isinstance(optimizer, Sgd):
        (v,) = moments.values()
        h = np.array([optimizer.momentum, optimizer.nesterov, 0.0, 0.0])
        return v, v, kernels.SGD, h, spans, multipliers
    o: Any = optimizer  # an Adam, since it is supported
    h = np.array([o.beta1, o.beta2, o.epsilon, float(_anneals(optimizer))])
    return moments["mean"], moments["square"], kernels.ADAM, h, spans, multipliers


def _anneals(optimizer: OptimizerBase) -> bool:
    """Whether its weight decay falls to 0."""
    return isinstance(optimizer, DecoupledWeightDecay) and optimizer.decay_schedule == "flat_cosine"


def bind_optimizer(
    optimizer: OptimizerBase,
    theta: Array,
    grad: Array,
    moments: Mapping[str, Array],
    *,
    groups: Mapping[ParamGroup, slice],
    progress: Array,
) -> Step:
    """The compiled counterpart of the optimizer's bind."""
    loop, arguments = kernels.optimizer_step, _optimizer_arguments(optimizer, moments, groups)
    nothing = (*arguments[:4], arguments[4][:0], arguments[5][:0])
    warm_up(loop, lambda: loop(theta[:0], grad[:0], nothing, 0.0, 1.0, 1))

    def step(learning_rate: float, t: int) -> None:
        loop(theta, grad, arguments, learning_rate, annealing_factor("flat_cosine", progress.item()), t)

    return step


def bind_run(arguments: TrainingArguments, state: TrainState, batches: Batches) -> RunSteps:
    """Bind the loop that runs many steps in one call."""
    parameters, batch, values = state.parameters, batches.batch_size, np.empty(batches.steps)
    kernel = kernel_inputs(arguments, parameters, batches)
    network = kernel.network.bind(parameters, kernel.bins, batch, dropout_seed(state.streams.dropout))
    optimizer = _optimizer_arguments(arguments.optimizer, state.moments, parameters.layout.groups)
    bounds = arguments.network.bounds or NO_BOUNDS
    extras = (arguments.l1, arguments.l2, arguments.clip_norm or 0.0, parameters.layout.n_decayed, *bounds)
    loop = _bind_loop(kernel.data, network, optimizer, extras, batches.order, batch, values)

    anneals = kernel.network.anneals or _anneals(arguments.optimizer)
    schedule, length = arguments.schedule, TrainingLength(arguments.epochs, batches.steps)

    def run(position: int, rates: Floats, t: int) -> tuple[Floats, bool]:
        annealing = rates  # read by nothing that does not fall to 0
        if anneals:
            progress = [schedule.progress(t - 1 + i, length) for i in range(len(rates))]
            annealing = np.array([annealing_factor("flat_cosine", fraction) for fraction in progress])
        done, finite = loop(batches.pool_indices(position), rates, annealing, t, 0)
        return values[:done], finite

    return run
