"""What libraries in other languages write to the descriptor of stderr.

Polars and calamine print a message about an error of their own before they raise it as an exception, whose message is
then shown, too. A command gives sys.stderr a descriptor of its own first (nncli/cli/console.py), so that the
other can be redirected without any effect on what Python writes.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from select import select
from threading import Lock, Thread

DESCRIPTOR = 2
PIECE = 1 << 16
MAX_TEXT = 1 << 20
SECONDS_OF_SILENCE = 0.1
"""After which a text is whole."""
SECONDS_TO_END = 1.0
PANIC = re.compile(r"^thread '[^\n']*' (?:\(\d+\) )?panicked at ([^\n]*):$", re.MULTILINE)


def python_descriptor() -> int:
    """The descriptor of sys.stderr."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # it is closed, or no file
        return DESCRIPTOR


def panics_of(text: str) -> list[str]:
    """The places in the source code of a library at which it failed, if a text is its message about that."""
    return PANIC.findall(text)


def _can_redirect() -> bool:
    return os.name == "posix" and python_descriptor() != DESCRIPTOR


@contextmanager
def _redirected(target: int) -> Iterator[int]:
    """Redirect the descriptor of stderr within the block, and yield one of what it was before.

    A crash is described there by faulthandler: what a library writes as it ends the process may be lost.
    """
    before = os.dup(DESCRIPTOR)
    try:
        os.dup2(target, DESCRIPTOR)
        is_enabled = faulthandler.is_enabled()
        faulthandler.enable(before)
        try:
            yield before
        finally:
            os.dup2(before, DESCRIPTOR)
            faulthandler.disable()
            if is_enabled:
                faulthandler.enable(DESCRIPTOR)
    finally:
        os.close(before)


_lock = Lock()
_users = 0
"""The blocks that redirect the descriptor at present."""
_held = ExitStack()


@contextmanager
def without_panics() -> Iterator[None]:
    """Keep the messages about panics in the block off stderr; they are raised as exceptions.

    Other text is written at the end of the block, or of all such blocks that run on several threads at a time.
    """
    if not _can_redirect():
        yield
        return
    _begin(_holding_back())
    try:
        yield
    finally:
        _end()


@contextmanager
def native_text_to(handle: Callable[[str], None]) -> Iterator[None]:
    """Give what libraries write to stderr in the block to `handle`, on a thread of its own, instead."""
    if not _can_redirect():
        yield
        return
    _begin(_handling(handle))
    try:
        yield
    finally:
        _end()


def _begin(redirection: AbstractContextManager[None]) -> None:
    """Redirect the descriptor, unless another block does."""
    global _users
    with _lock:
        if _users == 0:
            _held.enter_context(redirection)
        _users += 1


def _end() -> None:
    """End the redirection if no other block needs it."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _held.close()


@contextmanager
def _holding_back() -> Iterator[None]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)  # what does not fit is dropped
    try:
        with _redirected(writer):
            yield
        with suppress(OSError):  # there is nothing, or it cannot be written
            text = os.read(reader, PIECE)
            if not panics_of(text.decode(errors="replace")):
                os.write(DESCRIPTOR, text)
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def _handling(handle: Callable[[str], None]) -> Iterator[None]:
    def work() -> None:
        while piece := os.read(reader, PIECE):
            text = piece
            # A backtrace comes word by word.
            while piece and len(text) < MAX_TEXT and select([reader], [], [], SECONDS_OF_SILENCE)[0]:
                text += (piece := os.read(reader, PIECE))
            handle(text.decode(errors="replace"))
        os.close(reader)

    reader, writer = os.pipe()
    thread = Thread(target=work, name="nncli native stderr", daemon=True)
    try:
        with _redirected(writer):
            thread.start()
            yield
    finally:
        os.close(writer)
    thread.join(SECONDS_TO_END)  # a child process that lives on may have the other end
