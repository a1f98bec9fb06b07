"""The description of a server's addresses in OpenAPI 3.1, from the columns of its models, and examples of rows.

A schema refuses nothing that the server answers: categories that are new and numbers out of the training range are
predicted too, so they are examples and descriptions here, not limits. The components that no model changes are in
openapi.json.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any, TypeAlias

import polars as pl

from nncli.api.prediction.tables import UNUSUAL
from nncli.base.option import DeclaredOption
from nncli.base.text import join_quoted
from nncli.nn.program.inputs import DateInput
from nncli.serving.answers import NOTES_HEADER
from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.served_model import PARAMETERS, ServedModel, empty_predictions, model_path
from nncli.version import __version__

Json: TypeAlias = dict[str, Any]
JSON_TYPES: dict[str, list[str]] = {
    "number": ["number", "string", "boolean", "null"],
    "category": ["string", "number", "boolean", "null"],
    "date": ["string", "number", "null"],
    "text": ["string", "number", "boolean", "null"],
}
"""What a cell of each kind of column may be in JSON; null is a missing value."""
MAX_EXAMPLES = 20
NUMBER: Json = {"type": ["number", "null"]}
OBJECT: Json = {"type": "object"}
NOTES: Json = {"$ref": "#/components/schemas/Notes"}
LEVELS: Json = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The body or a parameter is not what the address reads.",
    HTTPStatus.FORBIDDEN: "A page of another origin may not call the server.",
    HTTPStatus.NOT_ACCEPTABLE: "The response cannot have a format that is accepted.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has too many bytes or rows.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has a format that is not read.",
    HTTPStatus.MISDIRECTED_REQUEST: "The header Host is not an address of the machine that alone can reach the server.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The model cannot predict a row, which is named.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many requests wait, or the server stops: try again after Retry-After.",
}
"""Why a request to predict is not answered."""
TEXT_FORMATS = ("text/csv", "text/tab-separated-values", "application/jsonl")
BINARY = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file", "application/vnd.apache.parquet")
"""Formats of answers that are not text."""
SERVER_OPERATIONS: tuple[tuple[str, str, str, str, str | None], ...] = (
    ("/models", "models", "server", "The models with their versions", "application/json"),
    ("/metrics", "metrics", "server", "Metrics for Prometheus", "text/plain"),
    ("/version", "version", "server", "The version of nncli", None),
    ("/openapi.json", "openapi", "server", "The addresses in OpenAPI 3.1, for programs", "application/json"),
    ("/docs", "docs", "server", "A page about the addresses and the columns", "text/html"),
    ("/health/live", "live", "health", "Whether the process answers", None),
    ("/health/ready", "ready", "health", "Whether requests should be sent here", None),
    ("/ping", "ping", "health", "Whether requests should be sent here", None),
    ("/health", "health", "health", "Whether requests should be sent here", None),
)
"""The path, name, tag, summary and format of the operations that are of no model."""


def openapi_document(models: Sequence[ServedModel], *, has_token: bool) -> Json:
    """The document of a server of these models, the first of which also has the addresses without a name."""
    keys = component_keys([model.name for model in models])
    token: Json = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    paths: Json = {}
    for path, method, described in _operations(models, keys):
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
        "components": {**_components(models, keys), "responses": _responses(has_token=has_token), **token},
    }


def component_keys(names: Sequence[str]) -> list[str]:
    """A key for each model, of the characters that names of components may have."""
    keys: list[str] = []
    for i, name in enumerate(names, start=1):
        key = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        keys.append(key if key not in keys else f"{key}.{i}")
    return keys


def _components(models: Sequence[ServedModel], keys: Sequence[str]) -> Json:
    components: Json = json.loads(files("nncli.serving").joinpath("openapi.json").read_text("utf-8"))
    schemas = components["schemas"]
    for model, key in zip(models, keys, strict=True):
        schemas[f"{key}.row"] = row_schema(model)
        schemas[f"{key}.prediction"] = prediction_schema(model)
        schemas[f"{key}.invocation"] = invocation_schema(_schema(f"{key}.row"))
    return components


def _responses(*, has_token: bool) -> Json:
    descriptions = {"problem": "An error.", **{status.name: text for status, text in REFUSALS.items()}}
    if has_token:
        descriptions[HTTPStatus.UNAUTHORIZED.name] = "The request does not have the token of the server."
    content: Json = {"application/problem+json": {"schema": _schema("Problem")}}
    responses: Json = {name: {"description": text, "content": content} for name, text in descriptions.items()}
    retry = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    responses[HTTPStatus.SERVICE_UNAVAILABLE.name]["headers"] = retry
    return responses


def _schema(name: str) -> Json:
    """A schema of the components."""
    return _component("schemas", name)


def _component(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _operations(models: Sequence[ServedModel], keys: Sequence[str]) -> Iterator[tuple[str, str, Json]]:
    """The path and the method of every operation."""
    for i, (model, key) in enumerate(zip(models, keys, strict=True)):
        base = model_path(model.name)
        for path, end in [("", ""), (base, f"_{key}")][i > 0 :]:
            yield f"{path}/predict", "post", _predict(model, key, f"predict{end}")
            yield f"{path}/invocations", "post", _invocations(model, key, f"invocations{end}")
            page = _operation(f"page{end}", "server", "A page to try the model", _content("text/html"), model=model)
            yield f"{path}/", "get", {**page, "security": []}
        counts = "Counts of the rows that were predicted, for nncli drift"
        for method, name, summary in (
            ("get", "profile", counts),
            ("delete", "take_profile", "The same profile, which then begins anew"),
        ):
            yield f"{base}/profile", method, _operation(f"{name}_{key}", "server", summary, _json(OBJECT), model=model)
    for path, name, tag, summary, media_type in SERVER_OPERATIONS:
        described = _operation(name, tag, summary, _json({}) if media_type is None else _content(media_type))
        # The page of all addresses asks for the token itself.
        yield path, "get", described | ({"security": []} if tag == "health" or path == "/docs" else {})


def _operation(
    operation_id: str,
    tag: str,
    summary: str,
    answer: Json,
    *,
    model: ServedModel | None = None,
    parameters: Sequence[Json] = (),
    body: Json | None = None,
    headers: Json | None = None,
) -> Json:
    """An operation of a model or of the server, with the answer 200, and any error as a problem.

    One with a body predicts, and so has all refusals.
    """
    refusals = () if body is None else REFUSALS
    return {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        **({} if model is None else {"description": f"The model is {model.name}."}),
        **({"parameters": list(parameters)} if parameters else {}),
        **({} if body is None else {"requestBody": {"required": True, "content": body}}),
        "responses": {
            "200": {"description": "The response.", **({"headers": headers} if headers else {}), "content": answer},
            **{str(status.value): {"$ref": f"#/components/responses/{status.name}"} for status in refusals},
            "default": {"$ref": "#/components/responses/problem"},
        },
    }


def _json(schema: Json, example: object = None) -> Json:
    """A body of JSON."""
    return {"application/json": {"schema": schema, **({} if example is None else {"example": example})}}


def _content(media_type: str, example: str | None = None) -> Json:
    """A body of text, or of any JSON object."""
    if media_type == "application/json":
        return _json(OBJECT)
    return {media_type: {"schema": {"type": "string"}, **({} if example is None else {"example": example})}}


def _predict(model: ServedModel, key: str, operation_id: str) -> Json:
    """`/predict` of a model whose schemas are named by a key."""
    binary: Json = {media_type: {} for media_type in BINARY}
    examples = (example_lines(model, ","), example_lines(model, "\t"), example_json_line(model))
    body: Json = {}
    answer = binary
    for media_type, example in zip(TEXT_FORMATS, examples, strict=True):
        body, answer = body | _content(media_type, example), answer | _content(media_type)
    return _operation(
        operation_id,
        "predict",
        "Predict rows",
        _json(rows_schema(_schema(f"{key}.prediction"), {"notes": NOTES})) | answer,
        model=model,
        parameters=prediction_parameters(model),
        body=_json(rows_schema(_schema(f"{key}.row")), {"rows": [example_row(model)]}) | body,
        headers={NOTES_HEADER: _component("headers", "notes")},
    )


def prediction_parameters(model: ServedModel) -> list[Json]:
    """The parameters of `/predict` that fit the target of a model."""
    gives = model.model.spec.target.gives
    return [
        {
            "name": declared.name,
            "in": "query",
            "description": declared.option.http,
            "schema": parameter_schema(declared),
            **({"explode": False} if declared.option.parse is not None else {}),
        }
        for declared in PARAMETERS.values()
        if declared.option.needs is None or declared.option.needs in gives
    ]


def _invocations(model: ServedModel, key: str, operation_id: str) -> Json:
    """`/invocations` of a model."""
    predictions: Json = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array"}, "notes": NOTES},
    }
    return _operation(
        operation_id,
        "MLflow",
        "Predict rows, as MLflow's scoring server does",
        _json(predictions),
        model=model,
        parameters=prediction_parameters(model),
        body={
            **_json(_schema(f"{key}.invocation"), example_invocation(model)),
            **_content("text/csv", example_lines(model, ",")),
        },
    )


def example_row(model: ServedModel) -> dict[str, Any]:
    """A row of typical values; null where none is known."""
    return {feature.name: feature.example for feature in model.schema.features}


def varied_row(model: ServedModel) -> dict[str, Any]:
    """A row of values of the training rows that are not typical where others are known, so that they have effects."""
    return {feature.name: _varied(feature) for feature in model.schema.features}


def _varied(feature: Feature) -> float | str | None:
    if feature.input.kind == "number" and feature.unit is None and feature.range is not None:
        return feature.range[1]
    return next((category for category in feature.categories if category != str(feature.example)), feature.example)


def example_lines(model: ServedModel, separator: str) -> str:
    """A file of one row, whose values are separated by commas or tabs."""
    text = io.StringIO()
    # Faster than a frame, if there are thousands of columns.
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(feature.name for feature in model.schema.features)
    writer.writerow(_text(feature) for feature in model.schema.features)
    return text.getvalue()


def example_json_line(model: ServedModel) -> str:
    """A file of one row in JSON lines."""
    return json.dumps(example_row(model), ensure_ascii=False) + "\n"


def example_invocation(model: ServedModel) -> dict[str, Any]:
    """A request to MLflow's address."""
    row = example_row(model)
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


