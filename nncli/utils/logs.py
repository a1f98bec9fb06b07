"""What is being done, stage by stage, and the seconds that each took: told to Python's log "nncli", which -v shows."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nncli.utils.memory import format_bytes, peak_rss_bytes

LOG = logging.getLogger("nncli")


@dataclass
class LoggedStage:
    """A stage under way; what is put into `found` is told at its end."""

    details: list[str] = field(default_factory=list)


@contextmanager
def log_duration(name: str) -> Iterator[LoggedStage]:
    """A block of work. Once it is done its name, its seconds, what it found and the most memory so far are told.

    >>> with stage("reading") as reading:
    ...     reading.found.append("344 rows")
    """
    begun, under_way = time.perf_counter(), LoggedStage()
    yield under_way
    if LOG.isEnabledFor(logging.INFO):
        most = peak_rss_bytes()
        told = [f"{time.perf_counter() - begun:.3f} s", *under_way.details]
        LOG.info("%s: %s", name, ", ".join([*told, *([f"memory {format_bytes(most)} at most"] if most else [])]))


def log_info(text: str) -> None:
    """A line that is no stage."""
    LOG.info("%s", text)


def format_duration(seconds: float) -> str:
    """1:02:03, 2:03 or 4.2 s."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
