"""Laws that hold of the parts of every kind of target, those of plugins included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.encoders.row_context import RowContext
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, Loss, MSELoss, OrdinalLoss, SurvivalLoss
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import OutputColumn, build, run_nodes
from nncli.nn.program.values import Builder, Value, join
from nncli.targets.classes import ClassificationTarget
from nncli.targets.labels import MultilabelTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.ordinal import OrdinalTarget
from nncli.targets.output_columns import OutputNodes
from nncli.targets.survival import SurvivalTarget
from nncli.targets.target_base import FitOptions, TargetBase
from tests.kinds.angle import Angle, AngleLoss
from tests.kinds.change import Change, ChangeLoss
from tests.kinds.grade import Grade, GradeLoss

N = 40
rng = np.random.default_rng(0)
TABLE = Table(
    pl.DataFrame(
        {
            "y": rng.normal(3.0, 2.0, N),
            "z": rng.normal(-50.0, 20.0, N),
            "two": rng.choice(["no", "yes"], N),
            "three": rng.choice(["a", "b", "c"], N),
            "level": rng.choice(["low", "mid", "high"], N),
            "grade": [*"FDCBA"] * (N // 5),
            "first": rng.choice([0, 1], N),
            "second": rng.choice([0, 1], N),
            "days": rng.exponential(9.0, N).round(2) + 0.1,
            "died": rng.choice([0, 1], N, p=[0.3, 0.7]),
            "angle": rng.uniform(0.0, 360.0, N),
        }
    ),
    "",
)
CONTEXT = RowContext(rng.uniform(0.5, 4.0, N), rng.normal(0.0, 9.0, N))
CLIPPED = FitOptions("standard", clip=True)
TARGETS: dict[str, tuple[Any, Loss]] = {
    "number": (RegressionTarget.fit(TABLE, ("y",), FitOptions("standard")), MSELoss()),
    "clipped numbers": (RegressionTarget.fit(TABLE, ("y", "z"), CLIPPED), MSELoss()),
    "relative number": (RegressionTarget.fit(TABLE, ("y",), CLIPPED._replace(context=CONTEXT)), MSELoss()),
    "two classes": (ClassificationTarget.fit(TABLE, ("two",)), CrossEntropyLoss()),
    "classes": (ClassificationTarget.fit(TABLE, ("three",)), CrossEntropyLoss()),
    "ordered classes": (OrdinalTarget.fit(TABLE, ("level",)), OrdinalLoss()),
    "labels": (MultilabelTarget.fit(TABLE, ("first", "second")), BinaryCrossEntropyLoss()),
    "time to an event": (SurvivalTarget.fit(TABLE, ("days", "died")), SurvivalLoss(event="died")),
    "angle": (Angle.fit(TABLE, ("angle",)), AngleLoss()),
    "grade": (Grade.fit(TABLE, ("grade",)), GradeLoss()),
    "change": (Change.fit(TABLE, ("y",), CLIPPED._replace(context=CONTEXT)), ChangeLoss()),
}
FUNCTIONS: dict[str, tuple[Callable[[TargetBase, Floats], Floats], Callable[[TargetBase, Value], Value]]] = {
    "decode": (lambda target, P: target.decode(P), lambda target, p: target.lower_decode(p)),
    "shown": (lambda target, P: target.shown(P), lambda target, p: target.lower_shown(p)),
    "clip_relative": (lambda target, P: target.clip_relative(P), lambda target, p: target.lower_clip_relative(p)),
}
SEEDS = st.integers(0, 10_000)
targets = pytest.mark.parametrize("name", TARGETS)


def values_of(target: TargetBase, seed: int, rows: int = N) -> Floats:
    """Predicted values (rows, outputs) of a target: probabilities in each row, or numbers of any size."""
    random = np.random.default_rng(seed)
    if "probabilities" not in target.gives:
        return random.normal(0.0, 3.0, (rows, target.n_outputs))
    if isinstance(target, SurvivalTarget):  # a survival that falls
        return np.asarray(np.cumprod(random.uniform(0.3, 1.0, (rows, target.n_outputs)), axis=1))
    if not target.class_labels.labels:
        return random.uniform(0.0, 1.0, (rows, target.n_outputs))
    return random.dirichlet(np.ones(target.n_outputs), rows)


def computed(function: Callable[[Value], Value], P: Floats) -> Floats:
    """What the operations of a function give for P (rows, outputs)."""
    builder = Builder()
    result = function(join([builder.input(NumberInput(str(j))) for j in range(P.shape[1])]))
    outputs = [OutputColumn(str(j), "value", result.position, j) for j in range(result.width)]
    program = build(builder, outputs, "float64")
    return run_nodes(program, [P[:, [j]] for j in range(P.shape[1])])[program.output_nodes[0]]


@targets
@pytest.mark.parametrize("function", FUNCTIONS)
@given(seed=SEEDS)
def test_operations_are_the_functions_in_numpy(name: str, function: str, seed: int) -> None:
    (target, _), (numpy, lowered) = TARGETS[name], FUNCTIONS[function]
    P = values_of(target, seed)

    np.testing.assert_array_max_ulp(computed(lambda p: lowered(target, p), P), numpy(target, P), 4)


@targets
@given(seed=SEEDS)
def test_decided_classes_are_those_of_operations(name: str, seed: int) -> None:
    target, _ = TARGETS[name]
    P = values_of(target, seed)
    if "classes" in target.gives:
        codes = target.decision_rule.codes(P, None)
        assert computed(lambda p: target.lower_codes(p, None), P)[:, 0].tolist() == codes.tolist()


@targets
@given(seed=SEEDS)
def test_the_gradient_of_decoding_is_that_of_differences(name: str, seed: int) -> None:
    target, _ = TARGETS[name]
    P = values_of(target, seed, rows=4)
    d, step = np.random.default_rng(seed + 1).normal(size=P.shape), 1e-6

    def f(P: Floats) -> float:
        return float((target.decode(P) * d).sum())

    steps = step * np.eye(P.size).reshape(P.size, *P.shape)
    differences = np.array([(f(P + e) - f(P - e)) / (2.0 * step) for e in steps]).reshape(P.shape)
    np.testing.assert_allclose(target.decode_vjp(P, d.copy()), differences, rtol=1e-5, atol=1e-5)


@targets
@given(seed=SEEDS)
def test_columns_of_some_rows_are_the_rows_of_the_columns(name: str, seed: int) -> None:
    target, loss = TARGETS[name]
    predictions = Predictions(target, values_of(target, seed), loss=loss)
    rows = np.random.default_rng(seed).permutation(N)[: N // 2]

    assert predictions.take(rows).frame(proba=True).equals(predictions.frame(proba=True)[rows])


@targets
def test_a_program_has_the_columns_of_predictions(name: str) -> None:
    target, loss = TARGETS[name]
    outputs = target.program_outputs(OutputNodes(0, 1))
    if outputs:
        printed = target.program_columns(Predictions(target, values_of(target, 0), loss=loss))
        assert sorted(column.title for column in outputs) == sorted(printed)


@targets
@given(seed=SEEDS)
def test_a_measure_of_some_rows_is_that_of_all_rows_there(name: str, seed: int) -> None:
    target, loss = TARGETS[name]
    y, rows = target.read(TABLE), np.random.default_rng(seed).permutation(N)[: N // 2]
    context = CONTEXT if target.is_relative else None
    predictions = Predictions(target, values_of(target, seed), context=context, loss=loss)
    if len(target.names) > 1 and "curve" not in target.gives and not target.labels:
        return  # errors of several numbers are in units of the spread of the rows
    for measure in target.scoring(loss).comparison(None).tested:
        prepared = measure.prepare(predictions, y)
        losses = measure.losses(prepared, y)
        assert losses.shape == (N,)
        np.testing.assert_allclose(measure.losses(prepared[rows], y[rows]), losses[rows])


@targets
def test_targets_survive_a_file(name: str) -> None:
    target, _ = TARGETS[name]

    assert type(target).model_validate_json(target.model_dump_json()) == target