def _text(feature: Feature) -> str | None:
    return None if feature.example is None else str(feature.example)


def row_schema(model: ServedModel) -> Json:
    """A row for a model: an object whose other members are not read."""
    return {
        "type": "object",
        "title": f"A row for the model {model.name}",
        "required": list(model.schema.required),
        "properties": {feature.name: feature_schema(feature) for feature in model.schema.features},
    }


def feature_schema(feature: Feature) -> Json:
    """A cell of a column."""
    values = feature.range or () if feature.is_binary else feature.categories[:MAX_EXAMPLES]
    shown = [feature.example, *values]
    examples = list(dict.fromkeys(example for example in shown if example is not None))[:MAX_EXAMPLES]
    return {
        "type": JSON_TYPES[feature.input.kind],
        "description": feature_text(feature),
        **({"examples": examples} if examples else {}),
    }


def feature_text(feature: Feature) -> str:
    """What a column holds, and what its training rows had."""
    sentences = [f"A {feature.input.kind}."]
    if feature.range is not None:
        sentences.append(f"Training rows: {range_text(feature)}.")
    if feature.categories:
        sentences.append(f"Categories of the training rows: {join_quoted(feature.categories)}.")
    if feature.unit is not None:
        sentences.append(f"A text may have the unit {feature.unit}.")
    if isinstance(feature.input, DateInput):
        formats = " or ".join(feature.input.formats)
        sentences.append(f"Read as {formats}, or as any other date without ambiguity.")
    sentences.append("null is a missing value.")
    sentences.append("May be absent in JSON." if feature.is_optional else "Must be there.")
    return " ".join(sentences)


