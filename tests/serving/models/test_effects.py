from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.data.table import Table
from nncli.nn.program.inputs import NumberInput
from nncli.serving.columns.input_schema import typical_cell
from nncli.serving.models import effects
from nncli.serving.models.effects import EffectColumn, check_rows, effect_columns, effects_of, json_effects
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.problems import ProblemError
from tests.serving.asgi_client import AsgiClient, Call
from tests.serving.trained import CONFIGS, table_of

FEATURES = ("x", "rate", "count", "price", "size", "color", "flag", "day", "note")
EFFECTS = PredictionOptions(effects=True)


def rows_of(n: int) -> Table:
    return Table(table_of(3).select(FEATURES).head(n), "rows")


def test_an_effect_that_is_not_finite_is_null() -> None:
    column = NumberInput("x")
    titles = pl.DataFrame({"effect_x": [float("inf"), float("-inf"), float("nan"), 1.0]})
    rows = json_effects([EffectColumn("effect_x", column)], Table(pl.DataFrame({"x": [1.0] * 4}), "rows"), titles)
    assert [row[0]["change"] for row in rows] == [None, None, None, 1.0]


def explained(model: ServedModel, table: Table) -> pl.DataFrame:
    return effects_of(model.model, model.schema.inputs, table)


def with_typical(model: ServedModel, table: Table, name: str) -> Table:
    """The table whose column is typical in every row."""
    (column,) = [item for item in model.schema.inputs if item.name == name]
    typical, cells = typical_cell(column), table.frame[name]
    if name == "price":
        typical = f"${typical}"
    if name == "flag":
        typical = {"true": True, "false": False}[str(typical)]
    if name == "size":
        typical = int(str(typical))
    dtype = pl.Float64() if cells.dtype.is_float() or name == "count" else cells.dtype
    columns = {item.name: item for item in table.frame} | {name: pl.Series([typical] * len(table), dtype=dtype)}
    return Table(pl.DataFrame(columns), "rows")


@pytest.mark.parametrize("name", CONFIGS)
def test_an_effect_is_the_prediction_minus_that_with_the_typical_value_to_the_bit(
    models: Mapping[str, ServedModel], name: str
) -> None:
    model, table = models[name], rows_of(7)
    result, base = explained(model, table), model.model.predict(table)
    columns = model.effect_columns
    for feature in FEATURES:
        other = model.model.predict(with_typical(model, table, feature))
        if base.target.task == "classification":
            at = np.arange(7), base.target.explained().of_rows(base.values, None)
            changes: dict[str | None, Any] = {None: base.values[at] - other.values[at]}
        else:
            names: tuple[str | None, ...] = base.target.names if len(base.target.names) > 1 else (None,)
            changes = {target: base.values[:, j] - other.values[:, j] for j, target in enumerate(names)}
        for target, change in changes.items():
            (title,) = [column.title for column in columns if (column.column.name, column.target) == (feature, target)]
            assert result[title].to_list() == change.tolist(), feature


def test_effects_do_not_depend_on_the_types_of_columns(models: Mapping[str, ServedModel]) -> None:
    model, table = models["number"], rows_of(5)
    frame = table.frame
    texts = [item.cast(pl.String) for item in frame]
    dates = frame["day"].str.to_date()
    others = {
        "texts": pl.DataFrame(texts),
        "dates": frame.with_columns(dates),
        "moments": frame.with_columns(dates.cast(pl.Datetime("ns"))),
        "zones": frame.with_columns(dates.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")),
        "decimals": frame.with_columns(frame["count"].cast(pl.Decimal(20, 3))),
        "enums": frame.with_columns(frame["color"].cast(pl.Categorical), frame["size"].cast(pl.Float32)),
    }
    wanted = explained(model, table)
    assert len({*wanted.row(0)}) > 5
    for name, other in others.items():
        assert explained(model, Table(other, name)).equals(wanted), name


def test_missing_cells_have_effects(models: Mapping[str, ServedModel]) -> None:
    model = models["two"]
    missing = pl.DataFrame({name: pl.Series([None, None], dtype=pl.String) for name in FEATURES})
    result = explained(model, Table(missing, "rows"))
    assert result.height == 2
    assert np.isfinite(result.to_numpy()).all()
    assert result["effect_note"].to_list() == [0.0, 0.0]  # no text is typical


def test_a_row_of_typical_values_has_no_effects(models: Mapping[str, ServedModel]) -> None:
    model = models["number"]
    table = rows_of(1)
    for name in FEATURES:
        table = with_typical(model, table, name)
    assert {*explained(model, table).row(0)} == {0.0}


def test_cells_at_once_change_no_bit(models: Mapping[str, ServedModel], monkeypatch: pytest.MonkeyPatch) -> None:
    model, table = models["many"], rows_of(23)
    wanted = explained(model, table)
    for cells in (10**6, 500, 1):
        monkeypatch.setattr(effects, "CELLS_AT_ONCE", cells)
        assert explained(model, table).equals(wanted)
    assert explained(model, table.part(0, 0)).columns == wanted.columns


def test_predictions_are_the_same_with_effects_behind_them(models: Mapping[str, ServedModel]) -> None:
    for model in models.values():
        plain = model.predict(rows_of(4), PredictionOptions()).frame
        both = model.predict(rows_of(4), EFFECTS).frame
        assert both[plain.columns].equals(plain)
        assert both.columns[plain.width :] == [effect_column.title for effect_column in model.effect_columns]


def test_titles_are_distinct_where_names_with_underscores_run_together(models: Mapping[str, ServedModel]) -> None:
    inputs = [NumberInput("a"), NumberInput("a_y"), NumberInput("a_y_z")]
    assert [effect_column.title for effect_column in effect_columns(inputs, models["number"].model)] == [
        *("effect_a", "effect_a_y", "effect_a_y_z")
    ]
    titles = [
        effect_column.title
        for effect_column in effect_columns([NumberInput("a"), NumberInput("a_z")], models["numbers"].model)
    ]
    assert titles == ["effect_a_y", "effect_a_z_y", "effect_a_z", "effect_a_z_z"]
    titles = [
        effect_column.title
        for effect_column in effect_columns([NumberInput("a_y"), NumberInput("a_y")], models["number"].model)
    ]
    assert titles == ["effect_a_y", "effect_a_y_2"]


def test_effects_of_json_are_sorted_by_size_with_value_and_typical_value(models: Mapping[str, ServedModel]) -> None:
    model, table = models["numbers"], rows_of(3)
    frame = explained(model, table)
    for i, result in enumerate(json_effects(model.effect_columns, table, frame)):
        assert [item["target"] for item in result] == ["y"] * 9 + ["z"] * 9
        for target in ("y", "z"):
            of_target = [item for item in result if item["target"] == target]
            sizes = [abs(item["change"]) for item in of_target]
            assert sizes == sorted(sizes, reverse=True)
            by_name = {item["column"]: item for item in of_target}
            assert by_name["count"]["value"] == table.frame["count"][i]
            assert by_name["price"]["value"].startswith("$")
            assert isinstance(by_name["price"]["typical"], float)
            assert by_name["note"]["typical"] is None
            assert by_name["x"]["change"] == frame[f"effect_x_{target}"][i]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(float("nan"), None), (date(2020, 1, 2), "2020-01-02"), (True, True), (3, 3), ("a", "a"), (None, None)],
)
def test_values_of_json_effects_are_json(cell: Any, shown: Any) -> None:
    table = Table(pl.DataFrame({"a": [cell]}), "rows")
    columns = (EffectColumn("effect_a", NumberInput("a")),)
    ((result,),) = json_effects(columns, table, pl.DataFrame({"effect_a": [float("nan")]}))
    assert result == {"column": "a", "value": shown, "typical": None, "change": None}


