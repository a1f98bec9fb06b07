"""What the protocol says about a server and its models: names, versions, inputs and outputs."""

from __future__ import annotations

from typing import Any

import polars as pl

from nncli.models.conformal.predictions import sets_as_text
from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.empty_predictions import empty_predictions
from nncli.serving.models.served_model import ServedModel
from nncli.serving.open_inference.tensors import BYTES, datatype_of
from nncli.version import __version__


def server_metadata() -> dict[str, Any]:
    """The name and the version of the server, and the extensions of the protocol that it has."""
    return {"name": "nncli", "version": __version__, "extensions": ["binary_tensor_data"]}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """The versions, inputs and outputs of a model; a shape of -1 is any number of rows."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "nncli",
        "inputs": [
            {"name": feature.name, "datatype": input_datatype(feature), "shape": [-1]}
            for feature in model.schema.features
        ],
        "outputs": [
            {"name": name, "datatype": datatype_of(dtype), "shape": [-1]}
            for name, dtype in output_columns(empty_predictions(model)).schema.items()
        ],
    }


def input_datatype(feature: Feature) -> str:
    """FP64 for numbers; categories, dates and texts are BYTES."""
    return "FP64" if feature.kind == "number" else BYTES


def output_columns(predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions with sets as text, for a tensor has as many elements in each row."""
    return sets_as_text(predictions, [name for name, dtype in predictions.schema.items() if isinstance(dtype, pl.List)])
