"""The standard streams of a process whose writes are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.support import ROOT

LENGTH = 1_000_000
CODE = f"""
import signal, sys
from nncli.cli.console import prepare_standard_streams
prepare_standard_streams()
signal.signal(signal.SIGUSR1, lambda *_: None)
print("x" * {LENGTH}, file=sys.STREAM)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_write_that_signals_interrupt_is_whole(name: str, unbuffered: str) -> None:
    """A pipe takes 64 kB; a signal makes the operating system return from the rest of the write."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.replace("STREAM", name)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE if name == "stdout" else None,
        stderr=subprocess.PIPE if name == "stderr" else None,
    )
    stream = getattr(process, name)
    try:
        data = stream.read(1)  # now the process writes, and waits for its reader
        for _ in range(3):
            time.sleep(0.1)
            process.send_signal(signal.SIGUSR1)
        data += stream.read()
    finally:
        stream.close()
        assert process.wait(60) == 0
    assert data == b"x" * LENGTH + b"\n"
