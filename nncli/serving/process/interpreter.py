"""Settings of the Python interpreter with which it answers requests without long pauses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
"""So many objects are searched for garbage in less than a millisecond."""
SECONDS_BETWEEN_SWITCHES = 0.001
"""How long a thread that reads or writes in Python may hold the interpreter while another waits for it. The event loop
gives it away at every call of the system: at Python's 5 ms, one answer would wait several times so long."""


@contextmanager
def short_pauses() -> Iterator[None]:
    """Keep garbage collections short and thread switches frequent; the settings of before are restored at the end."""
    thresholds, interval, is_frozen = gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count() > 0
    gc.freeze()  # a collection of all that was imported and loaded would hold up every answer
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    sys.setswitchinterval(SECONDS_BETWEEN_SWITCHES)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        if not is_frozen:  # else by the caller
            gc.unfreeze()
