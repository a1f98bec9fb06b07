"""The thread that calls a tracker: nothing that the tracker does reaches the work."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from nncli.tracking.tracker_thread import MAX_REASON, CloseTimeouts, TrackerThread, is_connection_error, reason_of

SHORT = CloseTimeouts(0.2, 0.2, 0.6)


@dataclass
class Items:
    """A receiver that remembers, or fails, or hangs until it is freed."""

    fails_at: int | None = None
    hangs_at: int | None = None
    seconds: float = 0.0
    received: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    freed: threading.Event = field(default_factory=threading.Event)

    def receive(self, item: int) -> None:
        if item == self.fails_at:
            raise ValueError("the server\n said no")
        if item == self.hangs_at:
            self.freed.wait(30)
        time.sleep(self.seconds)
        self.received.append(item)

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.slow
def test_all_items_arrive_in_order() -> None:
    items = Items()
    work: TrackerThread[int] = TrackerThread(lambda: items)
    for i in range(3000):
        work.put(i)
    work.close()
    assert items.received == [*range(3000)]
    assert items.calls[-2:] == ["flush", "close"]
    assert work.failure is None


def test_an_error_ends_the_tracking_and_is_kept() -> None:
    items = Items(fails_at=1)
    work: TrackerThread[int] = TrackerThread(lambda: items)
    for i in range(5):
        work.put(i)
    work.close()
    assert work.failure == "the server said no"
    assert items.calls[-1] == "close"
    work.put(9)
    work.close()
    assert items.received == [0]


def test_an_error_when_it_is_opened_is_one_too() -> None:
    def opened() -> Items:
        raise ImportError("no module")

    work: TrackerThread[int] = TrackerThread(opened)
    work.put(1)
    work.close()
    assert work.failure == "no module"


def test_a_tracker_that_hangs_is_not_waited_for_longer_than_the_timeouts() -> None:
    items = Items(hangs_at=1)
    work: TrackerThread[int] = TrackerThread(lambda: items)
    for i in range(5):
        work.put(i)
    start = time.monotonic()
    work.close(SHORT)
    assert work.failure is not None
    assert 0.15 < time.monotonic() - start < 10
    items.freed.set()


def test_an_opening_that_hangs_is_not_waited_for_either() -> None:
    freed = threading.Event()

    def opened() -> Items:
        freed.wait(30)
        return Items()

    work: TrackerThread[int] = TrackerThread(opened)
    work.close(SHORT)
    assert work.failure is not None
    freed.set()


@pytest.mark.slow
def test_a_slow_tracker_is_waited_for_while_it_answers() -> None:
    items = Items(seconds=0.1)
    work: TrackerThread[int] = TrackerThread(lambda: items)
    for i in range(8):
        work.put(i)
    work.close(CloseTimeouts(5.0, 5.0, 30.0))
    assert work.failure is None
    assert len(items.received) == 8


@pytest.mark.slow
def test_there_is_an_end_to_that() -> None:
    items = Items(seconds=0.1)
    work: TrackerThread[int] = TrackerThread(lambda: items)
    for i in range(40):
        work.put(i)
    work.close(CloseTimeouts(5.0, 5.0, 0.3))
    assert work.failure is not None


def test_items_that_are_handed_over_together_take_one_place() -> None:
    freed = threading.Event()
    items = Items()

    def opened() -> Items:
        freed.wait(30)
        return items

    work: TrackerThread[int] = TrackerThread(opened, max_waiting=10)
    work.put(*range(1000))
    work.put(1000)
    freed.set()
    work.close()
    assert work.failure is None
    assert items.received == [*range(1001)]


def test_a_queue_that_is_full_ends_the_tracking() -> None:
    items = Items(hangs_at=0)
    work: TrackerThread[int] = TrackerThread(lambda: items, max_waiting=10)
    start = time.monotonic()
    for i in range(50):
        work.put(i)
    assert time.monotonic() - start < 5
    assert work.failure is not None
    items.freed.set()


def test_only_errors_of_connections_are_connection_errors() -> None:
    wrapped = RuntimeError("the request failed")
    wrapped.__context__ = ConnectionRefusedError("refused")
    assert is_connection_error(wrapped)
    assert is_connection_error(TimeoutError())
    assert not is_connection_error(ValueError("invalid value"))
    assert not is_connection_error(PermissionError("not writable"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ValueError("a\n  b"), "a b"), (ValueError(), "ValueError"), (OSError(28, "full"), "[Errno 28] full")],
)
def test_a_reason_is_one_line(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_reason_shows_no_login() -> None:
    assert "secret" not in reason_of(ValueError("no answer of https://me:secret@host/api"))


def test_a_long_reason_is_cut() -> None:
    assert len(reason_of(ValueError("x" * 1000))) == MAX_REASON
