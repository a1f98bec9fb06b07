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
from nncli.runs.loader import LARGEST_HEADER, damaged, read_verified
from nncli.runs.manifest import VALIDATION, Manifest

PREDICTIONS = "predictions"
MAX_VALUES = 1 << 26
"""Values that are kept at most, 256 MB. Where there are more, the choice of the epoch is no part of a score's error."""


def serialize_validation(predictions: Predictions) -> bytes:
    """The predictions (rows, outputs) as the bytes of a safetensors file, in the precision of the training."""
    values = np.ascontiguousarray(predictions.values.astype(predictions.precision))
    return safetensors.numpy.save({PREDICTIONS: values})


def read_validation(folder: Path, manifest: Manifest, target: Target, rows: int) -> Predictions | None:
    """Read the predictions of the validation rows; None for a run that keeps none, as those of older versions.

    Raises:
        RunError: the file is damaged, or holds another number of rows or outputs.
    """
    if VALIDATION not in manifest.files or not os.path.lexists(folder / VALIDATION):
        return None
    content = read_verified(folder, VALIDATION, manifest, MAX_VALUES * 8 + LARGEST_HEADER)
    try:
        values = safetensors.numpy.load(content)[PREDICTIONS]
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise damaged(folder, VALIDATION, "the file is damaged: it does not hold predictions") from error
    if values.shape != (rows, n_outputs(target)) or values.dtype not in (np.float32, np.float64):
        raise damaged(folder, VALIDATION, "the file does not hold the predictions of this run's validation rows")
    return Predictions(target, values.astype(np.float64), "float32" if values.dtype == np.float32 else "float64")
