"""The names of classes, as the training table has them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import polars as pl

from nncli.nn.arrays import Codes
from nncli.nn.program.program import LabelType

INTEGER_TYPES = (pl.Int64, pl.UInt64, pl.Int128)


@dataclass(frozen=True)
class ClassLabels:
    """The labels of classes of which a row has one, and their type in the training table; none without classes."""

    labels: tuple[str, ...] = ()
    type: LabelType = "text"

    def column(self, codes: Codes, name: str) -> pl.Series:
        """The labels of codes, in the type of the training table; integers in the first of INTEGER_TYPES that fits."""
        labels = pl.Series(name, list(self.labels), dtype=pl.String)
        if self.type == "integer":
            fitting = (kind for kind in INTEGER_TYPES if not labels.cast(kind, strict=False).has_nulls())
            labels = labels.cast(next(fitting, pl.String))
        elif self.type == "float":
            labels = labels.cast(pl.Float64)
        elif self.type == "boolean":
            labels = labels == "true"
        return labels.gather(pl.Series(codes))

    def every(self, name: str) -> pl.Series:
        """All labels, by their codes."""
        return self.column(np.arange(len(self.labels)), name)


NO_CLASSES = ClassLabels()


def free_labels(rare: Sequence[str], form: str, taken: Container[str]) -> dict[str, str]:
    """A new name for each rare label: `form` with the first numbers that make no name that is taken."""
    names = (name for n in count(1) if (name := form.format(n)) not in taken)
    return dict(zip(rare, names, strict=False))
