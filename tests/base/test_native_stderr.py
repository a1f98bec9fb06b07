from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from nncli.base.native_stderr import panics_of
from tests.cli.support import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are redirected on POSIX alone")

BEGIN = """
import os, sys, threading
from nncli.cli.console import prepare_standard_streams
from nncli.base.native_stderr import native_text_to, without_panics
prepare_standard_streams()
panic = b"thread '<unnamed>' (12) panicked at src/a.rs:3:5:\\nthe cell is 'x'\\n"
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGIN + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_panic_is_found_with_or_without_the_number_of_its_thread() -> None:
    assert panics_of("\nthread 'a b' panicked at src/a.rs:3:5:\nwhy\n") == ["src/a.rs:3:5"]
    assert panics_of("thread '<unnamed>' (12) panicked at src/a.rs:3:5:\nwhy\nnote: no\n") == ["src/a.rs:3:5"]
    assert panics_of("a warning\n") == []


@pytest.mark.slow
def test_a_panic_is_kept_off_stderr_and_other_text_is_not() -> None:
    assert ran("with without_panics(): os.write(2, panic)").stderr == ""
    assert ran("with without_panics(): os.write(2, b'warning\\n')").stderr == "warning\n"
    assert ran("with without_panics(): os.write(2, panic * 10_000)").stderr == ""


def test_what_python_writes_is_written_at_once_and_by_its_own_descriptor() -> None:
    done = ran(
        "with without_panics():\n    print('one', file=sys.stderr)\n    os.write(2, b'two\\n')\n"
        "    print('three', file=sys.stderr)\nos.write(2, b'four\\n')"
    )
    assert done.stderr.split() == ["one", "three", "two", "four"]


def test_blocks_of_several_threads_end_together() -> None:
    done = ran(
        "def work(begun, end):\n"
        "    with without_panics():\n        begun.set()\n        end.wait()\n        os.write(2, panic)\n"
        "events = [(threading.Event(), threading.Event()) for _ in range(2)]\n"
        "threads = [threading.Thread(target=work, args=pair) for pair in events]\n"
        "[thread.start() for thread in threads]\n[begun.wait() for begun, _ in events]\n"
        "for (_, end), thread in zip(events, threads): end.set(); thread.join()\n"
        "os.write(2, b'after\\n')"
    )
    assert (done.returncode, done.stderr) == (0, "after\n")


@pytest.mark.parametrize("block", ["without_panics()", "native_text_to(print)"])
def test_a_crash_in_a_block_is_told(block: str) -> None:
    done = ran(f"with {block}: os.abort()")
    assert done.returncode < 0
    assert "Aborted" in done.stderr


def test_native_text_is_handled_up_to_the_end_of_the_block() -> None:
    done = ran("with native_text_to(lambda text: print(repr(text))): os.write(2, b'one\\n')\nos.write(2, b'two\\n')")
    assert (done.stdout, done.stderr) == ("'one\\n'\n", "two\n")


@pytest.mark.slow
def test_the_command_shows_the_error_of_a_library_once(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.sql(f"COPY (SELECT INTERVAL 1 DAY AS x) TO '{path}' (FORMAT parquet)")  # a type that Polars fails at
    command = [sys.executable, "-m", "nncli", "head", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith(f"nncli: {path}: ")
    assert "panicked" not in done.stderr
