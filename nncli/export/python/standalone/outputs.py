"""The outputs of a program as the columns that `nncli predict` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.program.program import (
    ClassOutputs,
    LabelType,
    NumberOutputs,
    Outputs,
    Precision,
    number_columns,
    probability_columns,
)


def output_columns(
    outputs: Outputs, precision: Precision, values: Mapping[int, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[Any]]:
    """The columns of the outputs by name, from the values of their nodes.

    Predicted classes are text, whole numbers, numbers or truth values, as in the training table.
    """
    if isinstance(outputs, NumberOutputs):
        return {title: values[node][:, place] for title, node, place in number_columns(outputs)}
    columns: dict[str, npt.NDArray[Any]] = {}
    if outputs.codes is not None:
        columns["prediction"] = _labels_of(values[outputs.codes][:, 0].astype(np.int64), outputs)
    for title, node, place in probability_columns(outputs):
        columns[title] = values[node][:, place].astype(precision)
    return columns


def _labels_of(codes: npt.NDArray[np.int64], outputs: ClassOutputs) -> npt.NDArray[Any]:
    """The labels (rows,) of codes, None for -1. Text is in an array of objects, which keeps it as it is."""
    labels: list[Any] = [_label(text, outputs.label_type) for text in outputs.labels]
    if outputs.label_type == "text" or (codes < 0).any():
        return np.array([*labels, None], object)[codes]
    return np.array(labels)[codes]


def _label(text: str, label_type: LabelType) -> str | int | float:
    """A label in the type of the training table."""
    if label_type == "boolean":
        return text == "true"
    return int(text) if label_type == "integer" else float(text) if label_type == "float" else text
