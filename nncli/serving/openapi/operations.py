"""The document of OpenAPI: its operations, one function for each kind of address, and their examples."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from nncli.serving.answers import NOTES_HEADER
from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.served_model import PARAMETERS, ServedModel
from nncli.serving.open_inference import input_datatype
from nncli.serving.openapi.schemas import (
    INFER_ANSWER,
    INFER_REQUEST,
    NOTES,
    PROBLEM,
    TENSOR,
    Json,
    invocation_schema,
    parameter_schema,
    prediction_schema,
    row_schema,
    rows_schema,
)
from nncli.version import __version__

REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The body or a parameter is not what the address reads.",
    HTTPStatus.FORBIDDEN: "A page of another origin may not call the server.",
    HTTPStatus.NOT_ACCEPTABLE: "The answer cannot have a format that is accepted.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has too many bytes or rows.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has a format that is not read.",
    HTTPStatus.MISDIRECTED_REQUEST: "The header Host is not an address of the machine that alone can reach the server.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The model cannot predict a row, which is named.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many requests wait, or the server stops: try again after Retry-After.",
}
"""Why a request to predict is not answered."""
BINARY = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file", "application/vnd.apache.parquet")
"""Formats of answers that are not text."""
NOTES_HEADERS: Json = {
    NOTES_HEADER: {
        "description": "For formats other than JSON: the member notes of an answer in JSON, as a JSON list.",
        "schema": {"type": "string"},
    }
}


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    answer: Json,
    *,
    model: str | None = None,
    parameters: Sequence[Json] = (),
    body: Json | None = None,
    headers: Json | None = None,
    refusals: Sequence[HTTPStatus] = (),
) -> Json:
    """An operation of a model or of the server, with the answer 200, `refusals`, and any other error as a problem."""
    return {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        **({} if model is None else {"description": f"The model is {model}."}),
        **({"parameters": list(parameters)} if parameters else {}),
        **({} if body is None else {"requestBody": {"required": True, "content": body}}),
        "responses": {
            "200": {"description": "The answer.", **({"headers": headers} if headers else {}), "content": answer},
            **{str(status.value): {"$ref": f"#/components/responses/{status.name}"} for status in refusals},
            "default": {"$ref": "#/components/responses/problem"},
        },
    }


def json_content(schema: Json, example: object = None) -> Json:
    """A body of JSON."""
    return {"application/json": {"schema": schema, **({} if example is None else {"example": example})}}


def text_content(media_type: str, example: str | None = None) -> Json:
    """A body of text."""
    return {media_type: {"schema": {"type": "string"}, **({} if example is None else {"example": example})}}


def reference(name: str) -> Json:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def predict(model: ServedModel, key: str, operation_id: str) -> Json:
    """`/predict` of a model whose schemas are named by a key."""
    body = {
        **json_content(rows_schema(reference(f"{key}.row")), {"rows": [example_row(model)]}),
        **text_content("text/csv", example_lines(model, ",")),
        **text_content("text/tab-separated-values", example_lines(model, "\t")),
        **text_content("application/jsonl", example_json_line(model)),
    }
    prediction = reference(f"{key}.prediction")
    answer = {
        **json_content(rows_schema(prediction, {"notes": NOTES})),
        **text_content("text/csv"),
        **text_content("text/tab-separated-values"),
        **text_content("application/jsonl"),
        **{media_type: {} for media_type in BINARY},
    }
    summary = "Predict rows"
    parameters = prediction_parameters(model)
    return operation(
        operation_id,
        "predict",
        summary,
        answer,
        model=model.name,
        parameters=parameters,
        body=body,
        headers=NOTES_HEADERS,
        refusals=[*REFUSALS],
    )


def prediction_parameters(model: ServedModel) -> list[Json]:
    """The parameters of `/predict` that fit the target of a model."""
    gives = model.model.spec.target.gives
    return [
        {"name": one.name, "in": "query", "description": one.option.http, "schema": parameter_schema(one)}
        for one in PARAMETERS.values()
        if one.option.needs is None or one.option.needs in gives
    ]


def invocations(model: ServedModel, key: str, operation_id: str) -> Json:
    """`/invocations` of a model."""
    body = {
        **json_content(reference(f"{key}.invocation"), example_invocation(model)),
        **text_content("text/csv", example_lines(model, ",")),
    }
    predictions: Json = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array"}, "notes": NOTES},
    }
    summary = "Predict rows, as MLflow's scoring server does"
    return operation(
        operation_id,
        "MLflow",
        summary,
        json_content(predictions),
        model=model.name,
        parameters=prediction_parameters(model),
        body=body,
        refusals=[*REFUSALS],
    )


def infer(model: ServedModel, operation_id: str, version: Sequence[Json]) -> Json:
    """`infer` of the Open Inference Protocol; binary tensors follow the JSON."""
    length: Json = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "The bytes of the JSON, if binary tensors follow it.",
        "schema": {"type": "integer", "minimum": 0},
    }
    return operation(
        operation_id,
        "Open Inference Protocol",
        "Predict the rows of tensors",
        {**json_content(reference("InferAnswer")), "application/octet-stream": {}},
        model=model.name,
        parameters=[*version, length],
        body={**json_content(reference("InferRequest"), example_tensors(model)), "application/octet-stream": {}},
        refusals=[*REFUSALS],
    )


def model_path(name: str) -> str:
    """The path below which the endpoints of a model are: `/models/NAME`; after `/v2` also those of V2."""
    return f"/models/{quote(name, safe='')}"


def example_row(model: ServedModel) -> dict[str, Any]:
    """A row of typical values; null where none is known."""
    return {feature.name: feature.example for feature in model.schema.features}


def varied_row(model: ServedModel) -> dict[str, Any]:
    """A row of values of the training rows that are not typical where others are known, so that they have effects."""
    return {feature.name: _varied(feature) for feature in model.schema.features}


def _varied(feature: Feature) -> float | str | None:
    if feature.kind == "number" and feature.unit is None and feature.highest is not None:
        return feature.highest
    return next((one for one in feature.categories if one != str(feature.example)), feature.example)


def example_lines(model: ServedModel, separator: str) -> str:
    """A file of one row, whose values are separated by commas or tabs."""
    text = io.StringIO()
    # Faster than a frame, if there are thousands of columns.
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(feature.name for feature in model.schema.features)
    writer.writerow(_cell(feature) for feature in model.schema.features)
    return text.getvalue()


def example_json_line(model: ServedModel) -> str:
    """A file of one row in JSON lines."""
    return json.dumps(example_row(model), ensure_ascii=False) + "\n"


def example_invocation(model: ServedModel) -> dict[str, Any]:
    """A request to MLflow's address."""
    row = example_row(model)
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