def range_text(feature: Feature) -> str:
    """The training range of a column, or its two values; empty if it has none."""
    return (" or " if feature.is_binary else " to ").join(map(value_text, feature.range or ()))


def value_text(value: float | str) -> str:
    """A whole number, one with at most six significant digits, or a text."""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:.6g}"


def prediction_schema(model: ServedModel) -> Json:
    """The prediction of a row."""
    columns = empty_predictions(model)
    method = model.model.spec.head.uncertainty
    required = [name for name in columns.columns if not model.model.spec.target.is_probability(name)]
    patterns: Json = {"interval": {"^(lower|upper)_[0-9]": NUMBER}, "prediction_set": {"^set_[0-9]": {"type": "array"}}}
    return {
        "type": "object",
        "title": f"A prediction of the model {model.name}",
        "required": required,
        "properties": {
            **{name: _value_schema(dtype) for name, dtype in columns.schema.items()},
            "notes": NOTES,
            UNUSUAL: {
                "type": "array",
                "items": {"type": "string"},
                "description": "With flag_unusual: the columns whose cell is unlike those of all training rows.",
            },
            "effects": {
                "type": "array",
                "items": {"type": "object"},
                "description": "With effects: the effect of each column on the prediction, the largest first.",
            },
        },
        "patternProperties": {} if method is None else patterns[method.option],
    }


