"""How much memory this process has in use, as the system counts it: its resident set, in bytes."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def rss_bytes(statm: Path = Path("/proc/self/statm")) -> int | None:
    """What is in use now, or None where only the most is known (macOS), or nothing (Windows)."""
    try:
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def peak_rss_bytes() -> int | None:
    """The most that was ever in use, or None where that is not known (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def format_bytes(size: int) -> str:
    """213 MB, 1.4 GB; of what is less than a megabyte, 12 kB or 196 B."""
    if 0 < size < 1e6:
        return f"{size / 1e3:.3g} kB" if size >= 1e3 else f"{size} B"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_memory(system: Path = Path("/")) -> float:
    """Bytes that this machine, or the container this is in, has left; infinity where that is not known."""
    left = [
        _free_on_machine(system / "proc/meminfo"),
        *(_free_in_cgroup(system / "sys/fs/cgroup", *pair) for pair in CGROUPS),
    ]
    return min(left)


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


def _free_in_cgroup(group: Path, most: str, used: str) -> float:
    try:
        return max(0.0, float((group / most).read_text()) - float((group / used).read_text()))
    except (OSError, ValueError):  # also where it says max
        return float("inf")