def example_tensors(model: ServedModel) -> dict[str, Any]:
    """A request of the Open Inference Protocol."""
    return {
        "inputs": [
            {"name": feature.name, "datatype": input_datatype(feature), "shape": [1], "data": [_element(feature)]}
            for feature in model.schema.features
        ]
    }


def _cell(feature: Feature) -> str | None:
    return None if feature.example is None else str(feature.example)


def _element(feature: Feature) -> float | str | None:
    return feature.example if feature.kind == "number" else _cell(feature)


OBJECT: Json = {"type": "object"}
RETRY: Json = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
VERSION: Json = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "The version that the metadata of the model names.",
    "schema": {"type": "string"},
}


def openapi_document(models: Sequence[ServedModel], *, has_token: bool) -> Json:
    """The document of a server of these models, the first of which also has the addresses without a name."""
    keys = component_keys([model.name for model in models])
    token: Json = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    paths: Json = {}
    for path, method, described in _operations(models, keys, has_token=has_token):
        if has_token and "security" not in described:
            described["responses"]["401"] = {"$ref": "#/components/responses/UNAUTHORIZED"}
        paths.setdefault(path, {})[method] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nncli",
            "version": __version__,
            "description": f"Predictions of {', '.join(model.name for model in models)}.",
        },
        "servers": [{"url": "/"}],
        **({"security": [{"token": []}]} if has_token else {}),
        "paths": paths,
        "components": {"schemas": _schemas(models, keys), "responses": _responses(has_token=has_token), **token},
    }


def component_keys(names: Sequence[str]) -> list[str]:
    """A key for each model, of the characters that names of components may have."""
    keys: list[str] = []
    for i, name in enumerate(names, start=1):
        key = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        keys.append(key if key not in keys else f"{key}.{i}")
    return keys


