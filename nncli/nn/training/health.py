"""Health of a training: what a few extra batches tell about its layers, gradients and steps at one moment.

The measurement has its own buffers, random stream and copies of the optimizer's state. It changes nothing in the
training, whose bits are the same with and without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, nan, sqrt
from typing import Any

import numpy as np

from nncli.nn.activations import ActivationBase
from nncli.nn.arrays import Array, zeros_aligned
from nncli.nn.batches.dataset import Dataset
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.optim.schedules import TrainingLength
from nncli.nn.parameters import ParamGroup
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.parallel import slices_within
from nncli.nn.training.state import TrainState
from nncli.nn.training.step import L1L2Penalty, clip_by_global_norm

MIN_ROWS, MAX_ROWS = 32, 128
"""Rows of the two batches that are measured: those of the training's batches within these limits."""
DEAD_SLOPE = 1e-3
"""A unit is dead if the slope of its activation is not larger in any row: it passes no gradient on."""
SATURATED_SLOPE = 0.05
"""A value is saturated if the slope is not larger than this fraction of the slope at 0."""
FEW_STEPS = 20
"""Steps of an epoch up to which every second measurement is left out: it would take as long as some steps."""
HEALTH_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Levels of the quantiles by which distributions are described."""
MAX_SAMPLE = 1024
"""Numbers of which quantiles are computed."""


@dataclass(frozen=True)
class LayerHealth:
    """A dense layer (`layers.0`, `output`), or the `input` with its embeddings, at one moment.

    Mean and standard deviation are over rows and units: of z before the activation, and of a after it. `dead` is the
    fraction of units that pass no gradient on in any row, `saturated` that of the values beyond which a bounded
    activation is flat; both are None where they have no meaning. The norms are Euclidean: of the weights without
    biases, of their gradient (root of the mean square over the batches), and of the next update. The quantiles at
    HEALTH_LEVELS are of z and the gradient of one batch, and of the weights; the input has none of the latter two
    without embeddings.
    """

    name: str
    z_mean: float
    z_std: float
    a_mean: float
    a_std: float
    dead: float | None
    saturated: float | None
    weight_norm: float
    gradient_norm: float
    update_norm: float
    z_quantiles: tuple[float, ...] = ()
    gradient_quantiles: tuple[float, ...] = ()
    weight_quantiles: tuple[float, ...] = ()

    @property
    def update_ratio(self) -> float:
        """The update relative to the weights; 1e-3 is usual. NaN without weights."""
        return self.update_norm / self.weight_norm if self.weight_norm else nan


@dataclass(frozen=True)
class Health:
    """The health of a training after `epoch` epochs and `step` steps; epoch 0 is before the first step.

    `learning_rate` is that of the next step, after schedule and decay. `loss` is the mean over the batches that were
    measured, `gradient_norm` the norm of the gradient of one batch, and `clipped` the fraction of these batches whose
    gradient is longer than clip_norm. `gradient_noise` is the standard deviation of the gradient between batches of
    the training's size, relative to the mean gradient: the square root of the noise scale over the batch size.
    McCandlish et al., "An empirical model of large-batch training", 2018.
    """

    epoch: int
    step: int
    learning_rate: float
    loss: float
    gradient_norm: float
    gradient_noise: float
    clipped: float
    layers: tuple[LayerHealth, ...]


@dataclass
class _Watched:
    """A layer's name, its activation, if there is one, whether that is a layer `apart`, and sums over the batches."""

    name: str
    activation: ActivationBase | None = None
    apart: bool = False

    def __post_init__(self) -> None:
        self._sums, self._batches = np.zeros(4), np.zeros(2, np.int64)
        self._quantiles: tuple[float, ...] = ()
        self._steepest: Array = np.zeros(1)
        self._flat, self._limit = 0.0, nan  # where the activation is not bounded, no value is saturated
        if self.activation is not None and np.isfinite(self.activation.output_range).all():
            self._limit = SATURATED_SLOPE * float(_slope(self.activation, np.zeros((1, 1)))[0, 0])

    def add_z(self, Z: Array) -> None:
        """Add z (rows, units) of a batch, before the activation may overwrite it."""
        if not self._batches[0]:
            self._quantiles = _quantiles([Z.reshape(-1)])
        self._add(0, Z)
        if self.activation is not None:
            slope = np.abs(_slope(self.activation, Z.copy()))
            self._steepest = (
                np.maximum(self._steepest, slope.max(axis=0)) if self._batches[0] > 1 else slope.max(axis=0)
            )
            self._flat += np.count_nonzero(slope <= self._limit) / slope.size

    def add_a(self, A: Array) -> None:
        """Add a (rows, units) of a batch."""
        self._add(1, A)

    def _add(self, i: int, values: Array) -> None:
        flat = values.reshape(-1)
        self._batches[i] += 1
        self._sums[2 * i] += np.add.reduce(flat) / flat.size
        self._sums[2 * i + 1] += np.dot(flat, flat) / flat.size

    def health(self, **of_weights: Any) -> LayerHealth:
        """The means over the batches since the last time, with the rest; a is z where no activation follows."""
        if not self._batches[1]:
            self._sums[2:], self._batches[1] = self._sums[:2], self._batches[0]
        z_mean, z_square, a_mean, a_square = (self._sums / np.repeat(self._batches, 2)).tolist()
        dead, flat = float((self._steepest <= DEAD_SLOPE).mean()), self._flat / int(self._batches[0])
        self._sums[:], self._batches[:], self._flat = 0.0, 0, 0.0
        return LayerHealth(
            name=self.name,
            z_mean=z_mean,
            z_std=sqrt(max(0.0, z_square - z_mean**2)),
            a_mean=a_mean,
            a_std=sqrt(max(0.0, a_square - a_mean**2)),
            dead=None if self.activation is None else dead,
            saturated=None if isnan(self._limit) else flat,
            z_quantiles=self._quantiles,
            **of_weights,
        )


