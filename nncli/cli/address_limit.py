"""A limit on a process's addresses (`ulimit -v`), met before the libraries are loaded.

Beneath what they need to start, Polars and OpenBLAS do not raise an error: they end the process, or wait for ever.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from nncli.errors import NncliError

MIB = 1 << 20
LIBRARIES, A_CORE = 480 * MIB, 32 * MIB
"""Addresses that a command on a small table takes up, and what each core adds in threads, stacks and buffers."""
M_ARENA_MAX = -8
"""glibc's mallopt: how many heaps there may be. Each thread's own reserves 64 MiB of addresses."""


def settle_within_limit() -> None:
    """Take up few addresses where they are limited; NncliError where they are too few to start with."""
    limit = _limit()
    if limit is None:
        return
    if sys.platform == "linux":
        import ctypes

        with suppress(AttributeError, OSError):  # another C library has no such heaps
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    needed = LIBRARIES + A_CORE * (os.cpu_count() or 1)
    if limit < needed:
        raise NncliError(
            f"this process may take up {limit // MIB:,} MiB of addresses, and needs {needed // MIB:,} MiB to start",
            hint="Raise the limit (`ulimit -v` in kilobytes, or that of the job).",
        )


def _limit() -> int | None:
    """Bytes of addresses that the process may take up, or None where nothing limits them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
