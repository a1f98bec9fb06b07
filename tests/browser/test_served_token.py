"""The page of a server that needs a token, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.served import Server, opened, predict, serving
from tests.serving.trained import table_of
from tests.web_page import SCHEMES, WIDTHS, Scheme, check_accessibility, exact

TOKEN = "a-token-of-32-letters-and-digits"


@pytest.fixture(scope="module")
def protected(served_runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token."""
    path = tmp_path_factory.mktemp("token") / "token"
    path.touch(0o600)
    path.write_text(TOKEN)
    with serving({"many": served_runs["many"], "number": served_runs["number"]}, "--token-file", path) as server:
        yield server


def give_token(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_that_asks_for_the_token_is_accessible(
    browser: Browser, protected: Server, pictures: Path, scheme: Scheme
) -> None:
    with opened(browser, protected.url, scheme=scheme, refusals=True) as page:
        for state in ("asked", "refused"):
            if state == "refused":
                give_token(page, "another token")
                expect(page.locator("#token-remark")).to_be_visible()
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 700})
                page.screenshot(path=pictures / f"served-token-{state}-{width}-{scheme}.png")
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            check_accessibility(page)


def test_the_token_opens_the_page_and_is_sent_with_every_request(
    browser: Browser, protected: Server, tmp_path: Path
) -> None:
    table_of(5).head(3).write_csv(tmp_path / "rows.csv")
    with opened(browser, protected.url, refusals=True) as page:
        assert "many" not in page.inner_text("body")
        for wrong in ("wrong-token-wrong-token", "schlüssel", ""):
            give_token(page, wrong)
            expect(page.locator("#token-remark")).to_be_visible()
            assert page.get_by_label("Token").get_attribute("aria-invalid") == "true"
        give_token(page, f" {TOKEN} ")
        expect(page).to_have_title("Prediction of many")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        predict(page)
        assert exact(page)["prediction"].startswith("class ")
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("3 rows are predicted.")
        check_accessibility(page)


def test_the_token_opens_the_documentation(browser: Browser, protected: Server, pictures: Path) -> None:
    with opened(browser, f"{protected.url}docs", refusals=True) as page:
        assert "/predict" not in page.inner_text("body")
        give_token(page, "wrong-token-wrong-token")
        expect(page.locator("#token-remark")).to_be_visible()
        give_token(page, TOKEN)
        expect(page).to_have_title("Endpoints and models of this server")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        assert "$TOKEN" in page.locator("pre").first.inner_text()
        assert page.get_by_label("Token").count() == 0
        page.screenshot(path=pictures / "served-token-docs.png")
        check_accessibility(page)


def test_the_token_is_kept_nowhere(browser: Browser, protected: Server) -> None:
    with opened(browser, protected.url, refusals=True) as page:
        give_token(page, TOKEN)
        expect(page).to_have_title("Prediction of many")
        assert TOKEN not in page.content()
        kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        assert TOKEN not in page.evaluate(kept)
        page.reload()
        expect(page.get_by_label("Token")).to_have_value("")


def test_a_token_that_is_no_longer_known_is_said(browser: Browser, protected: Server) -> None:
    with opened(browser, protected.url, refusals=True) as page:
        give_token(page, TOKEN)
        expect(page).to_have_title("Prediction of many")
        page.route("**/predict?*", lambda route: route.fulfill(status=401, body="{}"))
        predict(page)
        assert "token" in page.inner_text("#failure")
