"""The page of a trace in a real browser: its slider, its pictures, no request and no error, and accessibility."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from nncli import trace
from tests.cli.support import DATA
from tests.web_page import SCHEMES, WIDTHS, Scheme, check_accessibility, visit

CONFIGS = DATA.parent / "configs"
PICTURES = {"linear-regression": 6, "xor": 3, "penguins": 1}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("traces")
    for name in PICTURES:
        trace(CONFIGS / f"{name}.yaml", set=["epochs=20"], html=folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in PICTURES}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_the_page_draws_fits_every_width_and_is_accessible(
    browser: Browser, pages: dict[str, Path], pictures: Path, name: str, scheme: Scheme
) -> None:
    address = pages[name].as_uri()
    with visit(browser, address, width=1280, scheme=scheme) as visited:
        page = visited.page
        assert page.locator("svg:visible").count() == PICTURES[name]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=pictures / f"trace-{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_accessibility(page)
        assert visited.messages == []
        assert [url for url in visited.urls if not url.startswith("data:")] == [address]


def test_the_arrow_keys_move_the_step_and_with_it_the_pictures(browser: Browser, pages: dict[str, Path]) -> None:
    with visit(browser, pages["linear-regression"].as_uri(), width=1280, scheme="light") as visited:
        page = visited.page
        page.locator("#step").focus()
        assert page.locator("#where").inner_text().startswith("step 0 of 80,")
        before = page.locator("#network line").first.get_attribute("stroke-width")
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert page.locator("#where").inner_text().startswith("step 10 of 80,")
        page.keyboard.press("End")
        assert page.locator("#where").inner_text().startswith("step 80 of 80,")
        widths = [line.get_attribute("stroke-width") for line in page.locator("#network line").all()]
        assert before not in widths or len(set(widths)) == 2
        assert "difference" in (page.locator("#values .difference").first.get_attribute("class") or "")
