"""What a table becomes: arrays, a row an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Examples:
    """Encoded rows.

    X (n, features) numbers; codes (n, embeddings) categories to look up; y (n, targets) numbers or (n,) class codes;
    weights (n,) with mean 1, or None when every row counts the same.
    """

    X: npt.NDArray[np.floating[Any]]
    codes: npt.NDArray[np.int64]
    y: npt.NDArray[Any]
    weights: npt.NDArray[np.floating[Any]] | None = None

    def __len__(self) -> int:
        return len(self.X)
