"""Memory of this process (resident set size) and of the machine, in bytes."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def rss_bytes(statm: Path = Path("/proc/self/statm")) -> int | None:
    """The current resident set size, or None on systems without /proc (macOS, Windows)."""
    try:
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def peak_rss_bytes() -> int | None:
    """The peak resident set size, or None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def release_unused_memory() -> None:
    """Return memory that is no longer used to the system, which the C library of Linux keeps otherwise."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
        if trim is not None:
            trim(0)


def format_bytes(size: int) -> str:
    """Format a size as 196 B, 12 kB, 213 MB or 1.4 GB."""
    if 0 < size < 1e6:
        return f"{size / 1e3:.3g} kB" if size >= 1e3 else f"{size} B"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_memory(system: Path = Path("/")) -> float:
    """Available memory of this machine, or of its container, in bytes; infinity if it is unknown."""
    available = [
        _free_on_machine(system / "proc/meminfo"),
        *(_free_in_cgroup(system / "sys/fs/cgroup", *pair) for pair in CGROUPS),
    ]
    return min(available)


def _free_on_machine(meminfo: Path) -> float:
    try:
        lines = [line.split() for line in meminfo.read_text().splitlines()]
        return next(float(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _free_in_cgroup(group: Path, limit: str, usage: str) -> float:
    try:
        return max(0.0, float((group / limit).read_text()) - float((group / usage).read_text()))
    except (OSError, ValueError):  # also if the limit is "max"
        return float("inf")
