"""A report in a real browser: no requests, no errors, every width, and accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import REPORTS
from tests.web_page import SCHEMES, Scheme, check_accessibility

WIDTHS = (375, 768, 1280, 1920)


@contextmanager
def opened(browser: Browser, file: Path, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
    """The page, whose console must stay empty and which must ask for nothing but itself."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert said == []
    assert asked == [file.as_uri()]


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", REPORTS)
def test_the_page_fits_every_width_and_axe_finds_no_violation(
    browser: Browser, reports: dict[str, Path], pictures: Path, name: str, scheme: Scheme
) -> None:
    with opened(browser, reports[name], scheme=scheme) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        open_all(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_accessibility(page)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_charts_have_the_colors_of_the_page(browser: Browser, reports: dict[str, Path], scheme: Scheme) -> None:
    with opened(browser, reports["classes"], scheme=scheme) as page:
        read = "[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('svg text')).fill]"
        for color in page.evaluate(read):
            brightness = sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))
            assert (brightness > 3 * 128) == (scheme == "dark")


def test_names_are_text_and_nothing_else(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["hostile"]) as page:
        assert page.evaluate("document.querySelectorAll('script, img, iframe, i, b, main [onerror]').length") == 0
        text = page.inner_text("main")
        assert "<script>alert(1)</script>" in text
        assert "{{ 7*7 }}" in text
        assert "\u202e" not in text


def test_a_keyboard_reaches_what_scrolls_and_what_unfolds(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["classes"], 360) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector('details').open")
        open_all(page)
        scrolling = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth)"
        assert page.evaluate(f"{scrolling}.length") > 0
        assert page.evaluate(f"{scrolling}.every(one => one.tabIndex === 0)")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["classes", "numbers", "hostile"])
def test_scores_and_largest_errors_need_no_horizontal_scrolling(
    browser: Browser, reports: dict[str, Path], name: str, width: int
) -> None:
    with opened(browser, reports[name], width) as page:
        boxes = page.locator(".folds")
        assert boxes.count() >= 3
        for i in range(boxes.count()):
            if width < 960 or name != "hostile":  # beside each other, long names may be wider than a page
                assert boxes.nth(i).evaluate("one => one.scrollWidth <= one.clientWidth")
        shown = boxes.first.locator("td").first.evaluate("one => getComputedStyle(one, '::before').content")
        assert (shown == '"model"') == (width < 960)
        assert page.get_by_role("rowheader").count() > 10  # it is a table still to who cannot see it


@pytest.mark.parametrize("name", ["classes", "numbers", "search", "comparison"])
def test_letters_of_pictures_are_readable_on_a_phone(browser: Browser, reports: dict[str, Path], name: str) -> None:
    sizes_and_ends = """[...document.querySelectorAll('figure svg')].flatMap((svg) => {
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      return [...svg.querySelectorAll('text')].map((text) =>
        [parseFloat(getComputedStyle(text).fontSize) * scale, text.getBoundingClientRect().left]);
    })"""
    with opened(browser, reports[name], 375) as page:
        texts = page.evaluate(sizes_and_ends)
        assert len(texts) > 10
        assert min(size for size, _ in texts) >= 10
        assert min(left for _, left in texts) >= 0


def test_captions_fit_the_page_when_their_table_scrolls(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["comparison"], 360) as page:
        ends = page.evaluate(
            "[...document.querySelectorAll('caption span')].map(one => one.getBoundingClientRect().right)"
        )
        assert max(ends) <= 360


def test_headings_come_in_order(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["numbers"]) as page:
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", REPORTS)
def test_it_prints(browser: Browser, reports: dict[str, Path], pictures: Path, name: str) -> None:
    with opened(browser, reports[name]) as page:
        content = page.pdf(path=pictures / f"{name}.pdf", format="A4")
        assert content.startswith(b"%PDF")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 718, "height": 1000})  # A4 between its margins
        assert page.evaluate("document.documentElement.scrollWidth") <= 718
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_contents_stays_in_sight(browser: Browser, reports: dict[str, Path], width: int) -> None:
    with opened(browser, reports["classes"], width) as page:
        page.evaluate("window.scrollTo(0, 2500)")
        top = page.evaluate("document.querySelector('nav ul').getBoundingClientRect().top")
        assert 0 <= top < 40
        page.get_by_role("link", name="Learning curves").click()
        heading = "document.getElementById('learning-curves').getBoundingClientRect().top"
        covered = "document.querySelector('nav').getBoundingClientRect().bottom"
        assert page.evaluate(heading) >= (page.evaluate(covered) if width < 1024 else 0)


@pytest.mark.parametrize("name", ["classes", "members", "numbers", "search", "comparison"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_wide_screens_are_filled_and_the_page_is_short(
    browser: Browser, reports: dict[str, Path], name: str, width: int
) -> None:
    with opened(browser, reports[name], width) as page:
        right = "Math.max(...[...document.querySelectorAll('main .scroll, main figure, main dl')]"
        right += ".map(one => one.getBoundingClientRect().right))"
        assert page.evaluate(right) > 0.9 * width
        assert page.evaluate("document.documentElement.scrollHeight") < 10_000


def test_folded_details_are_printed(browser: Browser, reports: dict[str, Path]) -> None:
    with opened(browser, reports["classes"]) as page:
        height = "document.querySelector('details.part dl').getBoundingClientRect().height"
        assert not page.locator("details.part dl").first.is_visible()
        page.emulate_media(media="print")
        assert page.locator("details.part dl").first.is_visible()
        assert page.evaluate(height) > 50
