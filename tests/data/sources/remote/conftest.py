from __future__ import annotations

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


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of patience become hundredths."""
    monkeypatch.setattr(retries, "SECONDS", 0.3)
    monkeypatch.setattr(retries, "SECONDS_TO_CONNECT", 0.05)
    monkeypatch.setattr(retries, "SECONDS_OF_SILENCE", 0.2)
