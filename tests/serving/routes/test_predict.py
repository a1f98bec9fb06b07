from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.api.options import PredictOptions
from nncli.api.prediction.tables import predict_source
from nncli.base.errors import CellError, DataError
from nncli.models.ensemble import AnyModel
from nncli.serving.answers import json_answer
from nncli.serving.models.served_model import ServedModel
from tests.serving.asgi_client import Answer, AsgiClient, Call
from tests.serving.trained import COLORS, CONFIGS, TARGETS, table_of

ROWS = table_of(1).drop(TARGETS).to_dicts()
ROW = next(row for row in ROWS if None not in row.values())
JSON_TYPE, CSV_TYPE, LINES_TYPE = "application/json", "text/csv", "application/jsonl"
ARROW_TYPES = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
PARQUET_TYPE = "application/vnd.apache.parquet"
TYPES = (JSON_TYPE, LINES_TYPE, CSV_TYPE, "text/tab-separated-values")


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def predicted(model: AnyModel, folder: Path, name: str, content: bytes, **options: Any) -> pl.DataFrame:
    """What `nncli predict` answers for a file."""
    path = folder / name
    path.write_bytes(content)
    return pl.concat(predict_source(model, path, PredictOptions(**options)))


def read_answer(answer: Answer) -> pl.DataFrame:
    """The rows of an answer in any format."""
    body = io.BytesIO(answer.body)
    match answer.media_type:
        case "application/json":
            document = answer.json
            return pl.DataFrame(document.get("rows", [document]))
        case "application/jsonl":
            return pl.read_ndjson(body)
        case "application/vnd.apache.parquet":
            return pl.read_parquet(body)
        case "application/vnd.apache.arrow.file":
            return pl.read_ipc(body)
        case "application/vnd.apache.arrow.stream":
            return pl.read_ipc_stream(body)
        case media_type:
            return pl.read_csv(body, separator="," if media_type == CSV_TYPE else "\t")


def body_of(rows: list[dict[str, Any]], media_type: str) -> bytes:
    """Rows in a format."""
    if media_type == JSON_TYPE:
        return json.dumps({"rows": rows}).encode()
    if media_type == LINES_TYPE:
        return lines_of(rows)
    types = table_of().schema
    frame = pl.DataFrame(rows, schema={name: types.get(name) for name in rows[0]})
    return frame.write_csv(separator="," if media_type == CSV_TYPE else "\t").encode()


