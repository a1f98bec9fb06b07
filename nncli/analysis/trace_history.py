"""A training step by step, as numbers to draw: weights, loss, fit, and paths of descent on the loss surface."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncli.base.text import json_safe
from nncli.nn.arrays import Array, Codes, Floats
from nncli.nn.batches.dataset import Dataset
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Residual
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.parameters import Parameters
from nncli.nn.training.arguments import TrainingArguments, ValidationSet
from nncli.nn.training.epoch import DivergedError, LoopSignal
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState

MAX_STEPS = 5_000
"""Steps of a training that are recorded."""
SNAPSHOTS = 60
"""Steps whose weights are kept, more of them at the beginning."""
MAX_LOSSES = 1_000
MAX_ROWS = 300
"""Training rows that are drawn, and on which the loss surface is computed."""
MAX_UNITS = 16
"""Units of a layer that are drawn."""
CURVE, SURFACE, CONTOURS = 81, 25, 33
"""Points of a fitted curve, and of a side of a surface."""
RATES = (0.05, 0.5, 2.2)
"""Learning rates as multiples of 1 / λ, with the largest curvature λ of the loss: from 2 on, descent diverges."""
PATH_STEPS = 80


def training_history(
    arguments: TrainingArguments,
    new_state: Callable[[], TrainState],
    dataset: Dataset,
    validation: ValidationSet | None,
) -> dict[str, Any]:
    """Train from the beginning, and return what a page draws of it as a JSON object."""
    network, rows = arguments.network, dataset.part(slice(0, MAX_ROWS))
    length = arguments.epochs * -(-len(dataset) // arguments.batch_size)
    end = min(length, MAX_STEPS)
    kept = {0, *np.unique(np.round(np.geomspace(1, end, SNAPSHOTS)).astype(int)).tolist()}
    grid = _grid(network, rows)
    losses, snapshots = list[float](), list[dict[str, Any]]()
    state = new_state()

    def snapshot(step: int) -> None:
        weights = {name: _rounded(state.parameters.by_name[name]) for name in _drawn(network)}
        value = _loss(arguments, state.parameters, rows)
        fitted = None if grid is None else _rounded(arguments.loss.drawn(_outputs(network, state.parameters, grid)))
        snapshots.append({"step": step, "loss": value, "weights": weights, "fit": fitted})

    summed = 0.0

    def after_batch(step: int) -> LoopSignal:
        nonlocal summed
        summed = 0.0 if state.position == 1 else summed
        n = min(arguments.batch_size, len(dataset) - (state.position - 1) * arguments.batch_size)
        losses.append((state.epoch_loss - summed) / n)
        summed = state.epoch_loss
        if step in kept:
            snapshot(step)
        return LoopSignal.STOP if step >= end else LoopSignal.CONTINUE

    snapshot(0)
    diverged = False
    with np.errstate(all="ignore"):
        try:
            with closing(fit(arguments, state, dataset, validation, after_batch=after_batch)) as training:
                deque(training, maxlen=0)
        except DivergedError:
            diverged = True
        if not diverged and snapshots[-1]["step"] < state.step:
            snapshot(state.step)
    every = max(1, -(-len(losses) // MAX_LOSSES))
    document = {
        "steps": length,
        "diverged": diverged,
        "losses": [[step + 1, losses[step]] for step in range(0, len(losses), every)],
        "snapshots": snapshots,
        "network": _layers(network),
        "X": _rounded(rows.X) if grid is not None else None,
        "y": rows.y.reshape(len(rows), -1)[:, 0].tolist(),
        "grid": None if grid is None else [_rounded(grid.min(0)), _rounded(grid.max(0))],
        "descent": _descent(arguments, state.parameters, dataset),
    }
    return dict(json_safe(document))


def _rounded(values: Array) -> Any:
    """Nested lists of numbers with five significant digits, which is what a page can show."""
    flat = [float(f"{value:.5g}") for value in values.reshape(-1).tolist()]
    return np.array(flat).reshape(values.shape).tolist()


def _drawn(network: Network) -> list[str]:
    """The weights and biases of the dense layers that are drawn: those of a plain sequence of layers."""
    if any(isinstance(layer, Residual) for layer in network.layers):
        return []
    small = [name for name, layer in network.sequential.named_layers if isinstance(layer, Dense)]
    by_name = {spec.name: spec.shape for spec in network.layout.specs}
    names = [f"{name}.{part}" for name in small for part in ("weight", "bias")]
    return [name for name in names if name in by_name and max(by_name[name]) <= MAX_UNITS]


def _layers(network: Network) -> list[dict[str, Any]]:
    """The dense layers, with the number of their units and their activation."""
    layers: list[dict[str, Any]] = [{"name": "input", "units": network.input_width, "activation": None}]
    for name, layer, d in network.sequential.infer_widths(network.input_width):
        if isinstance(layer, Dense):
            activation = network.output_activation if name == "output" else layer.activation
            kind = None if activation is None else activation.model_dump()["type"]
            layers.append({"name": name, "units": layer.out_features(d), "activation": kind})
    return layers


def _outputs(network: Network, parameters: Parameters, X: Array, codes: Codes | None = None) -> Array:
    """The outputs for rows, as in a prediction."""
    bound = network.bind(parameters, len(X), training=None, forward_only=True)
    np.copyto(bound.X, X)
    if codes is not None:
        np.copyto(bound.codes, codes)
    bound.forward()
    return bound.Z


def _loss(arguments: TrainingArguments, parameters: Parameters, rows: Dataset) -> float:
    Z = _outputs(arguments.network, parameters, rows.X, rows.codes)
    return arguments.loss.bind(Z, rows.y, rows.weights).forward()


def _grid(network: Network, rows: Dataset) -> Floats | None:
    """Points of one or two inputs, on which the fit is computed; None if there are more."""
    is_taught = rows.y.ndim == 1 and rows.y.max() > max(1, network.n_outputs - 1)  # by another network's predictions
    if network.n_features not in (1, 2) or network.embeddings or is_taught:
        return None
    low, high = rows.X.min(0).astype(np.float64), rows.X.max(0).astype(np.float64)
    margin = 0.05 * np.where(high > low, high - low, 1.0)
    sides = [
        np.linspace(a, b, CURVE if network.n_features == 1 else SURFACE)
        for a, b in zip(low - margin, high + margin, strict=True)
    ]
    return np.stack([side.reshape(-1) for side in np.meshgrid(*sides)], axis=1)


@dataclass(frozen=True)
class _Line:
    """A network without hidden layers of one or two inputs and one output, in float64, as a function of (w, b)."""

    arguments: TrainingArguments
    dataset: Dataset

    def loss(self, weights: Floats) -> Floats:
        """The loss (points,) at weights (points, inputs + 1)."""
        X, loss = self.dataset.X.astype(np.float64), self.arguments.loss
        Z = X @ weights[:, :-1].T + weights[:, -1]  # (rows, points)
        outputs: Array = Z.T.reshape(-1, 1)
        if self.arguments.network.output_activation is not None:
            bound = self.arguments.network.output_activation.bind(outputs)
            bound.forward()
            outputs = bound.Y
        y = np.tile(self.dataset.y, (len(weights), *[1] * (self.dataset.y.ndim - 1)))
        losses: Floats = loss.per_row(loss.inverse_link(outputs), y).reshape(len(weights), -1).mean(1)
        return losses

    def at_best_bias(self, weights: Floats, bias: float, reach: float) -> Floats:
        """The loss at weights (points, inputs) with the bias that makes it lowest, by ternary search."""
        low, high = np.full(len(weights), bias - reach), np.full(len(weights), bias + reach)
        for _ in range(30):
            third = (high - low) / 3.0
            left, right = low + third, high - third
            falls = self.loss(np.c_[weights, left]) > self.loss(np.c_[weights, right])
            low, high = np.where(falls, left, low), np.where(falls, high, right)
        return self.loss(np.c_[weights, low])

    def hessian(self, at: Floats) -> Floats:
        """The second derivatives, by differences."""
        h, steps = 1e-3, np.eye(len(at)) * 1e-3
        pairs = [[at + a + b, at + a - b, at - a + b, at - a - b] for a in steps for b in steps]
        values = self.loss(np.array(pairs).reshape(-1, len(at))).reshape(-1, 4)
        return ((values[:, 0] - values[:, 1] - values[:, 2] + values[:, 3]) / (4 * h * h)).reshape(len(at), -1)

    def gradient(self, at: Floats) -> Floats:
        """The derivatives, by differences."""
        steps = np.eye(len(at)) * 1e-4
        return (self.loss(at + steps) - self.loss(at - steps)) / 2e-4


def _descent(arguments: TrainingArguments, trained: Parameters, dataset: Dataset) -> dict[str, Any] | None:
    """The loss over two weights, and paths of full-batch, mini-batch and stochastic descent at three learning rates.

    Of two inputs the bias is not drawn: the surface has it at its best. None for other networks than of a neuron.
    """
    network = arguments.network
    inputs, names = network.n_features, set(trained.by_name)
    if names != {"output.weight", "output.bias"} or inputs not in (1, 2) or network.n_outputs != 1:
        return None
    rows = dataset.part(slice(0, MAX_ROWS))
    line = _Line(arguments, Dataset(rows.X, rows.codes, rows.y))
    best = trained.theta.astype(np.float64)
    with np.errstate(all="ignore"):
        for _ in range(20):  # Newton's method, as long as the loss falls
            nearer = best - np.linalg.lstsq(line.hessian(best), line.gradient(best), rcond=None)[0]
            if not line.loss(nearer[None])[0] < line.loss(best[None])[0]:
                break
            best = nearer
    start = network.initialize(RandomStreams.of(0).init)
    at = (best, start.theta.astype(np.float64))
    curvature = max(float(np.linalg.eigvalsh(line.hessian(weights)).max()) for weights in at)
    reach = max(0.5, 1.6 * float(np.abs(start.theta[:2] - best[:2]).max()))
    sides = [np.linspace(center - reach, center + reach, CONTOURS) for center in best[:2]]
    points = np.stack([side.reshape(-1) for side in np.meshgrid(*sides)], axis=1)
    surface = line.loss(points) if inputs == 1 else line.at_best_bias(points, float(best[2]), 3.0 * reach)
    charts = [
        {"rate": factor / curvature, "paths": _paths(arguments, dataset, start, factor / curvature)} for factor in RATES
    ]
    return {
        "axes": ["w", "b"] if inputs == 1 else ["w1", "w2"],
        "low": _rounded(best[:2] - reach),
        "high": _rounded(best[:2] + reach),
        "surface": _rounded(surface),
        "best": _rounded(best),
        "curvature": curvature,
        "charts": charts,
    }


def _paths(arguments: TrainingArguments, dataset: Dataset, start: Parameters, rate: float) -> Sequence[dict[str, Any]]:
    """The two weights after each step, from the same start, for three batch sizes."""
    paths = []
    mini = min(arguments.batch_size, max(2, len(dataset) // 4))
    for batch_size in (len(dataset), mini, 1):
        descent = replace(
            arguments,
            optimizer=Sgd(),
            schedule=ConstantRate(peak=rate),
            batch_size=batch_size,
            epochs=PATH_STEPS,
            l1=0.0,
            l2=0.0,
            clip_norm=None,
            patience=None,
            monitor="loss",
            rollback_on_divergence=False,
            backend="numpy",
            n_shards=1,
        )
        state = TrainState.create(descent.network, descent.optimizer, RandomStreams.of(0), 1, dataset)
        state.parameters.copy_from(start)
        points, theta = [start.theta[:2].tolist()], state.parameters.theta

        def after_batch(step: int, points: list[list[float]] = points, theta: Array = theta) -> LoopSignal:
            points.append(theta[:2].tolist())
            return LoopSignal.STOP if step >= PATH_STEPS else LoopSignal.CONTINUE

        try:
            with closing(fit(descent, state, dataset, after_batch=after_batch)) as training:
                deque(training, maxlen=0)
        except DivergedError:
            pass
        finite = [point for point in points if np.abs(point).max() < 1e6]
        diverges = len(finite) < PATH_STEPS + 1 or np.abs(finite[-1]).max() > 10.0 + 10.0 * np.abs(points[0]).max()
        paths.append({"batch_size": batch_size, "points": _rounded(np.array(finite)), "diverges": bool(diverges)})
    return paths
