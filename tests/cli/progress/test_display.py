"""The live display on terminals that are resized, and at which Ctrl-C is typed."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nncli.cli.console import STOPPING
from nncli.cli.progress.display import wrapped_height
from tests.cli.support import COMMAND, DATA, PERSON, ROOT, with_own_terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals")


class Screen:
    """A terminal that wraps its lines again when its width changes, as most do."""

    def __init__(self, columns: int) -> None:
        self.columns, self.rows, self.y, self.x = columns, [""], 0, 0
        self._incomplete = ""

    def feed(self, text: str) -> None:
        """Show output: text, line ends, and the sequences that move the cursor and erase lines."""
        text = self._incomplete + text
        cut = re.search(r"\x1b(\[[0-9;?]*)?$", text)
        text, self._incomplete = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
        for control, character in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z])|([^\x1b])", text):
            if control.endswith("A"):
                self.y = max(0, self.y - int(control[2:-1] or 1))
            elif control.endswith("2K"):
                self.rows[self.y] = ""
            elif control == "" and character == "\r":
                self.x = 0
            elif control == "" and character == "\n":
                self._down()
            elif control == "":
                self._put(character)

    def _down(self) -> None:
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append("")

    def _put(self, character: str) -> None:
        if self.x == self.columns:
            self._down()
            self.x = 0
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[: self.x] + character + row[self.x + 1 :]
        self.x += 1

    def resize(self, columns: int) -> None:
        """Wrap every row to the new width; the cursor stays at its character."""
        wrapped: list[str] = []
        for y, row in enumerate(self.rows):
            if y == self.y:
                at = len(wrapped) + max(0, self.x - 1) // columns, self.x - max(0, self.x - 1) // columns * columns
            wrapped += [row[k : k + columns] for k in range(0, max(len(row), 1), columns)]
        self.columns, self.rows, (self.y, self.x) = columns, wrapped, at


def test_lines_that_are_wider_than_the_terminal_are_wrapped() -> None:
    assert wrapped_height([80, 60, 20, 0], 100) == 4
    assert wrapped_height([80, 60, 20, 0], 80) == 4
    assert wrapped_height([80, 60, 20, 0], 40) == 6
    assert wrapped_height([], 40) == 0


def test_xterm_cuts_lines_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTERM_VERSION", "XTerm(390)")
    assert wrapped_height([80, 80], 40) == 2


def test_ctrl_c_neither_shows_nor_discards_anything_until_the_terminal_is_restored() -> None:
    """The kernel drops the output that the terminal has not read, which may be half a drawing, unless NOFLSH is set."""
    pty = pytest.importorskip("pty")
    code = """
import os, sys, termios
from nncli.cli.progress.display import hide_typed_signals
def flags():
    local = termios.tcgetattr(0)[3]
    return bool(local & termios.NOFLSH), bool(local & termios.ECHOCTL)
before = flags()
restore = hide_typed_signals()
during = flags()
restore()
print(before, during, flags() == before, file=sys.stderr)
"""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            with_own_terminal(sys.executable, "-c", code),
            cwd=ROOT,
            stdin=theirs,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            timeout=60,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stderr == "(False, True) (True, False) True\n"


@pytest.mark.parametrize("members", [1, 2])
def test_resizing_and_ctrl_c_leave_no_stale_line(tmp_path: Path, members: int) -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [64, 64]\nbatch_size: 4\nepochs: 100000\n"
        f"members: {members}\n"
    )
    ours, theirs = pty.openpty()

    def size(columns: int) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    size(100)
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        with_own_terminal(*COMMAND, "train", "c.yaml", "-o", "run"),
        cwd=tmp_path,
        env={**inherited, **PERSON, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, seen, decoder = Screen(100), b"", codecs.getincrementaldecoder("utf-8")()

    def read(seconds: float) -> None:
        nonlocal seen
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    data = os.read(ours, 65_536)
                except OSError:
                    return
                seen += data
                screen.feed(decoder.decode(data.replace(b"\x03", b"")))  # the echo, wherever it lands, shows nothing

    def read_drawings(number: int = 2) -> None:
        """Read so many more, and to the end of the last one."""
        end, drawn, quiet = time.monotonic() + 60, seen.count(b"epoch ") + number, False
        while not (quiet and seen.count(b"epoch ") >= drawn) and time.monotonic() < end:
            before = len(seen)
            read(0.1)
            quiet = len(seen) == before

    try:
        end = time.monotonic() + 60
        while b"epoch 1" not in seen and time.monotonic() < end:
            read(0.2)
        read_drawings()
        for columns in (70, 45, 90):
            os.kill(process.pid, signal.SIGSTOP)
            read(0.1)
            size(columns)
            screen.resize(columns)
            os.kill(process.pid, signal.SIGCONT)
            read_drawings()
            assert sum(row.startswith("epoch ") and "/" in row for row in screen.rows) == 1, screen.rows
        os.write(ours, b"\x03")
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            read(0.2)
        read(0.2)
    finally:
        process.kill()
        code = process.wait()
        os.close(ours)
    assert code == 130
    assert sum(row.startswith("epoch ") and "/" in row for row in screen.rows) == 1, screen.rows
    assert sum(row.startswith(STOPPING) for row in screen.rows) == 1, screen.rows
    assert not any("^C" in row for row in screen.rows)
