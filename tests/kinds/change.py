"""A kind of answer that wraps numbers, in the way of a forecast: a number after a time, relative to the last one.

The last number is the offset of a row and its usual change the exposure, so that rows of any size are learned together.
Runs are compared by errors in usual changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from nncli.extend import (
    Comparison,
    Decision,
    Floats,
    Head,
    Loss,
    Measure,
    MSELoss,
    NumberScoring,
    NumericTarget,
    Predicted,
    Truth,
)


class ChangeLoss(MSELoss):
    """The squared error of the change, in usual changes."""

    type: Literal["change"] = "change"  # type: ignore[assignment]  # a name of its own
    task: ClassVar[str] = "change"
    keys: ClassVar[frozenset[str]] = frozenset({"data.offset", "data.exposure"})


class Change(NumericTarget):
    """A number that is predicted relative to another one."""

    task: Literal["change"] = "change"
    noun: ClassVar[str] = "change"

    def head(self, loss: Loss) -> Head:
        return replace(super().head(loss), scoring=ChangeScoring(loss))


@dataclass(frozen=True)
class ChangeScoring(NumberScoring):
    """Errors are measured in usual changes."""

    def comparison(self, decision: Decision | None) -> Comparison:
        return Comparison((Measure("scaled error", _scaled_errors, is_square=False),))


def _scaled_errors(predictions: Predicted, y: Truth) -> Floats:
    """The absolute errors (rows,) in usual changes."""
    errors = np.abs(predictions.values - y)[:, 0]
    return errors if predictions.exposure is None else errors / predictions.exposure
