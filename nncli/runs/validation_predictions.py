"""The scored predictions of the validation rows, kept in validation.safetensors.

They cannot be computed again from the model: each row is predicted at the epoch that other rows chose.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from nncli.data.encoders.target import Target
from nncli.ensemble import n_outputs
from nncli.model import Predictions
from nncli.nn.arrays import Precision
from nncli.runs.loader import LARGEST_HEADER, damaged, read_verified
from nncli.runs.manifest import VALIDATION, Manifest

PREDICTIONS = "predictions"


def serialize_validation(predictions: Predictions) -> bytes:
    """The predictions (rows, outputs) as the bytes of a safetensors file."""
    return safetensors.numpy.save({PREDICTIONS: np.ascontiguousarray(predictions.values, np.float64)})


def read_validation(
    folder: Path, manifest: Manifest, target: Target, rows: int, precision: Precision
) -> Predictions | None:
    """Read the predictions of the validation rows; None for a run that keeps none, as those of older versions.

    Raises:
        RunError: the file is damaged, or holds another number of rows or outputs.
    """
    if VALIDATION not in manifest.files or not os.path.lexists(folder / VALIDATION):
        return None
    content = read_verified(folder, VALIDATION, manifest, 8 * rows * n_outputs(target) + LARGEST_HEADER)
    try:
        values = safetensors.numpy.load(content)[PREDICTIONS]
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise damaged(folder, VALIDATION, "the file is damaged: it does not hold predictions") from error
    if values.shape != (rows, n_outputs(target)) or values.dtype != np.float64:
        raise damaged(folder, VALIDATION, "the file does not hold the predictions of this run's validation rows")
    return Predictions(target, values, precision)
