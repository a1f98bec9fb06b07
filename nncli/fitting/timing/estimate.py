"""The estimated duration of a training, from what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from nncli.fitting.timing.steps import Measurement

LONG_TASK, WORTH_A_PROCESS = 1.0, 3.0
"""Seconds after which a member is trained elsewhere, and seconds of all that are left from which workers pay off."""
STARTUP = 1.5
"""Seconds in which worker processes start."""
SIDE_BY_SIDE = 1.15
"""The factor by which trainings side by side, each on a core, are slower."""
HELD_OUT = 0.2
"""The fraction of the rows that a network holds out where the number of folds is not known."""


@dataclass(frozen=True)
class Workload:
    """The size of a training: networks, of which `workers` are trained at a time, epochs, and rows of the table."""

    members: int
    workers: int
    epochs: int
    rows: int
    held_out: float = HELD_OUT

    @property
    def training_rows(self) -> int:
        """The training rows of a network."""
        return max(1, self.rows - self.validation_rows)

    @property
    def validation_rows(self) -> int:
        """The validation rows of a network."""
        return round(self.rows * self.held_out)


def seconds_of(measured: Measurement, work: Workload, *, is_read: bool = True) -> float:
    """The estimated seconds of a training, from now on; its table is read already if `is_read`."""
    start = measured.preparation(work.rows)
    learning = work.epochs * measured.epoch(work.training_rows, work.validation_rows)
    scoring = measured.scoring(work.rows) * work.members
    if work.members == 1:
        return (0.0 if is_read else measured.reading) + start + learning + scoring
    member = measured.reading + start + learning
    total = member * work.members
    if work.workers == 1 or total <= WORTH_A_PROCESS:
        return total + scoring
    here = min(member, LONG_TASK)
    rounds = -(-work.members // work.workers) * work.workers / work.members
    again = STARTUP + measured.reading + start
    return here + again + (total - here) * rounds / work.workers * SIDE_BY_SIDE + scoring
