"""The faults of shim.c, injected into Python's functions, for machines without a C compiler."""

from __future__ import annotations

import io
import os
import signal
import struct
from collections.abc import Callable
from enum import IntFlag
from mmap import mmap
from pathlib import Path
from typing import Any

SHORT, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY = 0, -1, -2, -3
"""What else than an errno may befall a call: to write but half, or a SIGKILL."""


class Calls(IntFlag):
    """Kinds of system call, as shim.c knows them."""

    OPEN = 1
    WRITE = 2
    FSYNC = 4
    RENAME = 8
    MKDIR = 16
    UNLINK = 32
    ALL = 63


def replace_functions(below: str, kinds: Calls, nth: int, action: int, forever: bool, shared: mmap) -> None:
    """Do to this process what shim.c does; the calls counted, and whether one was struck, go to `shared`."""

    def path_of(argument: object) -> str:
        if isinstance(argument, int):
            return str(Path(f"/proc/self/fd/{argument}").readlink())
        return os.fsdecode(argument) if isinstance(argument, str | bytes | os.PathLike) else ""

    def faulty(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if not path_of(arguments[0]).startswith(below):
                return function(*arguments, **named)
            count = struct.unpack("2l", shared[:16])[0] + 1
            strikes = count == nth or (forever and count > nth)
            shared[:16] = struct.pack("2l", count, int(strikes or shared[8]))
            if strikes and action > 0:
                raise OSError(action, os.strerror(action), path_of(arguments[0]))
            if strikes and action == KILL_BEFORE:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **named)
            if strikes and action < KILL_BEFORE:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    places = {
        Calls.OPEN: ((os, "open"), (io, "open")),
        Calls.FSYNC: ((os, "fsync"),),
        Calls.RENAME: ((os, "rename"), (os, "replace")),
        Calls.MKDIR: ((os, "mkdir"),),
        Calls.UNLINK: ((os, "unlink"), (os, "rmdir")),
    }
    for kind, functions in places.items():
        for module, name in functions if kind & kinds else ():
            setattr(module, name, faulty(getattr(module, name)))
