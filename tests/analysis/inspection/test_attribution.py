"""Attributions by column: closed forms for linear models, and completeness for all models and ensembles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.analysis.inspection.attribution import Attributions, attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.base.errors import UsageError
from nncli.models.ensemble import AnyModel
from nncli.nn.losses import HingeLoss, PoissonLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from tests.api.explained import CITY, CLASSES, COLOR, DATE, NUMBER, WORDS, X1, X2, ensemble_of, model_of, table_of
from tests.assertions import raises

TABLE, USUAL = table_of(12), table_of(60, seed=5)
THREE = ClassificationTarget(name="t", labels=("a", "b", "c"))
COUNTS = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
TWO = RegressionTarget(names=("y", "z"), centers=(1.0, 0.0), scales=(4.0, 100.0))


def attributed(model: AnyModel, of: str | None = None) -> Attributions:
    return attribute(EncodedRows.of(model, TABLE), EncodedRows.of(model, USUAL), of)


def test_attributions_of_a_linear_model_are_weight_times_distance_from_the_mean() -> None:
    model = model_of()
    result = attributed(model)
    W = 4.0 * model.parameters.by_name["output.weight"][:, 0]  # 4 is the target's scale
    E = model.parameters.by_name["embeddings.city"]
    rows, usual = (model.spec.encoder.encode(table, "float64") for table in (TABLE, USUAL))
    D = rows.X - usual.X.mean(axis=0)
    expected = {
        "x1": D[:, :2] @ W[:2],  # the flag of a missing cell is the column's too
        "x2": D[:, 2] * W[2],
        "colour": D[:, 3:5] @ W[3:5],
        "city": (E[rows.codes[:, 0]] - E[usual.codes[:, 0]].mean(axis=0)) @ W[5:],
    }
    assert result.columns == tuple(expected)
    np.testing.assert_allclose(result.values, np.stack([*expected.values()], axis=1), atol=1e-12)
    np.testing.assert_allclose(result.predictions, model.predict(TABLE).values[:, 0])
    np.testing.assert_allclose(result.base, model.predict(USUAL).values.mean())  # as the model is linear
    assert result.outputs == ("y",) * 12


MODELS: dict[str, AnyModel] = {
    "numbers": model_of(8, 4),
    "within a range": model_of(8, target=NUMBER.model_copy(update={"lowest": (9.0,), "highest": (11.0,)})),
    "counts": model_of(8, target=COUNTS, loss=PoissonLoss()),
    "several numbers": model_of(8, target=TWO),
    "two classes": model_of(8, target=CLASSES, temperature=2.5),
    "three classes": model_of(8, target=THREE, temperature=0.4),
    "margins": model_of(8, target=THREE, loss=HingeLoss()),
    "dates and texts": model_of(8, columns=(DATE, X2, WORDS)),
    "members": ensemble_of(model_of(8, seed=1), model_of(4, seed=2, columns=(CITY, X1))),
    "members that know other classes": ensemble_of(
        model_of(8, target=CLASSES, seed=1),
        model_of(4, target=ClassificationTarget(name="t", labels=("no", "perhaps", "yes")), seed=2),
        target=ClassificationTarget(name="t", labels=("no", "perhaps", "yes")),
        temperature=0.7,
    ),
}


@pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in MODELS.items()])
def test_attributions_add_up_to_the_prediction(model: AnyModel) -> None:
    result, said = attributed(model), model.predict(TABLE).values
    labels = model.spec.target.output_names
    chosen = [labels.index(output) for output in result.outputs]
    np.testing.assert_allclose(result.predictions, said[np.arange(12), chosen], rtol=1e-9, atol=1e-12)
    assert result.missed == 0
    spread = 1.0 if model.spec.target.task == "classification" else model.predict(USUAL).values[:, chosen[0]].std()
    assert result.tolerance == pytest.approx(1e-3 * spread)
    np.testing.assert_allclose(result.base + result.values.sum(axis=1), result.predictions, atol=1e-3 * spread)


@pytest.mark.slow
@given(
    units=st.lists(st.integers(1, 6), max_size=2),
    target=st.sampled_from([NUMBER, CLASSES, THREE]),
    members=st.integers(1, 3),
    temperature=st.floats(0.2, 5.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25)
def test_attributions_add_up_for_any_model(
    units: list[int], target: RegressionTarget | ClassificationTarget, members: int, temperature: float, seed: int
) -> None:
    models = [model_of(*units, target=target, seed=seed + i) for i in range(members)]
    model = models[0] if members == 1 else ensemble_of(*models, temperature=1.0 if target is NUMBER else temperature)
    result = attributed(model)
    assert result.error.max() <= result.tolerance
    np.testing.assert_allclose(result.base + result.values.sum(axis=1), result.predictions, atol=result.tolerance)


def test_attributions_of_an_ensemble_are_the_mean_of_its_members() -> None:
    members = model_of(5, seed=1), model_of(3, seed=2, columns=(COLOR, X2))
    together, (first, two) = attributed(ensemble_of(*members)), map(attributed, members)
    for j, name in enumerate(together.columns):
        other = two.values[:, two.columns.index(name)] if name in two.columns else 0.0
        np.testing.assert_allclose(together.values[:, j], (first.values[:, j] + other) / 2.0, atol=1e-2)


def test_attributions_of_an_ensemble_have_the_weights_and_the_temperatures_of_its_members() -> None:
    members = model_of(5, seed=1, target=CLASSES, temperature=2.0), model_of(3, seed=2, target=CLASSES, temperature=0.7)
    together, (first, two) = attributed(ensemble_of(*members, weights=(3.0, 1.0))), map(attributed, members)
    np.testing.assert_allclose(together.values, 0.75 * first.values + 0.25 * two.values, atol=1e-2)
    np.testing.assert_allclose(together.base + together.values.sum(axis=1), together.predictions, atol=1e-2)
    assert together.error.max() <= together.tolerance


def test_an_unused_column_has_zero_attribution() -> None:
    model = model_of(7, target=CLASSES)
    model.parameters.by_name["layers.0.weight"][2] = 0.0
    assert not attributed(model).values[:, 1].any()


def test_the_default_output_is_the_second_of_two_classes_or_the_most_probable() -> None:
    assert set(attributed(model_of(target=CLASSES)).outputs) == {"yes"}
    model = model_of(target=THREE)
    likeliest = [THREE.labels[k] for k in model.predict(TABLE).values.argmax(axis=1)]
    assert list(attributed(model).outputs) == likeliest


def test_any_class_and_any_target_can_be_asked_for() -> None:
    model = model_of(6, target=THREE)
    each = [attributed(model, of) for of in THREE.labels]
    assert [set(item.outputs) for item in each] == [{"a"}, {"b"}, {"c"}]
    np.testing.assert_allclose(sum(item.values for item in each), 0.0, atol=1e-3)  # what one gains the others lose
    assert set(attributed(model_of(target=TWO), "z").outputs) == {"z"}


@pytest.mark.parametrize(
    ("model", "of", "match"),
    [(model_of(target=CLASSES), "yess", "no class 'yess'"), (model_of(), "q", "no target 'q'")],
)
def test_an_unknown_output_is_refused(model: AnyModel, of: str, match: str) -> None:
    with raises(UsageError, mentions=f"'{of}'"):
        attributed(model, of)


def test_attributions_ignore_the_out_of_fold_mask() -> None:
    model = ensemble_of(model_of(5, seed=1), model_of(5, seed=2))
    rows = EncodedRows.of(model, TABLE)
    silent = replace(rows, oof_mask=np.array([[True] * 12, [False] * 12]))
    usual = EncodedRows.of(model, USUAL)
    np.testing.assert_array_equal(attribute(silent, usual).values, attribute(rows, usual).values)


def test_infinite_predictions_count_as_missed() -> None:
    model = model_of(target=COUNTS, loss=PoissonLoss())
    model.parameters.by_name["output.bias"][...] = 800.0
    result = attributed(model)
    assert result.missed == 12


def test_a_frame_has_a_row_for_each_and_names_that_clash_with_nothing() -> None:
    result = Attributions(
        columns=("base", "x", "row"),
        outputs=("yes",),
        values=np.array([[0.1, 0.2, 0.3]]),
        base=np.array([0.2]),
        predictions=np.array([0.8]),
        error=np.zeros(1),
        tolerance=1e-3,
    )
    frame = result.frame(np.array([7]))
    assert frame.columns == ["row_", "output", "prediction", "base_", "base", "x", "row"]
    assert frame.row(0) == (7, "yes", 0.8, 0.2, 0.1, 0.2, 0.3)
    assert frame.schema["row_"] == pl.Int64
