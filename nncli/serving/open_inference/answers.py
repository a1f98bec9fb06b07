"""Predictions as the answer to `infer`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from nncli.base.text import join_quoted
from nncli.serving.models.empty_predictions import empty_predictions
from nncli.serving.models.served_model import ServedModel
from nncli.serving.open_inference.infer_request import InferRequest
from nncli.serving.open_inference.metadata import output_columns
from nncli.serving.open_inference.tensors import bytes_of_series, datatype_of, json_of_series
from nncli.serving.problems.problem import ProblemError, bad_request


@dataclass(frozen=True)
class InferAnswer:
    """The body of an answer; the first `json_length` bytes are JSON, None if all are."""

    body: bytes
    json_length: int | None = None


def infer_answer(
    model: ServedModel, request: InferRequest, predictions: pl.DataFrame, notes: Sequence[str] = ()
) -> InferAnswer:
    """The answer to a request: its outputs as JSON, and those that are binary after it.

    Raises:
        ProblemError: an output of the request is not one of the predictions.
    """
    columns = output_columns(predictions)
    names = columns.columns if request.outputs is None else list(request.outputs)
    unknown = [name for name in names if name not in columns.columns]
    if unknown:
        raise _no_output(unknown, columns.columns, model)
    outputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name in names:
        column = columns.get_column(name)
        output: dict[str, Any] = {"name": name, "datatype": datatype_of(column.dtype), "shape": [len(column)]}
        if request.binary if request.outputs is None else request.outputs[name]:
            parts.append(bytes_of_series(column))
            output["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            output["data"] = json_of_series(column)
        outputs.append(output)
    document = {
        "model_name": model.name,
        "model_version": model.version,
        **({} if request.id is None else {"id": request.id}),
        **({"parameters": {"notes": "\n".join(notes)}} if notes else {}),  # a parameter is a single value
        "outputs": outputs,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return InferAnswer(b"".join([text, *parts]), len(text) if parts else None)


def _no_output(unknown: Sequence[str], columns: Sequence[str], model: ServedModel) -> ProblemError:
    outputs = dict.fromkeys([*empty_predictions(model).columns, *columns])
    level = model.model.spec.target.uncertainty
    return bad_request(
        f"there is no output {join_quoted(unknown)}",
        f"The outputs are {join_quoted(outputs)}; the parameters {level} and explain add others.",
    )
