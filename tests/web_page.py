"""Pages in a real Chromium: what they write to the console and load, their forms, and their accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (360, 768, 1280)


@dataclass(frozen=True)
class Visit:
    """A page, the messages and errors of its console, and the URLs that it requests."""

    page: Page
    messages: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)


@contextmanager
def visit(browser: Browser, url: str, *, width: int, scheme: Scheme) -> Iterator[Visit]:
    """A page in a context of its own, which is closed at the end."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-US")
    visited = Visit(context.new_page())
    page = visited.page
    page.on("console", lambda message: visited.messages.append(message.text))
    page.on("pageerror", lambda error: visited.messages.append(str(error)))
    page.on("request", lambda request: visited.urls.append(request.url))
    page.goto(url)
    yield visited
    context.close()


def enter(page: Page, column: str, cell: str) -> None:
    """Write a cell into the field of a column, or choose it from the menu."""
    control = page.get_by_label(column, exact=True)
    if control.evaluate("one => one.tagName") == "SELECT":
        control.select_option(label=cell)
    else:
        control.fill(cell)


def exact(page: Page) -> dict[str, str]:
    """The columns of the prediction that is shown."""
    texts: list[str] = page.locator("#outputs").evaluate("list => [...list.children].map((one) => one.textContent)")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def check_accessibility(page: Page) -> None:
    """Fail if axe finds a violation."""
    results = Axe().run(page).response
    assert [(result["id"], result["nodes"][0]["html"][:200]) for result in results["violations"]] == []
    assert len(results["passes"]) > 10
