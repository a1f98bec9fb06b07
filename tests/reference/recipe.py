"""The RealMLP recipe on two small problems, to be trained from many seeds: scores are compared as distributions.

No torch here: see make_recipe.py. The rows follow from a formula, so that no random stream has to stay as it is; first
weights, shuffling and dropout are each implementation's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import pi, sqrt
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.losses import CrossEntropyLoss, Loss, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import AdamW
from nncli.nn.optim.schedules import CoslogRate
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState

FILE = Path(__file__).resolve().parent / "recipes" / "realmlp.json"
Task: TypeAlias = Literal["classification", "regression"]
Floats: TypeAlias = npt.NDArray[np.float32]

TASKS: tuple[Task, ...] = ("classification", "regression")
ROWS, EPOCHS, BATCH, UNITS = 576, 30, 64, 32
NUMERIC, FEATURES = 6, 7  # six numbers and a flag
DROPOUT, SMOOTHING, DECAY = 0.15, 0.1, 0.02
RATES: dict[Task, float] = {"classification": 0.04, "regression": 0.2}
FACTORS = {"weight": 1.0, "numeric": 0.1, "bias": 0.1, "scale": 6.0, "alpha": 0.1}
"""Of the learning rate. The decay of a group is multiplied by its factor twice; biases do not decay."""


class Problem(NamedTuple):
    """Rows to learn from, rows to be scored on: X (rows, features), y (rows,) of class codes or of numbers."""

    X: Floats
    y: npt.NDArray[np.float64]
    X_test: Floats
    y_test: npt.NDArray[np.float64]


def problem(task: Task) -> Problem:
    """Points spread evenly by the fractional parts of multiples of square roots of primes."""
    i = np.arange(1, 2 * ROWS + 1)[:, None]
    U = np.modf(i * np.sqrt(np.array([2, 3, 5, 7, 11, 13, 17, 19])))[0]
    X = np.concatenate([3.4 * (U[:, :NUMERIC] - 0.5), U[:, NUMERIC:FEATURES] > 0.5], axis=1)
    f = np.sin(2.5 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 6] * X[:, 3] + (U[:, 7] - 0.5)
    y = (f > 0.0).astype(np.float64) if task == "classification" else f / f.std()
    X = X.astype(np.float32)
    return Problem(X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:])


def score(task: Task, Z: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.float64]) -> float:
    """Of raw outputs Z (rows, outputs): the mean cross-entropy, or the root of the mean square error."""
    if task == "regression":
        return float(np.sqrt(np.mean((Z[:, 0] - y) ** 2)))
    Z = Z - Z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y.astype(int)]))


def network(task: Task) -> Network:
    """Scale, then three dense layers, each with a parametric activation and dropout."""
    block = [
        {"type": "dense", "units": UNITS, "parametrization": "ntk", "init": "data_dependent"},
        {"type": "parametric_activation", "activation": "selu" if task == "classification" else "mish"},
        {"type": "dropout", "rate": DROPOUT, "schedule": "flat_cosine"},
    ]
    return Network.model_validate(
        {
            "n_features": FEATURES,
            "numeric_features": range(NUMERIC),
            "numeric_embedding": "periodic",
            "layers": ["scale", *block, *block, *block],
            "n_outputs": 2 if task == "classification" else 1,
            "output_init": "data_dependent",
            "output_parametrization": "ntk",
        }
    )


def run_nncli(task: Task, seed: int) -> float:
    """Train from a seed with nncli; the score on the test rows after the last step."""
    rows = problem(task)
    none = np.empty((ROWS, 0), np.int64)
    y = rows.y.astype(np.int64) if task == "classification" else rows.y[:, None].astype(np.float32)
    dataset = Dataset(rows.X, none, y)
    loss: Loss = CrossEntropyLoss(label_smoothing=SMOOTHING) if task == "classification" else MSELoss()
    groups = {
        name: {"learning_rate_multiplier": f, "weight_decay_multiplier": 0.0 if name == "bias" else f * f}
        for name, f in FACTORS.items()
    }
    optimizer = AdamW.model_validate(
        {"beta2": 0.95, "weight_decay": DECAY, "decay_schedule": "flat_cosine", "param_groups": groups}
    )
    arguments = TrainingArguments(network(task), loss, optimizer, CoslogRate(peak=RATES[task]), BATCH, EPOCHS)
    state = TrainState.create(arguments.network, optimizer, RandomStreams.of(seed), dataset=dataset)
    for _ in fit(arguments, state, dataset, None):
        pass
    return score(task, InferenceSession(arguments.network, state.parameters).run(rows.X_test, none), rows.y_test)


class Distribution(NamedTuple):
    """Of the scores from so many seeds: one seed in thirty ends far off, so the middle and the quartiles are told."""

    median: float
    spread: float
    seeds: int

    @classmethod
    def of(cls, scores: Sequence[float]) -> Distribution:
        """The spread is the standard deviation of a normal distribution with the same quartiles."""
        low, median, high = np.quantile(scores, [0.25, 0.5, 0.75])
        return cls(float(median), float(high - low) / 1.349, len(scores))

    def differs(self, other: Distribution) -> float:
        """The difference of the medians in standard errors, each sqrt(pi / 2) · spread / sqrt(seeds)."""
        variance = self.spread**2 / self.seeds + other.spread**2 / other.seeds
        return abs(self.median - other.median) / sqrt(pi / 2.0 * variance)


def read() -> dict[Task, Distribution]:
    """What PyTorch scored."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {task: Distribution.of(content[task]) for task in TASKS}