def _value_schema(dtype: pl.DataType) -> Json:
    if dtype == pl.Boolean:
        return {"type": "boolean"}
    if dtype.is_integer():
        return {"type": "integer"}
    return NUMBER if dtype.is_float() else {"type": "string"}


def parameter_schema(declared: DeclaredOption) -> Json:
    """The value of a parameter of an address."""
    if declared.option.parse is not None:
        return {"type": "array", "items": {"type": "number", "minimum": 0}}
    if declared.item_type is not None:
        return {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}
    return {**value_schema(declared), "default": declared.default}


def value_schema(declared: DeclaredOption) -> Json:
    """The value of a parameter in a JSON document."""
    if declared.item_type is not None:
        return LEVELS
    return {"type": "string", "enum": list(declared.choices)} if declared.choices else {"type": "boolean"}


def rows_schema(row: Json, others: Mapping[str, Json] = {}) -> Json:
    """`{"rows": […]}` with other members, or one row."""
    return {
        "anyOf": [
            {
                "type": "object",
                "required": ["rows"],
                "properties": {"rows": {"type": "array", "items": row, "minItems": 1}, **others},
            },
            row,
        ]
    }


def invocation_schema(row: Json) -> Json:
    """A request to MLflow's address: one of the four forms, and parameters."""
    rows: Json = {"type": "array", "items": row}
    columns: Json = {"type": "object", "description": "The values of each column, as lists of the same length."}
    split: Json = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": ["string", "integer"]}},
            "index": {"type": "array"},
            "data": {"type": "array", "items": {"type": "array"}},
        },
    }
    forms: dict[str, Json] = {
        "dataframe_split": split,
        "dataframe_records": rows,
        "instances": {"anyOf": [rows, columns]},
        "inputs": {"anyOf": [rows, columns]},
    }
    return {
        "type": "object",
        "oneOf": [{"required": [name]} for name in forms],
        "properties": {**forms, "params": {"type": ["object", "null"], "properties": parameter_schemas()}},
        "additionalProperties": False,
    }


def parameter_schemas() -> Json:
    """The values of all parameters in a JSON document."""
    return {declared.name: value_schema(declared) for declared in PARAMETERS.values()}
