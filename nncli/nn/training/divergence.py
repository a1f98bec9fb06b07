"""Diagnosis of a diverged training: the first layer that is not finite, and the most likely cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Advice, SetKey
from nncli.base.median import median
from nncli.base.text import quote
from nncli.nn.arrays import Array, Codes
from nncli.nn.batches.dataset import Dataset
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters, by_prefix
from nncli.nn.training.arguments import TrainingArguments

UNSCALED_LIMIT = 1e3
"""A larger number was not scaled: scaled numbers are within a few units of 0."""
OUTLIER_LIMIT = 10.0
"""A larger number that is OUTLIER_RATIO times as far out as nearly all others of its column is an outlier."""
OUTLIER_RATIO = 100.0
LARGE_WEIGHT = 100.0
"""A row with a larger weight, relative to the mean, dominates its batch."""
MAX_LEARNING_RATE = 10.0
"""A learning rate above this is always too high."""
CHUNK_ROWS = 1024
"""Rows checked at a time."""

CLIP = SetKey("clip_norm", "1")
LOWER_RATE = Advice("Use a lower learning_rate, or ", CLIP, ".")
SLOWER = Advice("lower learning_rate, or use ", CLIP, " or ", SetKey("on_divergence", "halve_learning_rate"))


@dataclass(frozen=True)
class DivergenceCause:
    """The name of the first layer that is not finite (`layers.0`, `output`), and a likely `cause` with its hint."""

    layer: str
    cause: str


@dataclass(frozen=True)
class _Numbers:
    """A matrix of a training, the names of its columns, whether they are scaled, and the hint for scaling them."""

    values: npt.NDArray[Any]
    names: tuple[str, ...]
    kind: str
    scaled: bool
    hint: str

    def name(self, j: int) -> str:
        return quote(self.names[j]) if j < len(self.names) else f"{self.kind} {j + 1}"


def diagnose(
    arguments: TrainingArguments,
    parameters: Parameters,
    dataset: Dataset,
    rows: npt.NDArray[np.int64],
    rate: float,
    *,
    gradient: bool = False,
) -> DivergenceCause:
    """Find out why the loss, or the gradient, of `rows` is not finite; `rate` is the learning rate of the step.

    For a loss it names the first layer with a parameter that is not finite or, if all are, with such an output; for a
    gradient the first layer, from the output backwards, whose gradient is not finite.
    """
    layer = _last_gradient(parameters) if gradient else _first_output(arguments, parameters, dataset, rows)
    return DivergenceCause(layer, _cause(arguments, dataset, rate))


def _layer_of(parameter: str) -> str:
    return parameter if parameter.startswith("embeddings.") else parameter.rpartition(".")[0]


def _last_gradient(parameters: Parameters) -> str:
    for name, values in reversed(parameters.gradients.items()):
        if not np.isfinite(values).all():
            return _layer_of(name)
    return "output"


def _first_output(
    arguments: TrainingArguments, parameters: Parameters, dataset: Dataset, rows: npt.NDArray[np.int64]
) -> str:
    for name, values in parameters.by_name.items():
        if not np.isfinite(values).all():
            return _layer_of(name)
    names = [name for name, _ in arguments.network.sequential.named_layers]
    positions = [len(names) - 1]
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        positions.append(_first_of(arguments.network, parameters, dataset.X[chunk], dataset.codes[chunk]))
    return names[min(positions)]


def _first_of(network: Network, parameters: Parameters, X: Array, codes: Codes) -> int:
    """The position of the first layer whose output is not finite; the last one if all are."""
    p, g = parameters.by_name, parameters.gradients
    Y, forward, _ = network.bind_inputs(p, g, X, codes, forward_only=True)
    forward()
    names = dict(network.sequential.named_layers)
    of_p, of_g = by_prefix(p, names), by_prefix(g, names)
    for i, (name, layer) in enumerate(names.items()):
        Y, forward, _ = layer.bind(of_p[name], of_g[name], Y, training=None, needs_dX=False)
        forward()
        if not np.isfinite(Y).all():
            return i
    return len(network.sequential.named_layers) - 1


def _cause(arguments: TrainingArguments, dataset: Dataset, rate: float) -> str:
    target_hint = Advice("use ", SetKey("encoding.target", "standard"))
    if not arguments.loss.scaling.can_be_standard(has_activation=arguments.network.output_activation is not None):
        target_hint = Advice("write it in a larger unit, or use ", CLIP)
    weights = np.ones((0, 1)) if dataset.weights is None else dataset.weights[:, None]
    X = _Numbers(
        dataset.X,
        arguments.features,
        "feature",
        arguments.scaled,
        Advice("use ", SetKey("encoding.numeric", "standard")),
    )
    y = _Numbers(
        dataset.y if dataset.y.dtype.kind == "f" else np.ones((0, 1)),
        arguments.targets,
        "target",
        arguments.target_scaled,
        target_hint,
    )
    w = _Numbers(weights, () if arguments.weight is None else (arguments.weight,), "weight", False, "")
    too_high = f"the learning rate, {rate:g}, is too high: {SLOWER}"
    return (
        _not_finite(arguments, X)
        or _not_finite(arguments, y)
        or _not_finite(arguments, w)
        or (too_high if rate > MAX_LEARNING_RATE else None)
        or _unscaled_or_outlier(arguments, X)
        or _unscaled_or_outlier(arguments, y)
        or _large_weight(arguments, w)
        or _l2_too_large(arguments, rate)
        or too_high
    )


def _extremes(numbers: _Numbers) -> npt.NDArray[np.float64]:
    """The largest magnitude in each column; NaN if it holds one."""
    values = numbers.values
    if not values.size:
        return np.zeros(0)
    high, low = values.max(axis=0).astype(np.float64), values.min(axis=0).astype(np.float64)
    return np.asarray(np.maximum(high, -low))


def _not_finite(arguments: TrainingArguments, numbers: _Numbers) -> str | None:
    peaks = _extremes(numbers)
    if np.isfinite(peaks).all():
        return None
    j = int(np.isfinite(peaks).argmin())
    i = int(np.isfinite(numbers.values[:, j]).argmin())
    value = numbers.values[i, j]
    return f"{numbers.name(j)} is {value:g} in row {arguments.row(i):,}: replace it by a number"


def _unscaled_or_outlier(arguments: TrainingArguments, numbers: _Numbers) -> str | None:
    """The message for a column that is not scaled, is nearly constant, or has an outlier."""
    peaks = _extremes(numbers)
    if not peaks.size or peaks.max() <= OUTLIER_LIMIT:
        return None
    j = int(peaks.argmax())
    name, values = numbers.name(j), numbers.values[:, j].astype(np.float64)
    middle = median(values)
    distance = np.abs(values - middle)
    i = int(distance.argmax())
    is_outlier = 0 < np.count_nonzero(distance > distance[i] / OUTLIER_RATIO) <= max(1, len(values) // 1000)
    if is_outlier and distance[i] > OUTLIER_LIMIT:
        shown = "" if numbers.scaled else f", {values[i]:.3g},"
        hint = "correct the cell, leave it empty or remove the row"
        return f"{name} in row {arguments.row(i):,}{shown} lies far from all other rows: {hint}"
    if peaks[j] <= UNSCALED_LIMIT:
        return None
    if numbers.scaled:
        return f"{name} is nearly constant and cannot be scaled: subtract a constant from it, or drop it"
    if distance[i] <= abs(middle) / UNSCALED_LIMIT:
        return f"{name} is about {middle:.3g} in every row and is not scaled: {numbers.hint}, or drop it"
    return f"{name} reaches {peaks[j]:.3g} and is not scaled: {numbers.hint}"


def _large_weight(arguments: TrainingArguments, weights: _Numbers) -> str | None:
    peaks = _extremes(weights)
    if not peaks.size or peaks[0] <= LARGE_WEIGHT:
        return None
    row, by = arguments.row(int(weights.values.argmax())), f" in {weights.name(0)}" if weights.names else ""
    return f"row {row:,} weighs {peaks[0]:,.3g} times as much as the mean row{by}: lower its weight, or {SLOWER}"


def _l2_too_large(arguments: TrainingArguments, rate: float) -> str | None:
    if arguments.l2 * rate <= 2.0:
        return None
    l2 = f"l2, {arguments.l2:g}, is too high for the learning rate, {rate:g}"
    return f"{l2}: weights change sign at every step; lower it"
