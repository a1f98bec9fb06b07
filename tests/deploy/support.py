"""What the tests of deploy/ share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from tests.cli.support import ROOT

DEPLOY = ROOT / "deploy"
SECONDS = 60.0
PACKAGES = {"systemd-analyze": "systemd", "unshare": "util-linux", "promtool": "prometheus", "nginx": "nginx-light"}
"""The packages of Debian and Ubuntu that have a program."""


def program(name: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    result = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if result is None:
        hint = f"apt-get install {PACKAGES[name]}" if name in PACKAGES else f"pip install {name}-bin"
        pytest.skip(f"{name} is not installed: {hint}")
    return result


def run(command: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program, which must end with 0."""
    done = subprocess.run(  # type: ignore[call-overload]
        [str(word) for word in command], capture_output=True, text=True, timeout=SECONDS, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done  # type: ignore[no-any-return]


def check_options(words: Sequence[str]) -> None:
    """Check that `nncli serve` has all options of a command line."""
    text = run([sys.executable, "-m", "nncli", "serve", "--help"], cwd=ROOT).stdout
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", text))


@contextmanager
def started(command: Sequence[str | Path], **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command that ends in `nncli serve`; yield the process and the URL that it listens at, and end it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    process = subprocess.Popen(
        [str(word) for word in command], cwd="/", env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = Timer(SECONDS, process.kill)
    deadline.start()
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "listening on " in line:
                break
        else:
            pytest.fail("".join(lines))
        deadline.cancel()
        yield process, lines[-1].rpartition("listening on ")[2].strip()
    finally:
        deadline.cancel()
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def child_of(process: subprocess.Popen[str]) -> int:
    """The process that `unshare --fork` has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def unshare(*options: str) -> list[str]:
    """A command that runs another one in namespaces of its own; the test is skipped where that is not allowed."""
    command = [program("unshare"), "--map-root-user", *options]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let a user make namespaces")
    return command
