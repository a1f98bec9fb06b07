from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nncli.exporters.runtimes.process import ExportedFileError, run_program


def test_a_program_reads_stdin_in_its_folder(tmp_path: Path) -> None:
    program = "import os, sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + os.getcwd().encode())"
    answer = run_program([sys.executable, "-c", program], stdin=b"\x00 in ", folder=tmp_path)
    assert answer == b"\x00 in " + str(tmp_path.resolve()).encode()


def test_the_message_of_a_program_that_fails_is_shown() -> None:
    with pytest.raises(ExportedFileError, match=r"ended with code 3:\n    no such thing$"):
        run_program([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


def test_a_program_that_is_not_there_or_takes_too_long_is_an_error() -> None:
    with pytest.raises(ExportedFileError, match="did not start: No such file"):
        run_program(["/nowhere/node"])
    with pytest.raises(ExportedFileError, match=r"took more than 0\.1 seconds"):
        run_program([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.1)
