"""What a reference file holds, and how nncli runs a case of it. No torch here: see make_reference.py.

A case is self-contained: the numbers that go in are rounded to a few decimals and written out, so that no
random stream has to stay as it is. What comes out is written with all its digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.base.spec import Spec
from nncli.nn.batches.batches import Batches
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.losses import Loss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Optimizer
from nncli.nn.parameters import Parameters
from nncli.nn.training.step import L1L2Penalty, bind_gradient, bind_step

FOLDER = Path(__file__).resolve().parent
STEPS = 100
SHOWN = (1, 2, 10, 50, 100)
"""The steps whose loss a reference keeps."""
TOLERANCE = 1e-10

Vector = list[float]
Matrix = list[list[float]]
Cube = list[Matrix]
Floats = npt.NDArray[np.float64]


class Case(Spec):
    """100 steps of training: batches of `batch_size` rows in the order given, over and over, the last one smaller."""

    name: str
    network: Network
    loss: Loss
    optimizer: Optimizer
    learning_rate: float
    batch_size: int
    l1: float = 0.0
    l2: float = 0.0
    clip_norm: float | None = None
    X: Matrix
    codes: list[list[int]]
    y: Matrix | list[int]
    weights: Vector | None = None
    initial: dict[str, Vector | Matrix | Cube]


class Outcome(Spec):
    """The loss (penalty apart) at the steps of SHOWN; then parameters, running statistics, and predictions."""

    losses: dict[int, float]
    parameters: dict[str, Vector | Matrix | Cube]
    predictions: Matrix


class Reference(Spec):
    """A case and what another implementation made of it."""

    case: Case
    expected: Outcome


def write(path: Path, versions: Mapping[str, str], references: list[Reference]) -> None:
    """Write a reference file: JSON, one reference a line."""
    lines = ",\n".join(json.dumps(reference.model_dump(mode="json"), allow_nan=False) for reference in references)
    path.write_text(f'{{"versions": {json.dumps(versions)},\n"references": [\n{lines}\n]}}\n', encoding="utf-8")


def read(path: Path) -> Iterator[Reference]:
    """The references of a file."""
    for reference in json.loads(path.read_text(encoding="utf-8"))["references"]:
        yield Reference.model_validate(reference)


def run_nncli(case: Case) -> Outcome:
    """Train with nncli's own step, then predict with its inference."""
    rng = np.random.default_rng(0)  # nothing is drawn: no dropout, no shuffling
    parameters = case.network.layout.empty("float64")
    if parameters.by_name.keys() != case.initial.keys():
        raise ValueError(f"{case.name}: the network has {sorted(parameters.by_name)}, the case {sorted(case.initial)}")
    for name, value in case.initial.items():
        parameters.by_name[name][...] = value
    dataset = _examples(case)
    batches = Batches(dataset, case.batch_size, rng)
    optimize = case.optimizer.bind(
        parameters.theta,
        parameters.grad,
        case.optimizer.init_state(parameters.theta),
        groups=parameters.layout.groups,
        progress=np.zeros(()),
    )
    penalty = L1L2Penalty(parameters, l1=case.l1, l2=case.l2) if case.l1 or case.l2 else None
    steps = {
        rows: bind_step(
            bind_gradient(
                case.network, parameters, case.loss, batches, slice(0, rows), rows, training=TrainingContext(rng)
            ),
            parameters.grad,
            optimize,
            penalty=penalty,
            clip_norm=case.clip_norm,
        )
        for rows in batches.sizes()
    }
    losses = {}
    for t in range(1, STEPS + 1):
        i = (t - 1) % batches.steps
        losses[t] = steps[batches.rows(i)](i, case.learning_rate, t)
    return _outcome(case, losses, parameters, dataset)


def _examples(case: Case) -> Dataset:
    return Dataset(
        np.array(case.X, np.float64).reshape(len(case.X), case.network.n_features),
        np.array(case.codes, np.int64).reshape(len(case.X), len(case.network.embeddings)),
        np.array(case.y),
        None if case.weights is None else np.array(case.weights, np.float64),
    )


def _outcome(case: Case, losses: Mapping[int, float], parameters: Parameters, dataset: Dataset) -> Outcome:
    Z = InferenceSession(case.network, parameters).run(dataset.X, dataset.codes)
    return Outcome(
        losses={t: losses[t] for t in SHOWN},
        parameters={name: value.tolist() for name, value in parameters.by_name.items()},
        predictions=case.loss.inverse_link(Z).tolist(),
    )


def errors(result: Outcome, expected: Outcome) -> dict[str, float]:
    """|found - expected| / |expected|, Euclidean, of every parameter, of the predictions and of every loss."""
    pairs: dict[str, tuple[Any, Any]] = {
        name: (result.parameters[name], value) for name, value in expected.parameters.items()
    }
    pairs["predictions"] = (result.predictions, expected.predictions)
    pairs |= {f"loss at step {t}": (result.losses[t], value) for t, value in expected.losses.items()}
    return {name: _relative(np.array(a), np.array(b)) for name, (a, b) in pairs.items()}


def _relative(result: Floats, expected: Floats) -> float:
    error = float(np.linalg.norm(result - expected)) if result.shape == expected.shape else inf
    if not isfinite(error):
        return inf
    return error / max(float(np.linalg.norm(expected)), np.finfo(np.float64).tiny)
