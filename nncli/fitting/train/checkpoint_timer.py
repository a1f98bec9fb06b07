"""When the next checkpoint of a training is due."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nncli.config.schema import Checkpoint
from nncli.nn.training.epoch import LoopSignal


@dataclass
class CheckpointTimer:
    """Decides after every batch and every epoch whether a checkpoint is due."""

    checkpoint: Checkpoint
    stop: Callable[[], bool]
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._steps, self._seconds = self.checkpoint.interval("step"), self.checkpoint.interval("s")
        self._epochs = self.checkpoint.interval("epoch")

    def restart(self) -> None:
        """Count the seconds to the next checkpoint from now on."""
        self.saved = time.monotonic()

    def after_batch(self, step: int) -> LoopSignal:
        """STOP when asked to, CHECKPOINT when one is due, else CONTINUE."""
        if self.stop():
            return LoopSignal.STOP
        if self._steps is not None:
            return LoopSignal.CHECKPOINT if step % self._steps == 0 else LoopSignal.CONTINUE
        return LoopSignal.CHECKPOINT if self._overdue() else LoopSignal.CONTINUE

    def batches_to_checkpoint(self, step: int) -> int:
        """The number of batches to the next checkpoint that is due at a step."""
        return sys.maxsize if self._steps is None else int(self._steps - step % self._steps)

    def after_epoch(self, epoch: int, step: int) -> bool:
        """Whether a checkpoint is due at the end of an epoch."""
        if self._epochs is not None:
            return epoch % self._epochs == 0
        return step % self._steps == 0 if self._steps is not None else self._overdue()

    def _overdue(self) -> bool:
        return self._seconds is not None and time.monotonic() - self.saved >= self._seconds
