from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nncli.serving.process.native_stderr import panics_of
from tests.cli.support import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are redirected on POSIX alone")

BEGIN = """
import os, sys
from nncli.cli.console import prepare_standard_streams
from nncli.serving.process.native_stderr import native_text_to
prepare_standard_streams()
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGIN + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_panic_is_found_with_or_without_the_number_of_its_thread() -> None:
    assert panics_of("\nthread 'a b' panicked at src/a.rs:3:5:\nwhy\n") == ["src/a.rs:3:5"]
    assert panics_of("thread '<unnamed>' (12) panicked at src/a.rs:3:5:\nwhy\nnote: no\n") == ["src/a.rs:3:5"]
    assert panics_of("a warning\n") == []


def test_what_python_writes_goes_to_stderr_in_a_block() -> None:
    done = ran(
        "with native_text_to(lambda text: None):\n    print('one', file=sys.stderr)\n    os.write(2, b'two\\n')\n"
    )
    assert (done.returncode, done.stderr) == (0, "one\n")


def test_a_crash_in_a_block_is_told() -> None:
    done = ran("with native_text_to(print): os.abort()")
    assert done.returncode < 0
    assert "Aborted" in done.stderr


def test_native_text_is_handled_up_to_the_end_of_the_block() -> None:
    done = ran("with native_text_to(lambda text: print(repr(text))): os.write(2, b'one\\n')\nos.write(2, b'two\\n')")
    assert (done.stdout, done.stderr) == ("'one\\n'\n", "two\n")
