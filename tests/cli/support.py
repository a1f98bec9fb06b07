"""The command line as a person meets it: as a process of its own, or, faster, within this one."""

from __future__ import annotations

import io
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

from nncli.cli.app import main

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
CONFIGS = ROOT / "configs"
COMMAND = (sys.executable, "-W", "error", "-m", "nncli")
SECONDS = 60
SWITCHES = ("NNCLI_DEBUG", "NO_COLOR")
"""Variables that an option sets."""
PERSON = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "CI": "", "NO_COLOR": "", "CLICOLOR": ""}
"""What the environment says where a person is at a terminal, whatever that of the tests is."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def check(self, code: int = 0) -> Outcome:
        """This outcome, once it is known to have the exit code and to show no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.err, self
        assert "internal error" not in self.err, self
        return self

    @property
    def path(self) -> Path:
        """The one line on stdout."""
        (line,) = self.out.splitlines()
        return Path(line)


class Process(subprocess.Popen[bytes]):
    """A process that is killed if the test fails: its block would wait for it otherwise."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


def start(*words: object, cwd: Path | None = None, env: Mapping[str, str] = {}) -> Process:
    """Begin a command whose input and output are pipes."""
    return Process(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(*words: object, stdin: bytes = b"", cwd: Path | None = None, env: Mapping[str, str] = {}) -> Outcome:
    """Run a command as a process of its own."""
    with start(*words, cwd=cwd, env=env) as process:
        out, err = process.communicate(stdin, timeout=SECONDS)
    return Outcome(process.returncode, out.decode(), err.decode())


def call(monkeypatch: pytest.MonkeyPatch, *words: object, stdin: bytes = b"") -> Outcome:
    """Run a command within this process, through the same door as the real one."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    interrupt = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr("sys.argv", ["nncli", *map(str, words)])
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        for switch in SWITCHES:
            patch.delenv(switch, raising=False)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            signal.signal(signal.SIGINT, interrupt)
            for switch in SWITCHES:
                os.environ.pop(switch, None)
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@dataclass(frozen=True)
class Cli:
    """`call` with the test's own monkeypatch; a command's words in, its outcome out."""

    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *words: object, stdin: bytes = b"") -> Outcome:
        return call(self.monkeypatch, *words, stdin=stdin)


def wait_for_epochs(process: subprocess.Popen[bytes]) -> bytes:
    """Read stderr until the training is under way."""
    assert process.stderr
    seen = b""
    while b"epoch 1/" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    return seen


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """The seconds of processor time that a process has taken, where /proc tells them."""
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, float]:
    """What a process prints to its end, and the seconds it takes: of processor time, where a busy machine adds none."""
    has_proc = Path(f"/proc/{process.pid}/stat").exists()
    asked, others = time.monotonic(), os.times()
    before = cpu_seconds(process) if has_proc else 0.0
    out, err = process.communicate(timeout=SECONDS)
    if not has_proc:
        return out, err, time.monotonic() - asked
    every = os.times()
    whole = every.children_user + every.children_system - others.children_user - others.children_system
    return out, err, whole - before


def wait_until_idle(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has done nothing for half a second: it waits for its input, on a busy machine too."""
    if not Path(f"/proc/{process.pid}/stat").exists():
        time.sleep(3.0)
        return
    worked, before = 0.0, -1.0
    while worked == 0.0 or worked != before:
        before = worked
        time.sleep(0.5)
        worked = cpu_seconds(process)


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def with_own_terminal(*command: str) -> list[str]:
    """A command whose standard input becomes its controlling terminal, in a process with `start_new_session`.

    It is done after the fork and the start of a program: Python code between the two can wait for ever for a lock that
    another thread held at the fork.
    """
    return [sys.executable, "-S", "-c", TAKE_TERMINAL, *command]


def on_terminal(
    *words: object, cwd: Path, env: Mapping[str, str] = {}, typed: bytes = b"", columns: int = 100, lines: int = 24
) -> tuple[int, str]:
    """Run a command on a terminal of its own; `typed` is typed once it has shown something."""
    pty = pytest.importorskip("pty")
    import fcntl
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    # a terminal's size is its own, whatever the variables say that some test runners set
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}

    process = subprocess.Popen(
        with_own_terminal(*COMMAND, *map(str, words)),
        cwd=cwd,
        env={**inherited, **PERSON, "PYTHONPATH": str(ROOT), **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen, end = b"", time.monotonic() + SECONDS
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.05)[0]:
            try:
                seen += os.read(ours, 65_536)
            except OSError:  # the terminal is closed: the process has ended
                break
        if typed and seen:
            time.sleep(0.3)
            os.write(ours, typed)
            typed = b""
    os.close(ours)
    if time.monotonic() >= end:
        process.kill()
    # the terminal echoes what is typed where it comes, also between two bytes of one character
    return process.wait(), seen.decode(errors="replace")
