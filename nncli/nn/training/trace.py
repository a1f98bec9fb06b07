"""One step of a training with all its numbers, each copied before it is overwritten, and a check of every gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np

from nncli.base.errors import NncliError
from nncli.nn.arrays import Array, Floats
from nncli.nn.batches.batches import Batch, Batches
from nncli.nn.gradcheck import difference
from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.network import Network
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.parameters import ParamGroup
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.epoch import learning_rate_at
from nncli.nn.training.parallel import bind_optimizer_shard
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import L1L2Penalty, bind_gradient, bind_step

MAX_NUMBERS = 40
"""Numbers of a matrix that are checked and shown one by one; of a larger one it is the norm."""
MAX_CHECKED = 2_000
"""The same if every number is asked for: each takes four forward passes."""
H = 1e-4
"""The step of the differences."""
KINK_TOLERANCE = 1e-3
"""The error of a difference, as a share of the largest gradient, from which the loss is tested for a kink."""
SYMBOLS = {"weight": "W", "bias": "b"}


@dataclass(frozen=True, eq=False)
class TracedValue:
    """A value of a step: its `symbol` such as Z or dW, its formula, which is empty for a weight, and its numbers.

    A gradient has `differences` of the same shape: the central finite differences of the loss in float64. A large one
    has `norm_difference` instead, the derivative of the loss along the gradient, which is the gradient's norm. Where
    the loss has a kink, as a ReLU at 0, there is no derivative: `kinks` counts these numbers.
    """

    symbol: str
    formula: str
    values: Array
    differences: Floats | None = None
    norm_difference: float | None = None
    kinks: int = 0

    @property
    def norm(self) -> float:
        """The Euclidean norm."""
        return float(np.linalg.norm(self.values.astype(np.float64)))

    @property
    def is_large(self) -> bool:
        """Whether the norm stands for the numbers, unless they are asked for."""
        return self.values.size > MAX_NUMBERS


@dataclass(frozen=True, eq=False)
class TracedUpdate:
    """The update of a parameter: before and after it, the gradient that the optimizer got, and its vectors.

    The `state` of the optimizer is before and after the step too, as in the formula of the optimizer.
    """

    name: str
    symbol: str
    before: Array
    gradient: Array
    state: dict[str, tuple[Array, Array]]
    after: Array


@dataclass(frozen=True, eq=False)
class TracedLayer:
    """A layer in a step: its parameters before it, what it computes from its input, and its gradients."""

    name: str
    type: str
    parameters: tuple[TracedValue, ...]
    forward: tuple[TracedValue, ...]
    backward: tuple[TracedValue, ...]
    updates: tuple[TracedUpdate, ...]


@dataclass(frozen=True, eq=False)
class TracedStep:
    """A step, counted from 1, on a batch.

    `loss` is the sum of `row_losses` (rows,). `gradient_norm` is the norm of the gradient with the `penalty`'s, before
    it is clipped to `clip_norm`. `output` has the `offset` (rows,) of an exposure, which is added after the last layer.
    """

    step: int
    batch: Batch
    output: Array
    layers: tuple[TracedLayer, ...]
    loss: float
    row_losses: Floats
    penalty: float
    gradient_norm: float
    clip_norm: float | None
    learning_rate: float
    offset: Array | None = None


def trace_step(
    arguments: TrainingArguments,
    state: TrainState,
    batches: Batches,
    position: int,
    length: TrainingLength,
    *,
    every: bool = False,
) -> TracedStep:
    """Take the next step of a training on a batch of the current order, which changes `state`, and record its numbers.

    The weights after it are those of the NumPy backend in one shard. With `every`, gradients of up to 2,000 numbers
    are checked number by number too.

    Raises:
        NncliError: the loss or the gradient is not finite.
    """
    parameters, optimizer = state.parameters, arguments.optimizer
    rows, rate = batches.rows(position), learning_rate_at(arguments, state, length, state.step)
    state.progress.fill(arguments.schedule.progress(state.step, length))
    values: dict[str, Array] = {}
    context = TrainingContext(
        state.streams.dropout, state.progress, lambda name, value: values.__setitem__(name, value.copy())
    )
    gradient = bind_gradient(
        arguments.network, parameters, arguments.loss, batches, slice(0, rows), rows, training=context
    )
    penalty = L1L2Penalty(parameters, l1=arguments.l1, l2=arguments.l2) if arguments.l1 or arguments.l2 else None
    whole = slice(0, parameters.theta.size)
    optimize = bind_optimizer_shard(optimizer.bind, state, whole, arguments.network.bounds)
    batch = _loaded(arguments.network, batches, position)
    check = _Differences(arguments, state, batch)
    before, loss_gradient = parameters.theta.copy(), np.empty_like(parameters.grad)
    factors = optimizer.state_factors
    state_before = {name: factors.get(name, 1.0) * moment for name, moment in state.moments.items()}

    def recorded(i: int) -> float:
        loss = gradient(i)
        np.copyto(loss_gradient, parameters.grad)
        return loss

    penalty_value = penalty.value() if penalty else 0.0
    step = bind_step(recorded, parameters.grad, optimize, penalty=penalty, clip_norm=arguments.clip_norm)
    with np.errstate(all="ignore"):
        try:
            loss = step(position, rate, state.step + 1)
        except ArithmeticError:
            loss = np.nan
    if not isfinite(loss):
        raise NncliError(
            f"the loss or the gradient of step {state.step + 1} is not finite: the training has diverged",
            hint="Trace an earlier step, or lower the learning_rate.",
        )
    state.step += 1
    output, offset = values[list(check.watched)[-1]], None
    if (position_of_offset := arguments.network.offset) is not None:
        offset = batch.X[:, position_of_offset].copy()
        output = output.copy()
        output[:, 0] += offset
    total = loss_gradient.astype(np.float64)
    if penalty is not None:
        n = parameters.layout.n_decayed
        total[:n] += arguments.l2 * before[:n] + arguments.l1 * np.sign(before[:n])
    moments = {name: (state_before[name], factors.get(name, 1.0) * moment) for name, moment in state.moments.items()}
    vectors = _Vectors(parameters.layout.spans, before, loss_gradient, parameters.grad, parameters.theta, moments)
    return TracedStep(
        step=state.step,
        batch=batch,
        output=output,
        layers=tuple(_layers(arguments, values, vectors, check, every=every)),
        loss=loss,
        row_losses=_row_losses(arguments, output, batch),
        penalty=penalty_value,
        gradient_norm=float(np.linalg.norm(total)),
        clip_norm=arguments.clip_norm,
        learning_rate=rate,
        offset=offset,
    )


def _loaded(network: Network, batches: Batches, position: int) -> Batch:
    """A copy of the rows of a batch."""
    dataset, rows = batches.dataset, batches.rows(position)
    y = np.zeros((rows, *dataset.y.shape[1:]), dataset.y.dtype)
    weights = None if dataset.weights is None else np.zeros(rows, dataset.weights.dtype)
    X, codes = np.zeros((rows, network.n_features), network.precision), np.zeros((rows, len(network.embeddings)), int)
    batch = Batch(X, codes, y, weights)
    batches.load(position, batch)
    return batch


def _row_losses(arguments: TrainingArguments, output: Array, batch: Batch) -> Floats:
    """The part of each row in the loss (rows,)."""
    parts = []
    for i in range(len(batch)):
        row, w = slice(i, i + 1), batch.weights
        parts.append(
            arguments.loss.bind(output[row], batch.y[row], None if w is None else w[row], batch=len(batch)).forward()
        )
    return np.array(parts)


class _Differences:
    """Finite differences of the loss of a batch in float64, at the present weights and with the masks of the step."""

    def __init__(self, arguments: TrainingArguments, state: TrainState, batch: Batch) -> None:
        network = arguments.network.model_copy(update={"precision": "float64"})
        self._parameters = network.layout.empty("float64")
        self._parameters.copy_from(state.parameters)
        self._rng, self._masks = np.random.default_rng(), state.streams.dropout.bit_generator.state
        self._name, self._offset = "", np.zeros(())
        self.watched: dict[str, None] = {}
        context = TrainingContext(self._rng, state.progress.astype(np.float64), self._watch)
        self._bound, self._X = network.bind(self._parameters, len(batch), training=context), batch.X
        np.copyto(self._bound.codes, batch.codes)
        y = batch.y.astype(np.float64) if np.issubdtype(batch.y.dtype, np.floating) else batch.y
        weights = None if batch.weights is None else batch.weights.astype(np.float64)
        self._head = arguments.loss.bind(self._bound.Z, y, weights)
        with np.errstate(all="ignore"):
            self._loss()

    def check(self, name: str, value: TracedValue, *, every: bool) -> TracedValue:
        """A gradient, that of the watched value or parameter `name`, with the differences beside it."""
        gradient = value.values.astype(np.float64)
        self._name, self._offset = name, np.zeros(gradient.shape)
        flat, norm = self._offset.reshape(-1), float(np.linalg.norm(gradient))
        if gradient.size > (MAX_CHECKED if every else MAX_NUMBERS):
            direction, t = gradient / (norm or 1.0), np.zeros(1)

            def along() -> float:
                np.multiply(direction, t, out=self._offset)
                return self._loss()

            return TracedValue(value.symbol, value.formula, value.values, norm_difference=difference(along, t, 0, H))
        numeric = np.array([difference(self._loss, flat, i, H) for i in range(flat.size)])
        tolerance = KINK_TOLERANCE * float(np.abs(gradient).max(initial=0.0))
        wrong = np.flatnonzero(np.abs(numeric - gradient.reshape(-1)) > tolerance)
        kinks = sum(self._has_kink(flat, int(i), tolerance) for i in wrong)
        return TracedValue(value.symbol, value.formula, value.values, numeric.reshape(gradient.shape), kinks=kinks)

    def _has_kink(self, flat: Floats, i: int, tolerance: float) -> bool:
        """Whether the derivatives to the left and to the right differ."""
        losses = []
        for flat[i] in (-H, 0.0, H):
            losses.append(self._loss())
        flat[i] = 0.0
        return abs(losses[2] - 2.0 * losses[1] + losses[0]) / H > tolerance

    def _loss(self) -> float:
        parameter = self._parameters.by_name.get(self._name)
        saved = None if parameter is None else parameter.copy()
        if parameter is not None:
            parameter += self._offset
        self._rng.bit_generator.state = self._masks
        np.copyto(self._bound.X, self._X)  # a layer that does nothing may have an offset added to its input
        self._bound.forward()
        if parameter is not None and saved is not None:
            np.copyto(parameter, saved)
        return self._head.forward()

    def _watch(self, name: str, value: Array) -> None:
        self.watched[name] = None
        if name == self._name:
            value += self._offset


@dataclass(frozen=True)
class _Vectors:
    """The flat vectors of a step, by the names of the parameters."""

    spans: dict[str, tuple[slice, tuple[int, ...]]]
    before: Array
    loss_gradient: Array
    gradient: Array
    after: Array
    moments: dict[str, tuple[Array, Array]]

    def part(self, vector: Array, name: str) -> Array:
        """A copy of the numbers of a parameter."""
        span, shape = self.spans[name]
        return vector[span].reshape(shape).copy()

    def update(self, name: str, symbol: str) -> TracedUpdate:
        """The update of a parameter."""
        state = {
            key: (self.part(before, name), self.part(after, name)) for key, (before, after) in self.moments.items()
        }
        before, gradient, after = (self.part(v, name) for v in (self.before, self.gradient, self.after))
        return TracedUpdate(name, symbol, before, gradient, state, after)


def _layers(
    arguments: TrainingArguments, values: dict[str, Array], vectors: _Vectors, check: _Differences, *, every: bool
) -> Iterator[TracedLayer]:
    """The layers of the network that computed something, from the input to the output."""
    network = arguments.network
    parts: dict[str, list[str]] = {}
    for watched in check.watched:
        layer_name, _, part = watched.rpartition(".")
        parts.setdefault(layer_name, []).append(part)
    layers = [("input", None), *network.sequential.all_layers(), ("output_activation", None)]
    named = [(name, layer) for name, layer in layers if name in parts]
    for i, (name, layer) in enumerate(named):
        kind, formulas = _described(network, name, layer)
        if i + 1 < len(named):
            follower, next_layer = named[i + 1]
            of_gradient = _described(network, follower, next_layer)[1].get("dX", "dX")
        else:
            follower, of_gradient = "the loss", arguments.loss.formulas(network.n_outputs)[1]
        output = parts[name][-1]
        is_last = follower == "the loss"
        formulas[f"d{output}"] = (
            of_gradient.replace("Z", output) if is_last else f"d{output} = {of_gradient} ({follower})"
        )
        prefixes = ("numeric", "embeddings") if name == "input" else (name,)
        of_layer = [spec for spec in network.layout.specs if spec.name.rpartition(".")[0] in prefixes]
        trained = [spec.name for spec in of_layer if spec.group is not ParamGroup.STATISTIC]
        short = {parameter: parameter.rpartition(".")[2] for parameter in trained}
        symbols = {parameter: SYMBOLS.get(short[parameter], short[parameter]) for parameter in trained}
        forward = [TracedValue(part, formulas.get(part, ""), values[f"{name}.{part}"]) for part in parts[name]]
        gradients = {
            f"{name}.{part}": TracedValue(f"d{part}", formulas.get(f"d{part}", ""), values[f"{name}.d{part}"])
            for part in reversed(parts[name])
            if f"{name}.d{part}" in values
        } | {
            parameter: TracedValue(
                f"d{symbols[parameter]}",
                formulas.get(f"d{short[parameter]}", ""),
                vectors.part(vectors.loss_gradient, parameter),
            )
            for parameter in trained
        }
        yield TracedLayer(
            name=name,
            type=kind,
            parameters=tuple(TracedValue(symbols[p], "", vectors.part(vectors.before, p)) for p in trained),
            forward=tuple(forward),
            backward=tuple(check.check(watched, value, every=every) for watched, value in gradients.items()),
            updates=tuple(vectors.update(parameter, symbols[parameter]) for parameter in trained),
        )


def _described(network: Network, name: str, layer: LayerBase | None) -> tuple[str, dict[str, str]]:
    """The type of a layer and its formulas."""
    if layer is not None:
        return str(layer.model_dump()["type"]), dict(layer.formulas)
    if name == "output_activation" and network.output_activation is not None:
        activation = network.output_activation
        return activation.type, {"Y": f"Y = f(Z), {activation.formula()}", "dX": "dY ⊙ f'(Z)"}
    return "embedding", {"Y": "Y = [numbers, E[codes]]"}
