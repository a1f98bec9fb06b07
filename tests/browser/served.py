"""Servers of small runs, and their pages in a real Chromium."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.cli.support import start

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (360, 768, 1280)
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
            if found := re.search(rb"http://\S+", line):
                yield Server(found[0].decode().rstrip("/") + "/", process)
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
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-US")
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert [text for text in said if not (refusals and REFUSED.match(text))] == []
    origin = "/".join(url.split("/")[:3])
    assert [url for url in asked if not url.startswith((f"{origin}/", f"blob:{origin}/"))] == []


def enter(page: Page, column: str, cell: str) -> None:
    """Write a cell into the field of a column, or choose it from the menu."""
    field = page.get_by_label(column, exact=True)
    if field.evaluate("one => one.tagName") == "SELECT":
        field.select_option(label=cell)
    else:
        field.fill(cell)


def predict(page: Page) -> None:
    """Press the button, and wait for the answer."""
    page.get_by_role("button", name="Predict", exact=True).click()
    answered(page)


def answered(page: Page) -> None:
    """Wait for the answer."""
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")


def exact(page: Page) -> dict[str, str]:
    """The columns of the prediction that is shown."""
    texts: Sequence[str] = page.locator("#outputs").evaluate("list => [...list.children].map((one) => one.textContent)")
    return dict(zip(texts[::2], texts[1::2], strict=True))
