"""The memory of a process counts that of its descendants."""

from __future__ import annotations

import sys

import pytest

from timing import run
from tree_memory import tree_mib

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="proportional set sizes are those of Linux")

CHILD = "x = bytearray(60 << 20); import time; time.sleep(0.4)"
PARENT = f"x = bytearray(60 << 20); import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_parent_and_child_are_added_up() -> None:
    assert run(["-c", PARENT], whole_tree=True).mib > 120.0


def test_a_process_that_has_ended_has_none() -> None:
    assert tree_mib(2**22 + 1) == 0.0
