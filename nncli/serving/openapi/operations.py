"""Operations: what an address answers, one function for each kind of address."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from nncli.serving.answers import NOTES_HEADER
from nncli.serving.models.prediction_options import PARAMETERS
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi.examples import (
    example_invocation,
    example_json_line,
    example_lines,
    example_row,
    example_tensors,
)
from nncli.serving.openapi.schemas import NOTES, Json, parameter_schema, rows_schema

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
"""Formats of tables that are not text."""
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
        **{media_type: {} for media_type in BINARY},
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
        "application/vnd.apache.parquet": {},
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
