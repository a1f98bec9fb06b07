import gzip
import json
from typing import Any

import polars as pl
import pytest

from nncli.serving.bodies.media_types import MediaType
from nncli.serving.routes.mlflow import InvocationRequest
from nncli.serving.routes.predict import RequestBody
from nncli.serving.server_options import ServerOptions
from nncli.version import __version__
from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import TARGETS, table_of

TABLE = table_of(1)[:7].drop(TARGETS)
RECORDS = TABLE.to_dicts()


def _split() -> dict[str, Any]:
    return {"columns": TABLE.columns, "index": list(range(len(TABLE))), "data": [list(row) for row in TABLE.rows()]}


def test_every_form_has_the_predictions_of_predict(client: AsgiClient) -> None:
    expected = [row["prediction"] for row in client.post_json("/predict", {"rows": RECORDS}).json["rows"]]
    columns = TABLE.to_dict(as_series=False)
    for document in (
        {"dataframe_split": _split()},
        {"dataframe_records": RECORDS},
        {"instances": RECORDS},
        {"inputs": RECORDS},
        {"inputs": columns},
    ):
        answer = client.post_json("/invocations", document)
        assert (answer.status, answer.media_type) == (200, "application/json")
        assert answer.json["predictions"] == expected


def test_csv_has_the_same_predictions(client: AsgiClient) -> None:
    expected = client.post_json("/invocations", {"dataframe_records": RECORDS}).json
    assert client.post("/invocations", TABLE.write_csv(), "text/csv; charset=utf-8").json == expected


@pytest.mark.parametrize(
    ("model", "params", "columns"),
    [
        ("number", {"interval": 0.9}, ["prediction", "lower_90", "upper_90"]),
        ("two", {"proba": True}, ["prediction", "proba_no", "proba_yes"]),
        ("two", {"prediction_set": [0.9]}, ["prediction", "set_90"]),
        ("numbers", {}, ["prediction_y", "prediction_z"]),
    ],
)
def test_several_columns_are_records(
    client: AsgiClient, model: str, params: dict[str, Any], columns: list[str]
) -> None:
    answer = client.post_json(f"/models/{model}/invocations", {"inputs": RECORDS, "params": params})
    assert [list(row) for row in answer.json["predictions"]] == [columns] * len(TABLE)


def test_classes_are_in_the_form_of_the_training_table(client: AsgiClient) -> None:
    predictions = client.post_json("/models/two/invocations", {"inputs": RECORDS}).json["predictions"]
    assert set(predictions) <= {"yes", "no"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"rows": RECORDS}, 400, "BAD_REQUEST"),
        ({"inputs": RECORDS, "params": {"probas": True}}, 400, "BAD_REQUEST"),
        ({"inputs": RECORDS, "params": {"proba": True}}, 400, "BAD_REQUEST"),
        ({"inputs": RECORDS, "params": {"interval": 90}}, 400, "BAD_REQUEST"),
        ({"inputs": [{"x": 1}]}, 422, "INVALID_PARAMETER_VALUE"),
        ({"inputs": [{**RECORDS[0], "x": "abc"}]}, 422, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_errors_have_the_members_of_mlflow(client: AsgiClient, document: object, status: int, code: str) -> None:
    problem = client.post_json("/invocations", document).problem(status)
    assert problem["error_code"] == code
    assert problem["detail"] in problem["message"]


def test_an_error_names_its_row_and_column(client: AsgiClient) -> None:
    rows = [RECORDS[0], {**RECORDS[1], "x": "abc"}]
    problem = client.post_json("/invocations", {"dataframe_records": rows}).problem(422)
    assert (problem["row"], problem["column"]) == (2, "x")


def test_a_model_that_is_not_served_is_not_found(client: AsgiClient) -> None:
    problem = client.post_json("/models/other/invocations", {"inputs": RECORDS}).problem(404)
    assert problem["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("content_type", ["text/html", "application/xml", "text/csv; charset=latin-1"])
def test_other_media_types_are_refused(client: AsgiClient, content_type: str) -> None:
    assert client.post("/invocations", TABLE.write_csv(), content_type).problem(415)["error_code"] == "BAD_REQUEST"


def test_ping_health_and_version_answer_as_the_scoring_server(client: AsgiClient) -> None:
    assert client.get("/ping").body == client.get("/health").body == b"\n"
    assert client.get("/version").body.decode() == __version__


def test_missing_values_of_pandas_are_missing_values(client: AsgiClient) -> None:
    body = '{"dataframe_split": {"columns": %s, "data": [%s]}}'
    names = pl.Series(TABLE.columns).to_list()
    row = [1.5, None, 3, "$4.00", 1, None, True, None, None]
    text = ", ".join(
        "NaN" if cell is None else f'"{cell}"' if isinstance(cell, str) else str(cell).lower() for cell in row
    )
    answer = client.post("/invocations", body % (str(names).replace("'", '"'), f"[{text}]"), "application/json")
    expected = client.post_json("/predict", dict(zip(names, row, strict=True))).json["prediction"]
    assert answer.json == {"predictions": [expected]}


def test_a_compressed_request_has_the_same_answer(client: AsgiClient) -> None:
    body, headers = gzip.compress(json.dumps({"inputs": RECORDS}).encode()), {"content-encoding": "gzip"}
    assert (
        client.post("/invocations", body, "application/json", headers).json
        == client.post_json("/invocations", {"inputs": RECORDS}).json
    )


def test_no_rows_and_too_many_are_refused(client: AsgiClient) -> None:
    assert client.post_json("/invocations", {"inputs": []}).problem(400)["message"]
    assert client.post_json("/invocations", {"inputs": RECORDS * 10}).problem(413)["message"]


def test_requests_that_may_take_long_are_known_before_they_are_read() -> None:
    limits = ServerOptions(max_body=1000, max_rows=1000)
    assert not InvocationRequest(RequestBody(b"{}", limits), MediaType.JSON).may_be_large
    assert InvocationRequest(RequestBody(b"{}", limits, is_gzip=True), MediaType.JSON).may_be_large
    assert InvocationRequest(RequestBody(b'{"params": {"effects": true}}', limits), MediaType.JSON).may_be_large


@pytest.mark.parametrize("content_type", ["application/json", "text/csv"])
def test_parameters_of_the_address_are_those_of_predict(client: AsgiClient, content_type: str) -> None:
    body = json.dumps({"inputs": RECORDS}) if content_type == "application/json" else TABLE.write_csv()
    answer = client.post("/models/two/invocations?proba=true", body, content_type)
    assert list(answer.json["predictions"][0]) == ["prediction", "proba_no", "proba_yes"]
    for wrong in ("probas=true", "proba=maybe", "interval=0.9"):
        client.post(f"/models/two/invocations?{wrong}", body, content_type).problem(400)


def test_a_parameter_is_given_once_in_the_address_or_in_params(client: AsgiClient) -> None:
    document = {"inputs": RECORDS, "params": {"proba": True}}
    client.post_json("/models/two/invocations?proba=true", document).problem(400)
    both = client.post_json("/models/two/invocations?prediction_set=0.9", document).json["predictions"]
    assert list(both[0]) == ["prediction", "proba_no", "proba_yes", "set_90"]
