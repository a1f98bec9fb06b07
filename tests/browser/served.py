"""Servers of small runs, and their pages in a real Chromium."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.cli.support import start
from tests.web_page import Scheme, visit

REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""What Chromium writes to its console of every error of a server."""


@dataclass(frozen=True)
class Server:
    """A server that listens at a URL, which ends with a slash."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(runs: dict[str, Path], *options: object) -> Iterator[Server]:
    """A server of runs by name, as a process of its own."""
    process = start("serve", *(f"{path}={name}" for name, path in runs.items()), "--port", 0, *options)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if result := re.search(rb"http://\S+", line):
                yield Server(result[0].decode().rstrip("/") + "/", process)
                break
        else:
            raise AssertionError("the server did not start")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def opened(
    browser: Browser, url: str, *, width: int = 1280, scheme: Scheme = "light", refusals: bool = False
) -> Iterator[Page]:
    """A page of a server, whose console must stay empty, apart from `refusals`, and which must ask for no other one."""
    with visit(browser, url, width=width, scheme=scheme) as visited:
        yield visited.page
    assert [text for text in visited.messages if not (refusals and REFUSED.match(text))] == []
    origin = "/".join(url.split("/")[:3])
    assert [url for url in visited.urls if not url.startswith((f"{origin}/", f"blob:{origin}/"))] == []


def predict(page: Page) -> None:
    """Press the button, and wait for the answer."""
    page.get_by_role("button", name="Predict", exact=True).click()
    answered(page)


def answered(page: Page) -> None:
    """Wait for the answer."""
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
