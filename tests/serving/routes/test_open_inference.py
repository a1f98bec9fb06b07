import gzip
import json
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.serving.routes.open_inference import HEADER_LENGTH, TensorsRequest
from nncli.serving.routes.predict import RequestBody
from nncli.serving.server_options import ServerOptions
from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import CONFIGS, TARGETS, table_of

TABLE = table_of(2)[:5].drop(TARGETS)
TYPES = {pl.Float64(): "FP64", pl.Int64(): "INT64", pl.Boolean(): "BOOL", pl.String(): "BYTES"}


def _inputs(table: pl.DataFrame = TABLE) -> list[dict[str, Any]]:
    return [
        {"name": column.name, "datatype": TYPES[column.dtype], "shape": [len(column)], "data": column.to_list()}
        for column in table
    ]


@pytest.mark.parametrize("model", CONFIGS)
def test_infer_has_the_predictions_of_predict(client: AsgiClient, model: str) -> None:
    target = "" if model in ("number", "quantiles", "numbers") else "?proba=true"
    answer = client.post_json(f"/v2/models/{model}/infer", {"inputs": _inputs(), "id": "7"}).json
    result = {item["name"]: item["data"] for item in answer["outputs"]}
    if target:
        assert [name for name in result if name.startswith("proba_")]
        result = {name: data for name, data in result.items() if not name.startswith("proba_")}
    rows = client.post_json(f"/models/{model}/predict", {"rows": TABLE.to_dicts()}).json["rows"]
    assert result == {name: [row[name] for row in rows] for name in rows[0]}
    assert (answer["id"], answer["model_name"]) == ("7", model)


