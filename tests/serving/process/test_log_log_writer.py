"""Lines are written, and a reader that is stuck holds up nobody."""

from __future__ import annotations

import os
import time
from threading import Semaphore
from types import SimpleNamespace

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


def test_dropped_lines_are_counted_in_a_writer_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    written, begun, allowed = list[str](), Semaphore(0), Semaphore(0)

    def write(descriptor: int, data: bytes) -> int:
        begun.release()
        allowed.acquire()
        written.append(data.decode().strip())
        return len(data)

    monkeypatch.setattr("nncli.serving.process.log.os", SimpleNamespace(write=write))
    writer = LineWriter(0, lambda dropped: f"dropped {dropped}", limit=2)
    writer.write("a")
    begun.acquire()
    for line in ("b", "c", "d", "e"):
        writer.write(line)  # b and c wait
    allowed.release()
    begun.acquire()  # b is written, and there is room for the end
    writer.close(0.01)
    allowed.release(9)
    writer.close()
    assert written == ["a", "b", "c", "dropped 2"]


def test_what_waits_is_written_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with writing_on_a_thread(str):
        for number in range(500):
            write_line(f"line {number}")
    err = capfd.readouterr().err
    assert err.splitlines() == [f"line {number}" for number in range(500)]
