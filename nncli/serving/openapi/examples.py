"""Example requests of a model, with a typical value for each column; the server answers each of them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.served_model import ServedModel
from nncli.serving.open_inference.metadata import input_datatype


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
