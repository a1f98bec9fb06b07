"""The command line as a person meets it: as a process of its own, or, faster, within this one."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nncli.cli.app import main

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
CONFIGS = ROOT / "configs"
COMMAND = (sys.executable, "-W", "error", "-m", "nncli")
SECONDS = 60


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
        assert "should not happen" not in self.err, self
        return self

    @property
    def path(self) -> Path:
        """The one line on stdout."""
        (line,) = self.out.splitlines()
        return Path(line)


def default_interrupt() -> None:
    """In the child: a shell may have told its background jobs to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*words: object, cwd: Path | None = None, env: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
    """Begin a command whose input and output are pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_interrupt if os.name == "posix" else None,
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
        patch.delenv("NNCLI_DEBUG", raising=False)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            signal.signal(signal.SIGINT, interrupt)
            os.environ.pop("NNCLI_DEBUG", None)
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@dataclass(frozen=True)
class Cli:
    """`call` with the test's own monkeypatch; a command's words in, its outcome out."""

    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *words: object, stdin: bytes = b"") -> Outcome:
        return call(self.monkeypatch, *words, stdin=stdin)
