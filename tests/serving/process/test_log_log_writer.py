"""Lines are written, and a reader that is stuck holds up nobody."""

from __future__ import annotations

import os
import time

import pytest

from nncli.serving.process.log import LineWriter, write_line, writing_on_a_thread


def test_a_reader_that_is_stuck_holds_up_nobody_and_learns_how_many_lines_were_dropped() -> None:
    source, sink = os.pipe()
    writer = LineWriter(sink, lambda dropped: f"dropped {dropped}", limit=10)
    begun = time.monotonic()
    for _ in range(1000):
        writer.write("x" * 999)
    writer.close(0.05)
    assert time.monotonic() - begun < 2
    text = b""
    while b"dropped" not in text:
        text += os.read(source, 1 << 20)
    *lines, last = text.decode().splitlines()
    assert set(lines) == {"x" * 999}
    assert last == f"dropped {1000 - len(lines)}"
    writer.close()
    os.close(sink)
    os.close(source)


def test_what_waits_is_written_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with writing_on_a_thread(str):
        for number in range(500):
            write_line(f"line {number}")
    err = capfd.readouterr().err
    assert err.splitlines() == [f"line {number}" for number in range(500)]
