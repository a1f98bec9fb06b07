"""Classes from float32 are those of the probabilities in float64, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncli.data.table import Table
from nncli.models import label_predictor as classes_module
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.label_predictor import predict_classes
from nncli.models.model import Model
from nncli.nn.arrays import Array, Codes
from nncli.nn.inference.predictor import InferenceSession
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import CostMatrix, Decision, Threshold
from nncli.targets.threshold_goals import FixedThreshold
from tests.api.explained import CITY, CLASSES, DATE, WORDS, X1, X2, ensemble_of, model_of, table_of

TABLE = table_of(300)
THREE = ClassificationTarget(name="t", labels=("no", "perhaps", "yes"))


def dense(units: int, activation: str) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation}


MODELS: dict[str, AnyModel] = {
    "two classes": model_of(dense(16, "mish"), target=CLASSES, temperature=2.5),
    "three classes": model_of(dense(16, "mish"), target=THREE, temperature=0.4),
    "an ensemble": ensemble_of(
        model_of(dense(16, "mish"), target=CLASSES, seed=1),
        model_of(dense(8, "relu"), target=CLASSES, columns=(X2, CITY), seed=2),
        temperature=0.6,
    ),
    "members that know other classes": ensemble_of(
        model_of(dense(16, "relu"), target=CLASSES, seed=1), model_of(8, target=THREE, seed=2), target=THREE
    ),
    "weighted members with temperatures of their own": ensemble_of(
        model_of(dense(16, "mish"), target=THREE, seed=1, temperature=0.5),
        model_of(dense(8, "relu"), target=THREE, columns=(X2, CITY), seed=2, temperature=3.0),
        temperature=1.5,
        weights=(7.0, 2.0),
    ),
    "another activation": model_of(dense(16, "tanh"), target=CLASSES, columns=(X1, DATE, WORDS)),
}
every = pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in MODELS.items()])


@pytest.fixture(autouse=True)
def _few_rows_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes_module, "MIN_ROWS", 1)
    monkeypatch.setattr(classes_module, "MIN_WEIGHTS", 0)


@every
@pytest.mark.parametrize("factor", [0.0, 1.0, 1e4, np.inf])
def test_every_row_gets_the_class_of_its_probabilities(
    model: AnyModel, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, run_rounded = model.predict(TABLE), InferenceSession.run_rounded

    def less_certain(predictor: InferenceSession, X: Array, codes: Codes) -> tuple[Array, Array]:
        Z, bound = run_rounded(predictor, X, codes)
        return Z, np.maximum(bound * factor, bound)

    monkeypatch.setattr(InferenceSession, "run_rounded", less_certain)
    result = predict_classes(model, TABLE)
    assert result.classes.tolist() == exact.values.argmax(axis=1).tolist()
    assert result.anomalies == exact.anomalies
    assert result.frame().equals(exact.frame())


def decided(model: AnyModel, decision: Decision) -> AnyModel:
    """The model with a decision."""
    if isinstance(model, Model):
        return replace(model, spec=model.spec.model_copy(update={"decision": decision}))
    return replace(model, spec=model.spec.model_copy(update={"decision": decision}))


@pytest.mark.parametrize("name", ["two classes", "an ensemble"])
@pytest.mark.parametrize("quantile", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("factor", [1.0, 1e4])
def test_every_row_gets_the_class_of_the_threshold(
    name: str, quantile: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    p, run_rounded = MODELS[name].predict(TABLE).values[:, 0], InferenceSession.run_rounded
    threshold = float(np.quantile(p, quantile, method="nearest"))  # the probability of a row, which is positive
    goal = FixedThreshold(threshold=threshold)
    model = decided(MODELS[name], Threshold(positive=CLASSES.labels[0], threshold=threshold, goal=goal))

    def less_certain(predictor: InferenceSession, X: Array, codes: Codes) -> tuple[Array, Array]:
        Z, bound = run_rounded(predictor, X, codes)
        return Z, np.maximum(bound * factor, bound)

    monkeypatch.setattr(InferenceSession, "run_rounded", less_certain)
    result = predict_classes(model, TABLE)
    assert result.classes.tolist() == np.where(p >= threshold, 0, 1).tolist()
    assert result.frame().equals(model.predict(TABLE).frame())


def test_expected_costs_are_computed_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(InferenceSession, "run_rounded")
    costs = CostMatrix(labels=THREE.labels, costs=((0.0, 1.0, 5.0), (1.0, 0.0, 1.0), (2.0, 1.0, 0.0)))
    model = decided(MODELS["three classes"], costs)
    assert predict_classes(model, TABLE).classes.tolist() == model.predict(TABLE).classes.tolist()


def test_uncertain_rows_are_predicted_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["two classes"]
    assert isinstance(model, Model)
    rows: list[int] = []
    predict = Model.predict

    def watched(member: Model, table: Table) -> Any:
        rows.append(len(table))
        return predict(member, table)

    probabilities = model.predict(TABLE).values

    def off(
        predictor: InferenceSession, X: Array, codes: Codes
    ) -> tuple[Array, Array]:  # the wrong class, but it says so
        return -predictor.run(X, codes), np.where(np.arange(len(X)) < 40, np.inf, 0.0)

    monkeypatch.setattr(Model, "predict", watched)
    monkeypatch.setattr(InferenceSession, "run_rounded", off)
    result = predict_classes(model, TABLE).classes
    assert rows == [40]
    assert result[:40].tolist() == probabilities[:40].argmax(axis=1).tolist()
    assert result[40:].tolist() == probabilities[40:].argmin(axis=1).tolist()


def test_few_rows_are_predicted_in_float64_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes_module, "MIN_ROWS", len(TABLE) + 1)
    monkeypatch.delattr(InferenceSession, "run_rounded")
    for model in MODELS.values():
        assert predict_classes(model, TABLE).classes.tolist() == model.predict(TABLE).values.argmax(axis=1).tolist()


@pytest.mark.parametrize("name", ["two classes", "weighted members with temperatures of their own"])
def test_small_networks_are_computed_in_float64_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS[name]
    members = model.members if isinstance(model, Ensemble) else (model,)
    smallest = min(member.spec.network.layout.n_decayed for member in members)
    monkeypatch.setattr(classes_module, "MIN_WEIGHTS", smallest + 1)
    monkeypatch.delattr(InferenceSession, "run_rounded")
    assert predict_classes(model, TABLE).classes.tolist() == model.predict(TABLE).values.argmax(axis=1).tolist()