def test_binary_data_has_the_same_answer_as_json(client: AsgiClient) -> None:
    tensors, parts = _inputs(), []
    for tensor in tensors:
        data = tensor.pop("data")
        if tensor["datatype"] == "BYTES":
            texts = [(text or "").encode() for text in data]
            parts.append(b"".join(struct.pack("<I", len(text)) + text for text in texts))
        else:
            dtype = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}[tensor["datatype"]]
            parts.append(np.array([np.nan if x is None else x for x in data]).astype(dtype).tobytes())
        tensor["parameters"] = {"binary_data_size": len(parts[-1])}
    document = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    body, headers = b"".join([document, *parts]), {HEADER_LENGTH: str(len(document))}
    answer = client.post("/v2/models/number/infer", body, "application/octet-stream", headers)
    length = int(answer.headers[HEADER_LENGTH.lower()])
    (output,) = json.loads(answer.body[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 8 * len(TABLE)}
    expected = client.post_json("/v2/models/number/infer", {"inputs": _inputs()}).json["outputs"][0]["data"]
    assert np.frombuffer(answer.body[length:]).tolist() == expected


def test_outputs_and_parameters_are_those_of_the_request(client: AsgiClient) -> None:
    document = {"inputs": _inputs(), "parameters": {"interval": 0.8}, "outputs": [{"name": "upper_80"}]}
    assert [item["name"] for item in client.post_json("/v2/models/number/infer", document).json["outputs"]] == [
        "upper_80"
    ]
    document = {"inputs": _inputs(), "outputs": [{"name": "prediction"}]}
    assert [item["name"] for item in client.post_json("/v2/models/two/infer", document).json["outputs"]] == [
        "prediction"
    ]
    document = {"inputs": _inputs(), "parameters": {"proba": False, "prediction_set": 0.9}}
    answer = client.post_json("/v2/models/two/infer", document).json
    assert [item["name"] for item in answer["outputs"]] == ["prediction", "set_90"]


def test_optional_columns_may_be_left_out(client: AsgiClient) -> None:
    optional = ["rate", "color", "day", "note"]
    answer = client.post_json("/v2/models/number/infer", {"inputs": _inputs(TABLE.drop(optional))}).json
    missing = TABLE.with_columns(pl.lit(None, dtype=TABLE[name].dtype).alias(name) for name in optional)
    expected = client.post_json("/v2/models/number/infer", {"inputs": _inputs(missing)}).json
    assert answer == expected


def test_no_rows_and_too_many_are_refused(client: AsgiClient) -> None:
    assert client.post_json("/v2/models/number/infer", {"inputs": _inputs(TABLE[:0])}).problem(400)["error"]
    many = pl.concat([TABLE] * 11)
    assert client.post_json("/v2/models/number/infer", {"inputs": _inputs(many)}).problem(413)["error"]


def test_a_compressed_request_has_the_same_answer(client: AsgiClient) -> None:
    body = json.dumps({"inputs": _inputs()}).encode()
    encoded = client.post("/v2/models/two/infer", gzip.compress(body), headers={"content-encoding": "gzip"})
    assert encoded.json == client.post("/v2/models/two/infer", body).json
    assert client.post("/v2/models/two/infer", body, headers={"content-encoding": "br"}).problem(415)["error"]


@pytest.mark.parametrize(
    ("tensor", "column", "row"),
    [
        ({"name": "x", "datatype": "FP64", "data": [1.0, 2.0, 3.0, float("inf"), 1.0]}, "x", 4),
        ({"name": "x", "datatype": "BYTES", "data": ["1", "2", "abc", "4", "5"]}, "x", 3),
        ({"name": "day", "datatype": "BYTES", "data": ["2020-01-01", "tomorrow"] * 2 + ["2020-01-01"]}, "day", 2),
        ({"name": "x", "datatype": "INT8", "data": [1, 2, 3, 4, 500]}, "x", 5),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(client: AsgiClient, tensor: dict[str, Any], column: str, row: int) -> None:
    inputs = [item for item in _inputs() if item["name"] != column] + [{**tensor, "shape": [len(TABLE)]}]
    problem = client.post_json("/v2/models/number/infer", {"inputs": inputs}).problem(422)
    assert (problem["column"], problem["row"]) == (column, row)
    assert problem["detail"] in problem["error"]


def test_a_column_that_is_missing_is_named(client: AsgiClient) -> None:
    problem = client.post_json("/v2/models/number/infer", {"inputs": _inputs(TABLE.drop("x"))}).problem(422)
    assert "'x'" in problem["error"]


@pytest.mark.parametrize("parameters", [{"probas": True}, {"proba": True}, {"interval": 2}, {"prediction_set": 0.9}])
def test_parameters_that_do_not_fit_are_refused(client: AsgiClient, parameters: dict[str, Any]) -> None:
    document = {"inputs": _inputs(), "parameters": parameters}
    assert client.post_json("/v2/models/number/infer", document).problem(400)["error"]


def test_the_server_and_its_models_are_live_and_ready(client: AsgiClient) -> None:
    for target in ("/v2", "/v2/health/live", "/v2/health/ready"):
        assert client.get(target).status == 200
    for model in CONFIGS:
        assert client.get(f"/v2/models/{model}/ready").json == {"name": model, "ready": True}
        assert client.get(f"/v2/models/{model}").json["name"] == model


def test_a_version_is_part_of_an_address(client: AsgiClient) -> None:
    (version,) = client.get("/v2/models/two").json["versions"]
    base = f"/v2/models/two/versions/{version}"
    assert client.get(base).json == client.get("/v2/models/two").json
    assert client.get(f"{base}/ready").status == 200
    assert client.post_json(f"{base}/infer", {"inputs": _inputs()}).json["model_version"] == version
    for path in ("/v2/models/two/versions/1", "/v2/models/other", "/v2/models/other/ready"):
        assert client.get(path).problem(404)["error"]


def test_requests_that_may_take_long_are_known_before_they_are_read() -> None:
    limits = ServerOptions(max_body=1000, max_rows=1000)
    assert not TensorsRequest(RequestBody(b"{}", limits)).may_be_large
    assert TensorsRequest(RequestBody(b"{}", limits, is_gzip=True)).may_be_large
    assert TensorsRequest(RequestBody(b'{"parameters": {"effects": true}}', limits)).may_be_large


def test_parameters_of_the_address_are_refused(client: AsgiClient) -> None:
    problem = client.post_json("/v2/models/two/infer?proba=true", {"inputs": _inputs()}).problem(400)
    assert "parameters" in problem["hint"]
