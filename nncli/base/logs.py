"""Logging of stages and their durations to the logger "nncli", which -v shows, and what no person is to see."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nncli.base.memory import format_bytes, peak_rss_bytes

LOG = logging.getLogger("nncli")


@dataclass
class LoggedStage:
    """A running stage; its `details` are logged at its end."""

    details: list[str] = field(default_factory=list)


@contextmanager
def log_duration(name: str) -> Iterator[LoggedStage]:
    """Log the name, duration and details of a block of work, and the peak memory so far, at its end.

    >>> with log_duration("reading") as reading:
    ...     reading.details.append("344 rows")
    """
    start, stage = time.perf_counter(), LoggedStage()
    yield stage
    if LOG.isEnabledFor(logging.INFO):
        peak = peak_rss_bytes()
        parts = [f"{time.perf_counter() - start:.3f} s", *stage.details]
        LOG.info("%s: %s", name, ", ".join([*parts, *([f"memory {format_bytes(peak)} at most"] if peak else [])]))


def log_info(text: str) -> None:
    """Log one line."""
    LOG.info("%s", text)


def format_duration(seconds: float) -> str:
    """Format a duration as 1:02:03, 2:03 or 4.2 s."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hide_numeric_warnings() -> None:
    """Print no warning of NumPy in code of this package, which names a line of source and nothing to do about it.

    What is not a number is an error or a null where it is written. Filters that were set, such as those by
    PYTHONWARNINGS with which the tests make an error of such a warning, precede this one.
    """
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"(nncli|numpy)(\.|$)", append=True)
