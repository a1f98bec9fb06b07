"""The number of cycles of the learning rate, which the out-of-fold rows of an ensemble choose.

Cycles are twice as long as all before them, and a training of more cycles begins with the same steps. So the members
train cycle by cycle, and another cycle follows as long as the last one lowered the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_STANDARD_ERRORS = 0.25
"""Standard errors of the mean difference of losses by which a cycle has to lower the loss for another one to follow."""


@dataclass(frozen=True)
class CycleDecision:
    """Whether another cycle follows a number of cycles.

    `loss` is the mean loss of the out-of-fold rows after the last cycle, `decrease` the difference from the lowest
    one after a cycle before it, and `standard_error` that of the decrease.
    """

    cycles: int
    epochs: int
    loss: float
    decrease: float
    standard_error: float

    @property
    def continues(self) -> bool:
        """Whether another cycle is worth training."""
        return self.decrease > MIN_STANDARD_ERRORS * self.standard_error

    @classmethod
    def of(cls, epochs: int, losses: list[npt.NDArray[np.float64]]) -> CycleDecision:
        """The decision from the losses of rows (rows,) at the end of each cycle, of which there are two or more."""
        *before, last = losses
        best = min(before, key=lambda loss: float(loss.mean()))
        difference = best - last
        error = float(difference.std(ddof=1)) / len(last) ** 0.5 if len(last) > 1 else 0.0
        return cls(len(losses), epochs, float(last.mean()), float(difference.mean()), error)
