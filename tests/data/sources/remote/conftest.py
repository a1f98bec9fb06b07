from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nncli.data.sources.remote import remote_file as retries
from tests.data.sources.remote.web_server import Site, web_server


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on loopback."""
    with web_server() as site:
        yield site


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another at once."""
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.005)


class Clock:
    """A clock that only waits for attempts move, at once: on a busy machine an attempt may take long."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of patience become hundredths, of which only the waits between attempts count."""
    monkeypatch.setattr(retries, "time", Clock())
    monkeypatch.setattr(retries, "SECONDS", 0.3)
    monkeypatch.setattr(retries, "SECONDS_TO_CONNECT", 0.05)
    monkeypatch.setattr(retries, "SECONDS_OF_SILENCE", 0.2)
