"""Semaphores of the worker pool that are removed even after all processes were killed at once.

A pool of spawned processes has named POSIX semaphores. Python removes them at its end, and its resource tracker if the
process was killed; a SIGKILL of the whole process group ends the tracker too, and they stay until the machine restarts.
So their names say which process made them, and the next training removes those of processes that have ended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = Path("/dev/shm")
NAMESPACE = Path("/proc/self/ns/pid")
"""Containers may share the semaphores and still number their processes differently."""


@contextmanager
def named_semaphores(settings: object) -> Iterator[None]:
    """Give semaphores that are created inside the block a name with the number of this process.

    `settings` are the internal ones of the process; without them the block is left as it is.
    """
    namespace = _namespace()
    if not isinstance(settings, dict) or namespace is None:
        yield
        return
    previous = settings.get("semprefix")
    settings["semprefix"] = f"/nncli-{namespace}-{os.getpid()}"
    try:
        yield
    finally:
        if previous is None:
            del settings["semprefix"]
        else:
            settings["semprefix"] = previous


def remove_abandoned_semaphores(folder: Path = FOLDER) -> None:
    """Remove the semaphores of processes of nncli that have ended."""
    namespace = _namespace()
    if namespace is None:
        return
    for path in folder.glob(f"sem.nncli-{namespace}-*"):
        match = re.match(r"sem\.nncli-[0-9]+-([0-9]+)-", path.name)
        if match and not _is_running(int(match[1])):
            with suppress(OSError):
                path.unlink()


def _namespace() -> int | None:
    """The number of this process's namespace of process numbers; None except on Linux."""
    try:
        return NAMESPACE.stat().st_ino
    except OSError:
        return None


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
