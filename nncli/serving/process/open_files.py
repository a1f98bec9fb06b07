"""How many files, sockets among them, the process may have open."""

from __future__ import annotations

MAX_FILES = 8192
"""More are not needed for the most connections of a server."""


def raise_limit_of_open_files() -> None:
    """Raise the soft limit of the process, as far as its hard limit allows."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit_of_open_files() -> int | None:
    """The soft limit of the process; None if there is not any."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
