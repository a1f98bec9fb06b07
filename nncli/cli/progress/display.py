"""A live display that leaves no stale line behind when the terminal is resized or Ctrl-C is typed."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REFRESHES_PER_SECOND = 3
"""A refresh takes about 2 ms, during which no epoch is trained."""
HIDE_CURSOR, SHOW_CURSOR, ERASE_LINE, UP = "\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A"
ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Display:
    """Draws a renderable again and again below what is printed on stderr.

    A state is rendered first, and then written together with the codes that erase the last one. So the terminal is as
    wide as these codes assume, which Rich's Live does not ensure, and printing threads do not mix.
    """

    def __init__(self, renderable: RenderableType, console: Console) -> None:
        self._renderable, self._console, self._stream = renderable, console, console.file
        self._lock, self._stopped = RLock(), Event()
        self._widths: list[int] = []
        self._restore_echo: Callable[[], None] = _nothing
        self._stderr = sys.stderr
        self._thread = Thread(target=self._refresh_repeatedly, daemon=True)

    def start(self) -> None:
        """Start to draw, and print what is written to stderr above the display."""
        self._restore_echo = hide_typed_signals()
        self._stderr, sys.stderr = sys.stderr, _Above(self._stderr, self)
        self._write(HIDE_CURSOR)
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Stop to draw, and leave the last state on the screen."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        with self._lock:
            self.refresh()
            sys.stderr = self._stderr
            self._write(f"\n{SHOW_CURSOR}" if self._widths else SHOW_CURSOR)
        self._restore_echo()

    def refresh(self, above: str = "") -> None:
        """Draw the present state below the text `above`, which ends its line."""
        with self._lock:
            with self._console.capture() as capture:
                self._console.print(self._renderable, end="")
            lines = capture.get().splitlines()[: self._console.height]
            columns = self._console.width
            erase = "\r" + ERASE_LINE + (UP + ERASE_LINE) * (wrapped_height(self._widths, columns) - 1)
            self._widths = [cell_len(ESCAPE_SEQUENCE.sub("", line)) for line in lines]
            self._write(erase + above + "\n".join(lines))

    def _refresh_repeatedly(self) -> None:
        while not self._stopped.wait(1 / REFRESHES_PER_SECOND):
            with self._lock:
                if not self._stopped.is_set():
                    self.refresh()

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class _Above(io.TextIOBase):
    """A stream whose lines are printed above a display."""

    def __init__(self, stream: Any, display: Display) -> None:
        self.rich_proxied_file, self._display = stream, display
        self._lock, self._line = RLock(), ""

    def write(self, text: str) -> int:
        """Print the lines that `text` completes."""
        with self._lock:
            complete, end, self._line = (self._line + text).rpartition("\n")
        if end:
            self._display.refresh(complete + end)
        return len(text)

    def isatty(self) -> bool:
        """Whether the stream beneath is a terminal."""
        return bool(self.rich_proxied_file.isatty())

    def fileno(self) -> int:
        """The descriptor of the stream beneath."""
        return int(self.rich_proxied_file.fileno())


def wrapped_height(widths: Sequence[int], columns: int) -> int:
    """The lines that a terminal of so many columns makes of lines of these widths.

    Terminals wrap what they have shown when they become narrower, except for xterm, which cuts it off.

    >>> wrapped_height([80, 80, 20], 60)
    5
    """
    if "XTERM_VERSION" in os.environ:
        return len(widths)
    return sum(1 + max(0, width - 1) // max(columns, 1) for width in widths)


def hide_typed_signals() -> Callable[[], None]:
    """Keep the terminal from showing `^C` amid the display, and from discarding what is being drawn when it is typed.

    Returns a function that restores the terminal.
    """
    try:
        import termios

        fd = sys.stdin.fileno()
        if not sys.stdin.isatty() or os.tcgetpgrp(fd) != os.getpgrp():  # a job in the background would be stopped
            return _nothing
        before = termios.tcgetattr(fd)
        changed = [*before]
        changed[3] = changed[3] & ~termios.ECHOCTL | termios.NOFLSH
        termios.tcsetattr(fd, termios.TCSANOW, changed)
    except (ImportError, OSError, ValueError, AttributeError):  # Windows, or no terminal
        return _nothing

    def restore() -> None:
        try:
            if os.tcgetpgrp(fd) == os.getpgrp():
                termios.tcsetattr(fd, termios.TCSANOW, before)
        except OSError:  # the terminal is gone
            return

    return restore


def _nothing() -> None:
    """Restore nothing."""
