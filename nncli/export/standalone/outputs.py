"""The outputs of a program as the columns that `nncli predict` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.program.program import ClassOutputs, LabelType, NumberOutputs, Outputs, Precision
from nncli.text import percent_digits


def output_columns(
    outputs: Outputs, precision: Precision, values: Mapping[int, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[Any]]:
    """The columns of the outputs by name, from the values of their nodes.

    Predicted classes are text, whole numbers, numbers or truth values, as in the training table.
    """
    columns: dict[str, npt.NDArray[Any]] = {}
    if isinstance(outputs, NumberOutputs):
        suffixes = [""] if len(outputs.names) == 1 else [f"_{name}" for name in outputs.names]
        for j, suffix in enumerate(suffixes):
            columns[f"prediction{suffix}"] = values[outputs.values][:, j]
        for j, suffix in enumerate(suffixes):
            for k, level in enumerate(outputs.levels if outputs.quantiles is not None else ()):
                quantiles = values[outputs.quantiles]  # type: ignore[index]
                columns[f"quantile_{percent_digits(level)}{suffix}"] = quantiles[:, j * len(outputs.levels) + k]
        for bounds in outputs.bounds:
            for j, suffix in enumerate(suffixes):
                columns[f"lower_{percent_digits(bounds.level)}{suffix}"] = values[bounds.lower][:, j]
                columns[f"upper_{percent_digits(bounds.level)}{suffix}"] = values[bounds.upper][:, j]
        return columns
    if outputs.codes is not None:
        columns["prediction"] = _labels_of(values[outputs.codes][:, 0].astype(np.int64), outputs)
    if outputs.probabilities is not None:
        for j, label in enumerate(outputs.labels):
            columns[f"proba_{label}"] = values[outputs.probabilities][:, j].astype(precision)
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