@pytest.mark.parametrize("media_type", [*ARROW_TYPES, PARQUET_TYPE])
@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_binary_tables_are_refused_with_the_formats_that_are_read(
    client: AsgiClient, path: str, media_type: str
) -> None:
    buffer = io.BytesIO()
    pl.DataFrame(ROWS[:3]).write_parquet(buffer)
    text = json.dumps(client.post(path, buffer.getvalue(), media_type).problem(415))
    assert media_type in text
    assert CSV_TYPE in text.replace(media_type, "")


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("media_type", TYPES)
def test_rows_in_every_format_have_the_predictions_of_a_file(
    client: AsgiClient, models: Mapping[str, ServedModel], tmp_path: Path, name: str, media_type: str
) -> None:
    wanted = predicted(models[name].model, tmp_path, "rows.jsonl", lines_of(ROWS[:40]))
    answer = client.post(f"/models/{name}/predict", body_of(ROWS[:40], media_type), media_type)
    assert (answer.status, answer.media_type) == (200, media_type)
    assert read_answer(answer).equals(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("accept", [*TYPES, *ARROW_TYPES, PARQUET_TYPE])
@pytest.mark.parametrize("media_type", [JSON_TYPE, CSV_TYPE])
def test_the_answer_has_the_format_that_is_accepted(
    client: AsgiClient, models: Mapping[str, ServedModel], tmp_path: Path, media_type: str, accept: str
) -> None:
    wanted = predicted(models["many"].model, tmp_path, "rows.jsonl", lines_of(ROWS[:9]), proba=True)
    body = body_of(ROWS[:9], media_type)
    answer = client.post("/models/many/predict?proba=true", body, media_type, {"accept": accept})
    assert (answer.status, answer.media_type) == (200, accept)
    read = read_answer(answer).with_columns(pl.col(wanted.columns[1:]).cast(pl.Float32))
    assert read.equals(wanted)


@pytest.mark.parametrize("n", [1, 3, 30])
def test_numbers_in_json_have_the_digits_of_their_precision(client: AsgiClient, n: int) -> None:
    answer = client.post_json("/models/many/predict?proba=true", {"rows": ROWS[:n]})
    texts = [text for row in answer.json["rows"] for key, x in row.items() if key != "prediction" for text in [repr(x)]]
    assert texts
    assert all(len(text.partition("e")[0].replace("0.", "").lstrip("0")) <= 9 for text in texts)


def test_one_object_has_one_object_as_its_answer(client: AsgiClient) -> None:
    several = client.post_json("/predict", {"rows": [ROW]}).json["rows"]
    assert client.post_json("/predict", ROW).json == several[0]
    assert client.post("/predict", json.dumps(ROW)).json == several[0]  # without a Content-Type


def test_a_compressed_body_is_read(client: AsgiClient) -> None:
    body = json.dumps(ROW).encode()
    answer = client.post("/predict", gzip.compress(body), JSON_TYPE, {"content-encoding": "gzip"})
    assert answer.json == client.post("/predict", body, JSON_TYPE).json


def test_a_csv_in_another_charset_is_read(client: AsgiClient) -> None:
    body = body_of([{**ROW, "note": "não était"}], CSV_TYPE).decode()
    wanted = client.post("/predict", body, CSV_TYPE)
    answer = client.post("/predict", body.encode("latin-1"), "text/csv; charset=latin-1")
    assert (answer.status, answer.body) == (200, wanted.body)


def test_predictions_without_a_finite_value_are_null() -> None:
    frame = pl.DataFrame({"prediction": [1.5, float("nan"), float("inf"), -float("inf")]})
    for rows in (frame, pl.concat([frame] * 10)):
        result = [row["prediction"] for row in json.loads(json_answer(rows, is_single=False))["rows"]]
        assert result[:4] == [1.5, None, None, None]


OPTIONAL = ("rate", "color", "day", "note")


def test_a_row_of_json_may_lack_columns_that_may_be_missing(client: AsgiClient) -> None:
    wanted = client.post_json("/predict", {**ROW, **dict.fromkeys(OPTIONAL)})
    row = {name: cell for name, cell in ROW.items() if name not in OPTIONAL}
    assert client.post_json("/predict", row).json == wanted.json
    assert client.post_json("/predict", {"rows": [row, ROW]}).json["rows"][0] == wanted.json


@pytest.mark.parametrize("media_type", [name for name in TYPES if name != JSON_TYPE])
def test_a_table_has_all_columns(client: AsgiClient, media_type: str) -> None:
    row = {("colour" if name == "color" else name): cell for name, cell in ROW.items()}
    problem = client.post("/predict", body_of([row], media_type), media_type).problem(422)
    assert problem["column"] == "color"
    assert "colour" in problem["hint"]


def test_a_line_of_json_lines_may_lack_what_another_has(client: AsgiClient) -> None:
    short = {name: cell for name, cell in ROW.items() if name != "color"}
    wanted = client.post_json("/predict", {"rows": [ROW, short]}).json["rows"]
    answer = client.post("/predict", lines_of([ROW, short]), LINES_TYPE, {"accept": JSON_TYPE})
    assert answer.json["rows"] == wanted
    assert client.post("/predict", lines_of([short, short]), LINES_TYPE).problem(422)["column"] == "color"


def test_a_column_of_a_near_name_is_not_taken_for_a_missing_one(client: AsgiClient) -> None:
    row = {("Rate" if name == "rate" else name): cell for name, cell in ROW.items()}
    for body, media_type in ((json.dumps(row), JSON_TYPE), (pl.DataFrame([row]).write_csv(), CSV_TYPE)):
        problem = client.post("/predict", body, media_type).problem(422)
        assert problem["column"] == "rate"
        assert "Rate" in problem["detail"]


def test_a_missing_column_is_named_with_its_row(client: AsgiClient) -> None:
    row = {("cuont" if name == "count" else name): cell for name, cell in ROW.items()}
    problem = client.post_json("/predict", {"rows": [ROW, row]}).problem(422)
    assert (problem["row"], problem["column"]) == (2, "count")
    assert "cuont" in problem["hint"]
    problem = client.post("/predict", pl.DataFrame([row]).write_csv(), CSV_TYPE).problem(422)
    assert problem["column"] == "count"
    assert "cuont" in problem["hint"]


@pytest.mark.slow
def test_invalid_cells_are_listed(client: AsgiClient) -> None:
    rows = [ROW, {**ROW, "x": "many"}, {**ROW, "x": 1.0, "day": "tomorrow"}, {**ROW, "count": "?" * 500}]
    problem = client.post_json("/predict", {"rows": rows}).problem(422)
    result = [(cell["row"], cell["column"], cell["value"]) for cell in problem["errors"]]
    assert [cell[:2] for cell in result] == [(2, "x"), (3, "day"), (4, "count")]
    assert (problem["row"], problem["column"], problem["value"]) in result
    assert len(result[2][2]) == 200
    assert "--" not in problem["hint"]
    many = client.post_json("/predict", {"rows": [{**ROW, "x": "?"}] * 50}).problem(422)
    assert [cell["row"] for cell in many["errors"]] == [*range(1, 21)]


def test_intervals_and_sets_are_those_of_the_run(client: AsgiClient) -> None:
    row = client.post_json("/models/number/predict?interval=0.8&interval=0.5", ROW).json
    assert [*row] == ["prediction", "lower_80", "upper_80", "lower_50", "upper_50"]
    row = client.post_json("/models/many/predict?prediction_set=0.8&conformity_score=aps", ROW).json
    assert isinstance(row["set_80"], list)
    text = client.post("/models/many/predict?prediction_set=0.8", body_of([ROW], CSV_TYPE), CSV_TYPE).body.decode()
    assert text.startswith("prediction,set_80\n")


def test_effects_are_a_list_in_json_and_columns_elsewhere(client: AsgiClient) -> None:
    row = client.post_json("/predict?effects=true", ROW).json
    assert {effect["column"] for effect in row["effects"]} == {*ROW}
    table = read_answer(client.post("/predict?effects=true", body_of([ROW], CSV_TYPE), CSV_TYPE))
    assert table.columns == ["prediction", *(f"effect_{name}" for name in ROW)]


numbers = st.one_of(st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.none())
spelled = st.sampled_from(["3.5", " 4", "1e3", "-7", "NA", "", "1,234.5", "nan", "x", "inf"])
categories = st.sampled_from([1, 2, 3, 10, 7, 1.0, 2.5, "3", "10.0", "new", None, True, "NA"])
cells = {
    "x": st.one_of(numbers, spelled, st.booleans()),
    "rate": st.one_of(numbers, spelled),
    "count": numbers,
    "price": st.one_of(numbers, st.sampled_from(["$4.20", "$1,000", "5", "€3", "($2.00)", "NA"])),
    "size": categories,
    "color": st.sampled_from([*COLORS, "RED", " green ", "", "purple", None, 5, False]),
    "flag": st.sampled_from([True, False, "true", "FALSE", "yes", 1, None]),
    "day": st.sampled_from(["2020-03-04", "2021-05-06 07:08", "4 March 2020", "1899-01-01", "soon", "", None]),
    "note": st.one_of(st.none(), st.text("good bad,\"'\\\n\té日", max_size=20), st.sampled_from(["not good", "NA"])),
}
number = st.one_of(numbers, st.sampled_from(["3.5", " 4", "1e3", "-7", "NA", ""]))
valid = st.fixed_dictionaries(
    cells
    | {"x": number, "rate": number, "price": st.one_of(numbers, st.sampled_from(["$4.20", " $ 5", "NA"]))}
    | {"day": st.sampled_from(["2020-03-04", "2021-05-06 07:08", "4 March 2020", "1899-01-01", None])}
)
"""Rows that the models can predict."""
rows = st.one_of(valid, valid, st.fixed_dictionaries(cells))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=12)
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_row_of_json_has_the_prediction_of_its_line_in_a_file(
    client: AsgiClient,
    models: Mapping[str, ServedModel],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    asked: list[dict[str, Any]],
) -> None:
    folder, model = tmp_path_factory.mktemp("rows"), models[name].model
    answers, refused = [], []
    for number, row in enumerate(asked, start=1):
        answer = client.post_json(f"/models/{name}/predict", row)
        try:
            wanted = predicted(model, folder, "row.jsonl", lines_of([row]))
        except (CellError, DataError) as error:
            problem, place = answer.problem(422), error.location
            assert place is not None
            assert (problem["row"], problem["column"]) == (1, place.column)
            refused.append(number)
        else:
            result = {key: cell for key, cell in answer.json.items() if key != "notes"}
            assert pl.DataFrame([result]).equals(wanted)
            answers.append(result)
    together = client.post_json(f"/models/{name}/predict", {"rows": asked})
    if refused:
        assert {cell["row"] for cell in together.problem(422)["errors"]} == {*refused}
    else:
        assert together.json["rows"] == answers


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from(list(CONFIGS)), st.lists(rows, min_size=1, max_size=3)), max_size=12))
def test_requests_at_the_same_time_get_the_answers_that_they_get_alone(
    client: AsgiClient, asked: list[tuple[str, list[dict[str, Any]]]]
) -> None:
    headers = {"content-type": LINES_TYPE, "accept": JSON_TYPE}
    calls = [Call("POST", f"/models/{name}/predict", (lines_of(some),), headers) for name, some in asked]
    alone = [client.call(call) for call in calls]
    assert [(item.status, item.body) for item in client.call_all(calls)] == [(item.status, item.body) for item in alone]


