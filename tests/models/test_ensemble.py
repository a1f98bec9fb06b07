"""What several models say together: classes that some do not know, columns that some read otherwise."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.encoders.column_types import Column
from nncli.data.sources.read_table import read_table
from nncli.data.table import Table
from nncli.models.ensemble import Ensemble, EnsembleSpec, predict_members, spec_json
from nncli.models.label_predictor import predict_classes
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.nn.inference.small_blocks import MAX_ROWS
from nncli.nn.losses import MAELoss, QuantileLoss, QuantilesLoss
from nncli.nn.parameters import Parameters
from nncli.run_directory.loader import read_model
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from tests.api.explained import CITY, CLASSES, X2, ensemble_of, model_of, table_of
from tests.cli.support import DATA


@pytest.fixture(scope="module")
def model(penguins: Path) -> Model:
    return read_model(penguins)


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(DATA / "penguins.csv", missing_values=("", "NA"))


def spec_for(model: Model, labels: tuple[str, ...]) -> EnsembleSpec:
    target = ClassificationTarget(name="species", labels=labels)
    return EnsembleSpec(members=2, target=target, loss=model.spec.loss, missing_values=("", "NA"))


def test_a_class_that_a_member_does_not_know_has_probability_0_in_it() -> None:
    target = ClassificationTarget(name="y", labels=("a", "c"))
    predictions = Predictions(target, np.array([[0.25, 0.75]]))
    assert ClassificationTarget(name="y", labels=("a", "b", "c")).align(
        predictions.values, predictions.target
    ).tolist() == [[0.25, 0.0, 0.75]]
    numbers = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    assert numbers.align(np.array([[2.0]]), numbers).tolist() == [[2.0]]


def test_labels_are_those_of_all_members(model: Model, table: Table) -> None:
    spec = spec_for(model, ("Adelie", "Chinstrap", "Dodo", "Gentoo"))
    assert spec.accepts(model.spec)
    predictions = Ensemble(spec, (model, model)).predict(table)
    assert np.array_equal(predictions.values[:, [0, 1, 3]], model.predict(table).values)
    assert not predictions.values[:, 2].any()


def test_the_quantiles_of_members_are_averaged_level_by_level(line: Path) -> None:
    member = read_model(line)
    target = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    spec = EnsembleSpec(members=2, target=target, loss=QuantilesLoss(), missing_values=())
    of_members = [
        Predictions(target, np.array([[quantiles]]), levels=(0.05, 0.5, 0.95))
        for quantiles in ([1.0, 2.0, 6.0], [2.0, 4.0, 5.0])
    ]
    result = Ensemble(spec, (member, member)).average(of_members)
    assert result.values.tolist() == [[3.0]]
    assert result.quantiles is not None
    assert result.quantiles.tolist() == [[[1.5, 3.0, 5.5]]]
    assert result.levels == (0.05, 0.5, 0.95)


@pytest.mark.parametrize("labels", [("Adelie", "Chinstrap"), ("a", "b", "c")])
def test_a_member_with_other_classes_is_refused(model: Model, labels: tuple[str, ...]) -> None:
    assert not spec_for(model, labels).accepts(model.spec)


def test_a_regression_member_of_a_classifier_is_refused(model: Model, line: Path) -> None:
    assert not spec_for(model, ("Adelie", "Chinstrap", "Gentoo")).accepts(read_model(line).spec)


def test_a_column_is_numeric_unless_a_member_reads_it_as_text(model: Model) -> None:
    labels = ("Adelie", "Chinstrap", "Gentoo")
    ensemble = Ensemble(spec_for(model, labels), (model, model))
    assert ensemble.plain_number_columns == model.plain_number_columns
    assert ensemble.names == model.names
    text = next(column for column in model.spec.encoder.columns if column.type != "numeric")
    columns = tuple(
        text.model_copy(update={"name": column.name}) if column.name == "bill_length_mm" else column
        for column in model.spec.encoder.columns
    )
    encoder = model.spec.encoder.model_copy(update={"columns": columns})
    other = replace(model, spec=model.spec.model_copy(update={"encoder": encoder}))
    assert Ensemble(ensemble.spec, (model, other)).plain_number_columns == model.plain_number_columns - {
        "bill_length_mm"
    }


def test_each_column_of_each_member_is_asked_once_whether_it_is_of_plain_numbers(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, asked = Ensemble(spec_for(model, model.spec.target.labels), (model,) * 5), list[str]()
    plain = ensemble.plain_number_columns

    def accepts(column: Column) -> bool:
        asked.append(column.name)
        return True

    for kind in {type(column) for column in model.spec.encoder.columns}:
        monkeypatch.setattr(kind, "accepts_plain_numbers", property(accepts))
    assert set(model.names) == ensemble.plain_number_columns > plain
    assert len(asked) == 5 * len(model.names)


def test_members_with_the_same_encoder_share_the_encoded_rows(model: Model, table: Table) -> None:
    encoder = model.spec.encoder.model_copy(update={"columns": model.spec.encoder.columns[::-1]})
    other = replace(model, spec=model.spec.model_copy(update={"encoder": encoder}))
    ensemble = Ensemble(spec_for(model, model.spec.target.labels), (model, other, replace(model), other))
    assert ensemble.encoded_as == (0, 1, 0, 1)


def test_a_value_is_unexpected_if_it_is_to_all_members() -> None:
    single = Anomalies({"x": ColumnAnomalies(out_of_range=3, lowest=-5.0, highest=9.0), "c": ColumnAnomalies(unseen=2)})
    other = Anomalies({"x": ColumnAnomalies(out_of_range=1, highest=9.0), "d": ColumnAnomalies(missing=1)})
    assert single & other == Anomalies({"x": ColumnAnomalies(out_of_range=1, highest=9.0)})
    assert (single & Anomalies()).note is None


@pytest.mark.parametrize("rows", [100, 5 * MAX_ROWS])
def test_a_cell_that_only_some_members_know_is_no_anomaly(model: Model, table: Table, rows: int) -> None:
    def with_columns(**changes: dict[str, object]) -> Model:
        columns = tuple(type(c)(**{**c.model_dump(), **changes.get(c.name, {})}) for c in model.spec.encoder.columns)
        encoder = model.spec.encoder.model_copy(update={"columns": columns})
        return replace(model, spec=model.spec.model_copy(update={"encoder": encoder}))

    first = with_columns(island={"categories": ("?", "Dream", "Torgersen")}, bill_length_mm={"highest": 40.0})
    second = with_columns(island={"categories": ("Biscoe", "Dream", "?")}, bill_length_mm={"lowest": 50.0})
    ensemble = Ensemble(spec_for(model, ("Adelie", "Chinstrap", "Gentoo")), (first, second))
    frame = (
        table.frame.sample(rows, with_replacement=True, seed=0)
        .cast({"bill_length_mm": pl.Float64})
        .drop_nulls("bill_length_mm")
    )
    known = frame.filter(~pl.col("bill_length_mm").is_between(40.0, 50.0, closed="none"))
    odd = known.with_columns(known["island"].scatter([0, 1], "Atlantis"))
    for cells, unseen in ((known, 0), (odd, 2)):
        of_cells = replace(table, frame=cells)
        for found in (
            ensemble.anomalies(of_cells),
            ensemble.predict(of_cells).anomalies,
            predict_classes(ensemble, of_cells).anomalies,
            EncodedRows.of(ensemble, of_cells).anomalies,
        ):
            assert "bill_length_mm" not in found.columns
            assert found.columns.get("island", ColumnAnomalies()).unseen == unseen


def test_few_rows_have_the_bits_and_anomalies_that_they_have_among_many(model: Model, table: Table) -> None:
    other = replace(model, parameters=copy_of(model))
    ensemble = Ensemble(
        spec_for(model, model.spec.target.labels if model.spec.target.task == "classification" else ()),
        (model, other, model),
    )
    odd = table.frame.with_columns(
        island=pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.lit("Atlantis")).otherwise("island")
    )
    table = replace(table, frame=odd)
    whole = ensemble.predict(table)
    assert len(table) > MAX_ROWS
    for rows in ([0], [7, 0, 343], list(range(30)), list(range(100, 100 + MAX_ROWS))):
        part = table.take(np.array(rows))
        result = ensemble.predict(part)
        assert result.values.tobytes() == whole.values[rows].tobytes()
        expected = reduce(and_, (member.spec.encoder.encode(part, "float32").anomalies for member in ensemble.members))
        assert result.anomalies == expected
        alone = [member.predict(part).values.tobytes() for member in ensemble.members]
        assert [predict_member.values.tobytes() for predict_member in predict_members(ensemble, part)] == alone


WEIGHTED = ensemble_of(
    model_of(16, target=CLASSES, seed=1, temperature=1.5),
    model_of(8, target=CLASSES, columns=(X2, CITY), seed=2),
    model_of(16, target=CLASSES, seed=3),
    weights=(1.0, 2.5, 0.3),
)


def test_the_mean_has_the_weights_of_the_members_to_the_bit_in_tables_and_few_rows() -> None:
    rows = table_of(300)
    assert WEIGHTED.spec.weights is not None
    total = np.zeros((300, 2))
    for member, weight in zip(WEIGHTED.members, WEIGHTED.spec.weights, strict=True):
        total += weight * member.predict(rows).values
    expected = total / (1.0 + 2.5 + 0.3)
    whole = WEIGHTED.predict(rows)
    assert whole.values.tobytes() == expected.tobytes()
    for some in ([0], [5, 3, 200], list(range(40))):
        part = WEIGHTED.predict(rows.take(np.array(some)))
        assert part.values.tobytes() == whole.values[some].tobytes()


def test_the_quantiles_of_members_are_averaged_with_their_weights() -> None:
    members = [model_of(16, loss=QuantilesLoss(), seed=seed) for seed in range(2)]
    first, second = (member.predict(table_of(20)).quantiles for member in members)
    mean = ensemble_of(*members, weights=(3.0, 1.0)).predict(table_of(20)).quantiles
    assert first is not None
    assert second is not None
    assert mean is not None
    assert np.array_equal(mean, (3.0 * first + second) / 4.0)


def test_some_members_keep_their_weights_and_those_of_rows_are_added() -> None:
    alone = WEIGHTED.of_members([2, 1])
    assert alone.spec.weights == (0.3, 2.5)
    assert alone.members == (WEIGHTED.members[2], WEIGHTED.members[1])
    mask = np.array([[True, False, True], [True, True, False], [True, False, False]])
    assert WEIGHTED.total_weights(mask)[:, 0].tolist() == [1.0 + 2.5 + 0.3, 2.5, 1.0]
    assert WEIGHTED.of_members([0]).total_weight([0]) == 1.0


def test_every_member_has_a_weight_and_files_without_weights_keep_their_bytes() -> None:
    text = spec_json(ensemble_of(*WEIGHTED.members).spec)
    assert "weights" not in text
    assert EnsembleSpec.model_validate_json(text).weights is None
    assert EnsembleSpec.model_validate_json(spec_json(WEIGHTED.spec)) == WEIGHTED.spec
    for weights in [(1.0, 2.0), (1.0, 0.0, 1.0), (1e308, 1e308, 1e308)]:
        with pytest.raises(ValidationError):
            EnsembleSpec.model_validate({**WEIGHTED.spec.model_dump(), "weights": weights})


def test_a_member_may_have_another_loss_that_predicts_the_same() -> None:
    spec = ensemble_of(*[model_of(8, seed=seed) for seed in range(2)]).spec
    assert spec.accepts(model_of(8, loss=MAELoss()).spec)
    assert not spec.accepts(model_of(8, loss=QuantileLoss(q=0.9)).spec)
    assert not spec.accepts(model_of(8, loss=QuantilesLoss()).spec)


def copy_of(model: Model) -> Parameters:
    """The parameters of a model, slightly changed."""
    parameters = model.spec.network.layout.empty(model.spec.network.precision)
    parameters.copy_from(model.parameters)
    parameters.theta[...] *= 1.01
    return parameters
