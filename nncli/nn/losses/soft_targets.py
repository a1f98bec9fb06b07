"""Cross-entropy with a distribution of the classes as the target of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array
from nncli.nn.losses.classification import CrossEntropy


class SoftCrossEntropy(CrossEntropy):
    """-Σ_k t_k log p_k for rows with target distributions t. Hinton, Vinyals and Dean, 2015.

    The table of targets has a row for each class, one-hot, and then one for each distribution. So the target of a row
    is its class, or the code of its distribution. No configuration names this loss, since the distributions are data.
    """

    _table: Array

    @classmethod
    def of(cls, distributions: Array) -> SoftCrossEntropy:
        """The loss for distributions (rows, classes)."""
        loss, classes = cls(), distributions.shape[1]
        soft = distributions[:, 1:] if classes == 2 else distributions  # two classes share an output
        loss._table = np.concatenate([CrossEntropy().targets(loss.outputs(classes), soft.dtype), soft])
        return loss

    @staticmethod
    def codes(distributions: Array) -> npt.NDArray[np.int64]:
        """The targets (rows,) of the distributions (rows, classes) as codes."""
        rows, classes = distributions.shape
        return np.arange(classes, classes + rows, dtype=np.int64)

    def targets(self, k: int, dtype: np.dtype[Any]) -> Array:
        return self._table.astype(dtype, copy=False)
