"""The clock of a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TimeLimit:
    """A limit of `seconds` since `start`, a reading of the `clock`."""

    seconds: float
    start: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic

    @property
    def left(self) -> float:
        """The seconds that are left; negative once they are over."""
        return self.seconds - (self.clock() - self.start)
