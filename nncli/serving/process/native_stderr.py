"""What libraries in other languages write to the descriptor of stderr.

Polars prints a message about an error of its own, which may quote a cell, before it raises the error as an exception. A
command gives sys.stderr a descriptor of its own first (nncli/cli/console.py), so that the other can be redirected
without any effect on what Python writes.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import select
from threading import Thread

DESCRIPTOR = 2
PIECE = 1 << 16
MAX_TEXT = 1 << 20
SECONDS_OF_SILENCE = 0.1
"""After which a text is whole."""
SECONDS_TO_END = 1.0
PANIC = re.compile(r"^thread '[^'\n]*' (?:\(\d+\) )?panicked at ([^\n]*):$", re.MULTILINE)


def python_descriptor() -> int:
    """The descriptor of sys.stderr."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # it is closed, or no file
        return DESCRIPTOR


def panics_of(text: str) -> list[str]:
    """The places in the source code of a library at which it failed, if a text is its message about that."""
    return PANIC.findall(text)


@contextmanager
def native_text_to(handle: Callable[[str], None]) -> Iterator[None]:
    """Give what libraries write to stderr in the block to `handle`, on a thread of its own, instead.

    A crash is described where stderr was: what a library writes as it ends the process may be lost.
    """

    def work() -> None:
        while piece := os.read(reader, PIECE):
            text = piece
            # A backtrace comes word by word.
            while piece and len(text) < MAX_TEXT and select([reader], [], [], SECONDS_OF_SILENCE)[0]:
                text += (piece := os.read(reader, PIECE))
            handle(text.decode(errors="replace"))
        os.close(reader)

    if os.name != "posix" or python_descriptor() == DESCRIPTOR:
        yield
        return
    before, is_enabled = os.dup(DESCRIPTOR), faulthandler.is_enabled()
    reader, writer = os.pipe()
    thread = Thread(target=work, name="nncli native stderr", daemon=True)
    try:
        os.dup2(writer, DESCRIPTOR)
        os.close(writer)
        faulthandler.enable(before)
        thread.start()
        yield
    finally:
        os.dup2(before, DESCRIPTOR)  # closes the last end of the pipe that this process writes to
        faulthandler.disable()
        if is_enabled:
            faulthandler.enable(DESCRIPTOR)
        os.close(before)
    thread.join(SECONDS_TO_END)  # a child process that lives on may have the other end