def _schemas(models: Sequence[ServedModel], keys: Sequence[str]) -> Json:
    schemas: Json = {"Problem": PROBLEM, "Tensor": TENSOR, "InferRequest": INFER_REQUEST, "InferAnswer": INFER_ANSWER}
    for model, key in zip(models, keys, strict=True):
        schemas[f"{key}.row"] = row_schema(model)
        schemas[f"{key}.prediction"] = prediction_schema(model)
        schemas[f"{key}.invocation"] = invocation_schema({"$ref": f"#/components/schemas/{key}.row"})
    return schemas


def _responses(*, has_token: bool) -> Json:
    content: Json = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: Json = {"problem": {"description": "An error.", "content": content}}
    for status, description in REFUSALS.items():
        headers = {"headers": RETRY} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        found[status.name] = {"description": description, "content": content, **headers}
    if has_token:
        found[HTTPStatus.UNAUTHORIZED.name] = {
            "description": "The request does not have the token of the server.",
            "content": content,
        }
    return found


def _operations(
    models: Sequence[ServedModel], keys: Sequence[str], *, has_token: bool
) -> Iterator[tuple[str, str, Json]]:
    """The path and the method of every operation."""
    for i, (model, key) in enumerate(zip(models, keys, strict=True)):
        base = model_path(model.name)
        own = [("", "")] if i == 0 else []
        for path, end in [*own, (base, f"_{key}")]:
            yield f"{path}/predict", "post", predict(model, key, f"predict{end}")
            yield f"{path}/invocations", "post", invocations(model, key, f"invocations{end}")
            yield f"{path}/", "get", _public(_page(f"page{end}", model.name))
        described = json_content(OBJECT)
        for method, name, summary in (
            (
                "get",
                "profile",
                "Counts of the rows that were predicted, for nncli drift",
            ),
            ("delete", "take_profile", "The same profile, which then begins anew"),
        ):
            yield (
                f"{base}/profile",
                method,
                operation(f"{name}_{key}", "server", summary, described, model=model.name),
            )
        yield from _open_inference(model, key)
    yield from _of_server()
    for path, operation_id, summary in (
        ("/health/live", "live", "Whether the process answers"),
        ("/health/ready", "ready", "Whether requests should be sent here"),
        ("/v2/health/live", "v2_live", "Whether the process answers"),
        ("/v2/health/ready", "v2_ready", "Whether requests should be sent here"),
        ("/ping", "ping", "Whether requests should be sent here"),
        ("/health", "health", "Whether requests should be sent here"),
    ):
        yield path, "get", _public(operation(operation_id, "health", summary, json_content({})))


def _public(described: Json) -> Json:
    """An operation that needs no token."""
    return {**described, "security": []}


def _page(operation_id: str, model: str) -> Json:
    return operation(operation_id, "server", "A page to try the model", text_content("text/html"), model=model)


def _of_server() -> Iterator[tuple[str, str, Json]]:
    for path, operation_id, summary, answer in (
        ("/models", "models", "The models with their versions", json_content(OBJECT)),
        ("/metrics", "metrics", "Metrics for Prometheus", text_content("text/plain")),
        ("/version", "version", "The version of nncli", json_content({})),
        ("/v2", "v2", "The name and the extensions of the server", json_content(OBJECT)),
        ("/openapi.json", "openapi", "The addresses in OpenAPI 3.1, for programs", json_content(OBJECT)),
        ("/docs", "docs", "A page about the addresses and the columns", text_content("text/html")),
    ):
        described = operation(operation_id, "server", summary, answer)
        yield path, "get", _public(described) if path == "/docs" else described  # it asks for the token itself


def _open_inference(model: ServedModel, key: str) -> Iterator[tuple[str, str, Json]]:
    """The addresses of a model, with a version and without."""
    base = f"/v2{model_path(model.name)}"
    tag, parameters = "Open Inference Protocol", list[Json]()
    for path, end in ((base, key), (f"{base}/versions/{{version}}", f"{key}_version")):
        for own, name, summary in (
            (path, "v2_model", "The inputs and outputs of the model"),
            (f"{path}/ready", "v2_model_ready", "Whether the model predicts"),
        ):
            answer = json_content(OBJECT)
            described = operation(f"{name}_{end}", tag, summary, answer, model=model.name, parameters=parameters)
            yield own, "get", described
        yield f"{path}/infer", "post", infer(model, f"infer_{end}", parameters)
        parameters = [VERSION]
