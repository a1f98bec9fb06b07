"""How much memory encoded rows may take before they are kept in a file."""

from __future__ import annotations

import os
from pathlib import Path

from nncli.config.schema import Config, bytes_of

SHARE = 0.5
"""Of the memory that is free, with `memory_limit: auto`."""
CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def memory_limit(config: Config) -> float:
    """The limit in bytes. Which way it is met changes not a bit of what is trained."""
    wanted = bytes_of(config.memory_limit)
    return SHARE * free_memory() if wanted is None else wanted


def free_memory(system: Path = Path("/")) -> float:
    """Bytes that this machine, or the container this is in, has left; infinity where that is not known."""
    left = [_of_machine(system / "proc/meminfo"), *(_of_group(system / "sys/fs/cgroup", *pair) for pair in CGROUPS)]
    return min(left)


def _of_machine(meminfo: Path) -> float:
    try:
        lines = [line.split() for line in meminfo.read_text().splitlines()]
        return next(float(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _of_group(group: Path, most: str, used: str) -> float:
    try:
        return max(0.0, float((group / most).read_text()) - float((group / used).read_text()))
    except (OSError, ValueError):  # also where it says max
        return float("inf")