def _slope(activation: ActivationBase, Z: Array) -> Array:
    bound = activation.bind(Z)
    bound.forward()
    return bound.backward(np.ones_like(Z))


class HealthMonitor:
    """Measures the health of a training on random rows of its `dataset`, in buffers of its own.

    The network is bound as for a step of the training, with dropout.
    """

    def __init__(self, arguments: TrainingArguments, state: TrainState, dataset: Dataset) -> None:
        self._arguments, self._state, self._dataset = arguments, state, dataset
        self._batch = min(arguments.batch_size, len(dataset))
        rows = min(len(dataset), MAX_ROWS, max(MIN_ROWS, self._batch))
        theta, statistics = state.parameters.theta, state.parameters.statistics.copy()
        gradient = zeros_aligned(theta.size, theta.dtype)
        self._parameters = replace(state.parameters, grad=gradient, statistics=statistics)
        self._dropout, self._progress = np.random.default_rng(0), np.zeros(())
        context = TrainingContext(self._dropout, self._progress, self._watch)
        self._bound = arguments.network.bind(self._parameters, rows, training=context)
        self._y = np.zeros((rows, *dataset.y.shape[1:]), dataset.y.dtype)
        self._weights = None if dataset.weights is None else np.zeros(rows, dataset.weights.dtype)
        self._loss = arguments.loss.bind(self._bound.Z, self._y, self._weights)
        self._layers, self._apart = {"input": _Watched("input")}, dict[str, _Watched]()
        self._previous: Array = self._bound.X
        for name, layer in arguments.network.sequential.all_layers():
            activation = getattr(layer, "activation", None)
            if isinstance(layer, Dense):
                self._layers[name] = last = _Watched(name, activation)
            elif activation is not None and len(self._layers) > 1:  # of the dense layer before it
                self._layers[last.name] = self._apart[name] = last = _Watched(last.name, activation, apart=True)
        self._spans = self._weight_spans()

    def is_due(self, epoch: int) -> bool:
        """Whether to measure after an epoch: before the first, and after 1, 2, 4, 8 … epochs; of few steps, 1, 4, 16 ….

        This does not depend on the planned epochs, so that a training that is lengthened has the same measurements.
        """
        is_power = epoch & (epoch - 1) == 0
        return is_power and (epoch.bit_length() % 2 == 1 or not epoch or len(self._dataset) > FEW_STEPS * self._batch)

    def _watch(self, value: str, values: Array) -> None:
        """Add z and a of a layer as they are computed; see `TrainingContext.watch`."""
        name, _, symbol = value.rpartition(".")
        name = "output" if name == "output_activation" else name
        if name in self._apart and symbol == "Y":
            self._apart[name].add_z(self._previous)
            self._apart[name].add_a(values)
        elif name in self._layers and symbol in ("Y", "Z") and not self._layers[name].apart:
            layer = self._layers[name]
            (layer.add_a if symbol == "Y" and name != "input" else layer.add_z)(values)
        self._previous = values

    @np.errstate(all="ignore")  # what is not finite shows in the numbers
    def measure(self) -> Health:
        """Measure the health between two epochs."""
        arguments, state, grad = self._arguments, self._state, self._parameters.grad
        n, batch, rows, clip = len(self._dataset), self._batch, len(self._y), arguments.clip_norm
        np.copyto(self._parameters.statistics, state.parameters.statistics)
        rng = np.random.default_rng(state.epoch)
        self._dropout.bit_generator.state = rng.bit_generator.state
        losses = [self._compute_gradient(rng)]
        first = grad.copy()
        losses.append(self._compute_gradient(rng))
        # Two gradients: their product is the squared norm of the mean, half their squared distance the variance of one.
        norms, signal = [norm(first), norm(grad)], float(np.dot(first.astype(np.float64), grad))
        variance = 0.0 if batch >= n else max(0.0, (norms[0] ** 2 + norms[1] ** 2) / 2.0 - signal) * rows / batch
        squares = {name: norm(first, spans) ** 2 + norm(grad, spans) ** 2 for name, spans in self._spans.items()}
        length = TrainingLength(arguments.epochs, -(-n // batch))
        self._progress.fill(arguments.schedule.progress(state.step, length))
        rate = state.learning_rate_factor * arguments.schedule.rate(state.step, length, state.plateau)
        if arguments.l1 or arguments.l2:
            L1L2Penalty(self._parameters, l1=arguments.l1, l2=arguments.l2).add_gradient()
        if clip is not None:
            clip_by_global_norm(grad, clip)
        layers = []
        for layer in self._layers.values():
            spans = self._spans[layer.name]
            update = sqrt(sum(self._update(span, rate) ** 2 for span in spans))
            layers.append(
                layer.health(
                    weight_norm=norm(state.parameters.theta, spans),
                    gradient_norm=sqrt(squares[layer.name] / 2.0),
                    update_norm=update,
                    gradient_quantiles=_quantiles([first[span] for span in spans]),
                    weight_quantiles=_quantiles([state.parameters.theta[span] for span in spans]),
                )
            )
        return Health(
            epoch=state.epoch,
            step=state.step,
            learning_rate=rate,
            loss=sum(losses) / 2.0,
            gradient_norm=sqrt((norms[0] ** 2 + norms[1] ** 2) / 2.0),
            gradient_noise=sqrt(variance / signal) if signal > 0.0 else inf if variance else 0.0,
            clipped=0.0 if clip is None else sum(value > clip for value in norms) / 2.0,
            layers=tuple(layers),
        )

    def _compute_gradient(self, rng: np.random.Generator) -> float:
        """The loss of random rows, whose gradient is stored; the layers are watched."""
        dataset, rows = self._dataset, np.sort(rng.integers(len(self._dataset), size=len(self._y)))
        self._bound.X[...], self._bound.codes[...], self._y[...] = dataset.X[rows], dataset.codes[rows], dataset.y[rows]
        if self._weights is not None and dataset.weights is not None:
            self._weights[...] = dataset.weights[rows]
        if not (self._arguments.network.embeddings or self._arguments.network.embedded_numeric):
            self._layers["input"].add_z(self._bound.X)
        self._bound.forward()
        loss = self._loss.forward()
        self._bound.backward(self._loss.backward())
        return loss

    def _weight_spans(self) -> dict[str, list[slice]]:
        """The slices of theta of the weights of every layer; those of the input are its embeddings."""
        layout = self._parameters.layout
        spans: dict[str, list[slice]] = {layer.name: [] for layer in self._layers.values()}
        for spec in layout.specs:
            if spec.group in (ParamGroup.EMBEDDING, ParamGroup.NUMERIC):
                spans["input"].append(layout.spans[spec.name][0])
            elif spec.group is ParamGroup.WEIGHT:
                spans[spec.name.removesuffix(".weight")].append(layout.spans[spec.name][0])
        return spans

    def _update(self, span: slice, rate: float) -> float:
        """The norm of what the next step would add to a slice of theta if its batch had the stored gradient."""
        state, theta = self._state, self._state.parameters.theta[span].copy()
        moments = {name: moment[span].copy() for name, moment in state.moments.items()}
        groups = slices_within(self._parameters.layout.groups, span)
        optimizer = self._arguments.optimizer
        optimizer.bind(theta, self._parameters.grad[span], moments, groups=groups, progress=self._progress)(
            rate, state.step + 1
        )
        return norm(np.subtract(theta, state.parameters.theta[span], out=theta))


def _quantiles(parts: Sequence[Array]) -> tuple[float, ...]:
    """The quantiles at HEALTH_LEVELS of evenly spaced numbers of some vectors; nothing of nothing."""
    step = sum(part.size for part in parts) // MAX_SAMPLE | 1  # odd, so that not always the same units are chosen
    values = np.sort(np.concatenate([part[::step] for part in parts])) if parts else np.zeros(0)
    return tuple(values[[round(level * (values.size - 1)) for level in HEALTH_LEVELS]].tolist()) if values.size else ()


def norm(vector: Array, spans: Iterable[slice] = (slice(None),)) -> float:
    """The Euclidean norm of slices of a vector."""
    squares = sum(float(np.dot(part, part)) for part in (vector[span].astype(np.float64) for span in spans))
    return sqrt(squares) if isfinite(squares) else squares