@pytest.mark.slow
@settings(max_examples=12)
@given(st.lists(st.one_of(valid, rows), min_size=1, max_size=4))
def test_a_row_of_csv_has_the_prediction_of_its_line_in_a_file(
    client: AsgiClient,
    models: Mapping[str, ServedModel],
    tmp_path_factory: pytest.TempPathFactory,
    asked: list[dict[str, Any]],
) -> None:
    folder, model = tmp_path_factory.mktemp("rows"), models["number"].model
    text = pl.DataFrame([{key: _text(cell) for key, cell in row.items()} for row in asked]).write_csv(null_value="")
    answer = client.post("/predict", text, CSV_TYPE, {"accept": JSON_TYPE})
    try:
        wanted = predicted(model, folder, "rows.csv", text.encode())
    except DataError as error:
        place = error.location
        assert answer.status in (400, 422)
        assert place is None or answer.json.get("row") == place.row
    else:
        assert pl.DataFrame(answer.json["rows"]).equals(wanted)
        as_json = client.post_json("/predict", {"rows": asked}).json["rows"]
        assert as_json == answer.json["rows"]


def _text(cell: Any) -> str | None:
    return str(cell).lower() if isinstance(cell, bool) else None if cell is None else str(cell)


@pytest.mark.parametrize("media_type", [JSON_TYPE, CSV_TYPE, LINES_TYPE])
@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-7", "utf-16-be", "idna", "hex", "utf-8-sig", "cp037"])
def test_no_charset_is_a_fault_of_the_server(client: AsgiClient, media_type: str, charset: str) -> None:
    text = body_of([ROW], media_type).decode()
    for body in (text.encode(), text.encode("utf-16-le"), text.encode("utf-32-be") + b"x", b"", b"\xff\xfe\0"):
        assert client.post("/predict", body, f"{media_type}; charset={charset}").status in (200, 400, 415, 422)


@pytest.mark.parametrize("order", ["le", "be"])
def test_a_csv_in_utf_16_without_a_mark_is_read(client: AsgiClient, order: str) -> None:
    body = body_of([ROW], CSV_TYPE).decode()
    answer = client.post("/predict", body.encode(f"utf-16-{order}"), "text/csv; charset=utf-16")
    assert (answer.status, answer.body) == (200, client.post("/predict", body, CSV_TYPE).body)