def test_moments_of_a_time_zone_are_moments_in_utc(models: Mapping[str, ServedModel]) -> None:
    model, table = models["number"], rows_of(1)
    moment = pl.Series("day", [datetime(2021, 5, 1, 23, tzinfo=UTC)])
    wanted = explained(model, Table(table.frame.with_columns(moment.dt.replace_time_zone(None)), "rows"))
    local = moment.dt.convert_time_zone("Asia/Tokyo")
    assert explained(model, Table(table.frame.with_columns(local), "rows")).equals(wanted)


def test_too_many_rows_are_refused_with_the_number_that_is_allowed() -> None:
    check_rows(2_000, 10)
    with pytest.raises(ProblemError) as raised:
        check_rows(2_001, 10)
    assert raised.value.problem.status == 413
    assert "2,000" in str(raised.value.problem.hint)


def test_a_model_of_very_many_columns_has_no_effects() -> None:
    check_rows(1, 6_000)
    with pytest.raises(ProblemError):
        check_rows(1, 7_000)


def test_json_answers_have_a_list_of_effects(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    rows = rows_of(2).frame.to_dicts()
    single = client.post_json("/models/number/predict?effects=true", rows[0]).json
    assert {*single} == {"prediction", "effects"}
    assert {item["column"] for item in single["effects"]} == {*FEATURES}
    assert {*single["effects"][0]} == {"column", "value", "typical", "change"}
    both = client.post_json("/models/number/predict?effects=true", {"rows": rows}).json["rows"]
    assert both[0] == single
    wanted = explained(models["number"], rows_of(2))
    assert {item["column"]: item["change"] for item in both[1]["effects"]} == {
        name: wanted[f"effect_{name}"][1] for name in FEATURES
    }


def test_effects_on_classes_name_the_class_that_explain_names(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    rows = rows_of(6).frame.to_dicts()
    for name in ("two", "many"):
        answers = client.post_json(f"/models/{name}/predict?effects=true", {"rows": rows}).json["rows"]
        target = models[name].model.spec.target
        values = models[name].model.predict(rows_of(6)).values
        classes = [target.labels[k] for k in target.explained().of_rows(values, None)]
        for answer, label in zip(answers, classes, strict=True):
            assert {item["class"] for item in answer["effects"]} == {label}


def test_other_answers_have_a_column_for_each_effect(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    body = rows_of(3).frame.write_csv()
    wanted = explained(models["numbers"], rows_of(3))
    answer = client.post("/models/numbers/predict?effects=true", body, "text/csv")
    result = pl.read_csv(answer.body)
    assert result.columns == ["prediction_y", "prediction_z", *wanted.columns]
    assert result[wanted.columns].equals(wanted)
    lines = client.post("/models/numbers/predict?effects=true", body, "text/csv", {"accept": "application/jsonl"})
    assert pl.read_ndjson(lines.body)[wanted.columns].equals(wanted)


@pytest.mark.slow
def test_effects_are_the_same_beside_other_requests(client: AsgiClient) -> None:
    rows = rows_of(12).frame.to_dicts()
    target = "/models/many/predict?effects=true&proba=true"
    alone = [client.post_json(target, row).json for row in rows]
    calls = [Call("POST", target, (json.dumps(row).encode(),), {"content-type": "application/json"}) for row in rows]
    assert [answer.json for answer in client.call_all(calls)] == alone


def test_a_request_that_is_too_large_to_explain_is_refused(client: AsgiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MAX_EFFECTS", 20)
    rows = {"rows": rows_of(3).frame.to_dicts()}
    assert "2 rows" in client.post_json("/models/two/predict?effects=true", rows).problem(413)["hint"]
    assert client.post_json("/models/two/predict", rows).status == 200
