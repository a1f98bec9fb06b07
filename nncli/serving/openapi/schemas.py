"""JSON Schemas of rows, predictions and errors.

A schema refuses nothing that the server answers: categories that are new and numbers out of the training range are
predicted too, so they are examples and descriptions here, not limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import polars as pl

from nncli.base.option import DeclaredOption
from nncli.base.text import join_quoted
from nncli.serving.columns.input_schema import Feature, FeatureKind
from nncli.serving.models.served_model import PARAMETERS, ServedModel, empty_predictions

Json: TypeAlias = dict[str, Any]
JSON_TYPES: dict[FeatureKind, list[str]] = {
    "number": ["number", "string", "boolean", "null"],
    "category": ["string", "number", "boolean", "null"],
    "date": ["string", "number", "null"],
    "text": ["string", "number", "boolean", "null"],
}
"""What a cell of each kind of column may be in JSON; null is a missing value."""
MAX_EXAMPLES = 20
NOTES: Json = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Only if cells differ from all training rows: unseen categories, numbers out of the training range, "
    "and missing cells where training had none. Such predictions are less certain than they look.",
}
NUMBER: Json = {"type": ["number", "null"]}
PROBLEM: Json = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string", "description": "The phrase of the status."},
        "status": {"type": "integer", "description": "The status."},
        "detail": {"type": "string", "description": "What is wrong."},
        "hint": {"type": "string", "description": "How to mend it."},
        "row": {"type": "integer", "minimum": 1, "description": "The row of the request, from 1."},
        "column": {"type": "string", "description": "The column."},
        "value": {"type": "string", "description": "The value that cannot be read."},
        "errors": {
            "type": "array",
            "description": "The first cells of the request that cannot be read.",
            "items": {
                "type": "object",
                "required": ["row", "column", "value", "detail"],
                "properties": {
                    "row": {"type": "integer", "minimum": 1},
                    "column": {"type": "string"},
                    "value": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "error_code": {"type": "string", "description": "At MLflow's addresses: its code of the error."},
        "message": {"type": "string", "description": "At MLflow's addresses: the whole problem in one line."},
        "error": {"type": "string", "description": "At addresses of the Open Inference Protocol: the same line."},
    },
}


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
    known = [feature.example, *feature.categories[:MAX_EXAMPLES]]
    examples = list(dict.fromkeys(one for one in known if one is not None))[:MAX_EXAMPLES]
    return {
        "type": JSON_TYPES[feature.kind],
        "description": feature_text(feature),
        **({"examples": examples} if examples else {}),
    }


def feature_text(feature: Feature) -> str:
    """What a column holds, and what its training rows had."""
    sentences = [f"A {feature.kind}." if feature.kind != "number" else "A number."]
    if feature.lowest is not None and feature.highest is not None:
        sentences.append(f"Training rows: {value_text(feature.lowest)} to {value_text(feature.highest)}.")
    if feature.categories:
        sentences.append(f"Categories of the training rows: {join_quoted(feature.categories)}.")
    if feature.unit is not None:
        sentences.append(f"A text may have the unit {feature.unit}.")
    if feature.date_formats:
        sentences.append(f"Read as {' or '.join(feature.date_formats)}, or as any other date without ambiguity.")
    sentences.append("null is a missing value.")
    sentences.append("May be absent in JSON." if feature.is_optional else "Must be there.")
    return " ".join(sentences)


def value_text(value: float | str) -> str:
    """A whole number, one with at most six significant digits, or a text."""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:.6g}"


def prediction_schema(model: ServedModel) -> Json:
    """The prediction of a row."""
    columns = empty_predictions(model)
    required = [name for name in columns.columns if not name.startswith("proba_")]
    has_intervals = model.model.spec.target.uncertainty == "interval"
    return {
        "type": "object",
        "title": f"A prediction of the model {model.name}",
        "required": required,
        "properties": {
            **{name: _value_schema(dtype) for name, dtype in columns.schema.items()},
            "notes": NOTES,
            "effects": {
                "type": "array",
                "items": {"type": "object"},
                "description": "With explain: the effect of each column on the prediction, the largest first.",
            },
        },
        "patternProperties": {"^(lower|upper)_[0-9]": NUMBER} if has_intervals else {"^set_[0-9]": {"type": "array"}},
    }


def _value_schema(dtype: pl.DataType) -> Json:
    if dtype == pl.Boolean:
        return {"type": "boolean"}
    if dtype.is_integer():
        return {"type": "integer"}
    return NUMBER if dtype.is_float() else {"type": "string"}


def parameter_schema(one: DeclaredOption) -> Json:
    """The value of a parameter of an address."""
    if one.item_type is not None:
        return {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}
    return {**value_schema(one), "default": one.default}


def value_schema(one: DeclaredOption) -> Json:
    """The value of a parameter in a JSON document."""
    if one.item_type is not None:
        return LEVELS
    return {"type": "string", "enum": list(one.choices)} if one.choices else {"type": "boolean"}


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
        "properties": {**forms, "params": {"type": ["object", "null"], "properties": PARAMETER_SCHEMAS}},
        "additionalProperties": False,
    }


LEVELS: Json = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}
PARAMETER_SCHEMAS: Json = {one.name: value_schema(one) for one in PARAMETERS.values()}
TENSOR: Json = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "parameters": {"type": "object"},
        "data": {"type": "array"},
    },
}
INFER_REQUEST: Json = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "parameters": {"type": ["object", "null"], "properties": PARAMETER_SCHEMAS},
        "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}, "minItems": 1},
        "outputs": {
            "type": ["array", "null"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    },
    "additionalProperties": False,
}
INFER_ANSWER: Json = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {"notes": {"type": "string", "description": NOTES["description"]}},
        },
        "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
    },
}
