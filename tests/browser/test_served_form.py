"""The form of a served page in a real Chromium: its predictions, errors, accessibility, and hostile names."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from nncli import predict as predict_table
from nncli.base.web_page import readable_text
from tests.analysis.report.support import HOSTILE, LABELS
from tests.browser.conftest import SERVED
from tests.browser.served import Server, answered, opened, predict
from tests.web_page import SCHEMES, WIDTHS, Scheme, check_accessibility, enter, exact

CELLS = {"x": "9.5", "price": "$3", "color": "red", "day": "2021-05-31", "note": "good, not very warm"}
ROW = {"x": 9.5, "price": "$3", "color": "red", "day": "2021-05-31", "note": "good, not very warm"}


def typical_row(page: Page) -> dict[str, object]:
    """The cells of the form, as its script sends them."""
    with page.expect_request("**/predict?*") as request:
        predict(page)
    (row,) = json.loads(request.value.post_data or "")["rows"]
    return dict(row)


def check(page: Page, width: int, scheme: str, picture: Path) -> None:
    """Take a picture, and see that nothing is cut off."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(50)
    page.screenshot(path=picture.with_name(f"{picture.name}-{width}-{scheme}.png"), full_page=width > 400)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "[...document.querySelectorAll('button, h2, .hint, .remark, #results b, legend, fieldset label')]"
    assert page.evaluate(f"{cut}.filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).length") == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", SERVED)
def test_the_page_fits_every_width_and_axe_finds_no_violation(
    browser: Browser, server: Server, tmp_path: Path, pictures: Path, name: str, scheme: Scheme
) -> None:
    pl.DataFrame({HOSTILE[0] if name == "hostile" else "count": ["many"]}).write_csv(tmp_path / "t.csv")
    with opened(browser, f"{server.url}models/{name}/", scheme=scheme, refusals=True) as page:
        for state in ("typical", "changed", "wrong"):
            if state != "typical":
                page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                for column, cell in CELLS.items() if name != "hostile" else ():
                    enter(page, column, cell)
                page.set_input_files("#file", tmp_path / "t.csv")
                expect(page.locator("#progress")).to_contain_text("This file cannot be predicted.")
            if state == "wrong":
                page.locator("#form input[type=text]").first.fill("abc")
            predict(page)
            for width in WIDTHS:
                check(page, width, scheme, pictures / f"served-{name}-{state}")
            check_accessibility(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_row_is_predicted_with_its_interval_and_what_moved_it(
    browser: Browser, server: Server, served_runs: dict[str, Path], width: int
) -> None:
    with opened(browser, server.url, width=width) as page:
        typical = typical_row(page)
        for column, cell in CELLS.items():
            enter(page, column, cell)
        predict(page)
        row = {**typical, **ROW}
        wanted = predict_table(served_runs["number"], pl.DataFrame([row]), interval=0.9)
        shown = exact(page)
        assert list(shown) == wanted.columns
        assert [float(text) for text in shown.values()] == list(wanted.row(0))
        expect(page.locator("#results dd")).to_be_visible()
        effects = {}
        for column in ROW:
            other = predict_table(served_runs["number"], pl.DataFrame([{**row, column: typical[column]}]))
            effects[column] = wanted["prediction"][0] - other["prediction"][0]
        largest = sorted(effects, key=lambda name: -abs(effects[name]))[:3]
        assert page.locator("#effects li > bdi").all_inner_texts() == largest
        numbers = [
            float(all_inner_text.replace("−", "-"))
            for all_inner_text in page.locator("#effects li b").all_inner_texts()
        ]
        assert numbers == pytest.approx([effects[name] for name in largest], rel=1e-4)
        assert "9.5 instead of" in page.inner_text("#effects")


def test_classes_have_bars_of_probabilities_and_a_set(
    browser: Browser, server: Server, served_runs: dict[str, Path]
) -> None:
    with opened(browser, f"{server.url}models/many/") as page:
        row = typical_row(page)
        wanted = predict_table(served_runs["many"], pl.DataFrame([row]), proba=True, prediction_set=0.9).to_dicts()[0]
        assert page.inner_text("#results .value") == wanted["prediction"]
        assert page.locator("#results .bars li").count() == 5
        assert page.inner_text("#results .bars .chosen bdi") == wanted["prediction"]
        assert page.inner_text("#results dd") == ", ".join(wanted["set_90"])
        assert float(exact(page)["proba_class 1"]) == pytest.approx(wanted["proba_class 1"], rel=1e-6)
        assert "Every column has its typical value" in page.inner_text("#effects")
        enter(page, "x", "5")
        predict(page)
        assert page.locator("#effects li b").inner_text().endswith(" points")


def test_two_targets_have_a_number_an_interval_and_effects_each(browser: Browser, server: Server) -> None:
    with opened(browser, f"{server.url}models/numbers/") as page:
        enter(page, "x", "3")
        predict(page)
        assert page.locator("#results .target").all_inner_texts() == ["y", "z"]
        assert page.locator("#results .interval").count() == 2
        assert page.locator("#effects .target").all_inner_texts() == ["y", "z"]
        assert page.locator("#effects li").count() == 2


def test_a_cell_unlike_all_training_rows_has_a_note_as_long_as_its_prediction_is_shown(
    browser: Browser, server: Server
) -> None:
    with opened(browser, server.url) as page:
        predict(page)
        expect(page.locator("#notes")).to_be_hidden()
        enter(page, "x", "1000000")
        predict(page)
        expect(page.locator("#notes")).to_be_visible()
        assert "x" in page.inner_text("#notes")
        assert page.inner_text("#notes").endswith(".")
        assert page.get_attribute("#notes", "class") == "notice warning"
        assert "interval" in page.inner_text("#notes")
        check_accessibility(page)
        page.get_by_role("button", name="Reset to typical values").click()
        predict(page)
        expect(page.locator("#notes")).to_be_hidden()


def test_an_error_of_the_server_is_beside_the_field_that_it_names(browser: Browser, server: Server) -> None:
    with opened(browser, server.url, refusals=True) as page:
        enter(page, "count", "many")
        predict(page)
        field = page.get_by_label("count", exact=True)
        assert field.get_attribute("aria-invalid") == "true"
        described = [page.inner_text(f"#{name}") for name in str(field.get_attribute("aria-describedby")).split()]
        assert "many" in described[1]
        assert page.locator("[aria-invalid=true]").count() == 1
        assert page.evaluate("document.activeElement.id") == field.get_attribute("id")
        assert "count" in page.inner_text("#failure")
        assert not page.locator("#results").is_visible()
        enter(page, "count", "12")
        assert field.get_attribute("aria-invalid") == "false"
        predict(page)
        assert page.locator("#results").is_visible()
        assert not page.locator("#failure").is_visible()


def test_missing_and_unseen_values_are_accepted(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        for column in ("x", "rate", "price", "day", "note"):
            enter(page, column, "")
        enter(page, "color", "missing")
        enter(page, "size", "another category")
        predict(page)
        assert page.locator("#results").is_visible()
        remarks = page.locator(".remark:visible").all_inner_texts()
        assert len(remarks) == 3  # x and price are complete in the training rows, and the size is unseen


def test_a_prediction_is_marked_once_its_values_have_changed(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        enter(page, "x", "1")
        assert not page.locator("#stale").is_visible()
        predict(page)
        assert not page.locator("#stale").is_visible()
        enter(page, "x", "2")
        assert page.locator("#stale").is_visible()
        predict(page)
        assert not page.locator("#stale").is_visible()
        before = exact(page)
        page.get_by_role("button", name="Reset to typical values").click()
        expect(page.locator("#stale")).to_be_visible()
        predict(page)
        assert exact(page) != before


def test_hostile_names_are_text_and_nothing_else(browser: Browser, server: Server) -> None:
    with opened(browser, f"{server.url}models/hostile/") as page:
        page.get_by_label(readable_text(HOSTILE[0]), exact=True).fill("3")
        page.get_by_label(readable_text(HOSTILE[1]), exact=True).select_option(label=readable_text(LABELS[0]))
        page.get_by_label(readable_text(HOSTILE[5]), exact=True).select_option(label=readable_text(LABELS[3]))
        predict(page)
        assert page.evaluate("document.querySelectorAll('img, iframe, main script, main [onerror]').length") == 0
        text = page.inner_text("body")
        assert "<script>alert(1)</script>" in text
        assert "\u202e" not in text
        assert page.inner_text("#results .value") in [readable_text(label) for label in LABELS]


def test_a_keyboard_is_enough(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the prediction"
        page.get_by_label("x", exact=True).focus()
        page.keyboard.press("Control+A")
        page.keyboard.type("2.5")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "i1"
        page.keyboard.press("Enter")
        answered(page)
        assert float(exact(page)["prediction"])
        expect(page.locator("#status")).to_contain_text("Prediction: ")
        visited = []
        for _ in range(24):
            page.keyboard.press("Tab")
            visited.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert [name for name in visited if name in ("Predict", "file")] == ["Predict", "file"]
        page.get_by_role("button", name="Predict", exact=True).focus()
        page.keyboard.press("Space")
        answered(page)


def test_on_a_phone_the_prediction_stays_in_sight(browser: Browser, server: Server) -> None:
    with opened(browser, server.url, width=360) as page:
        bar = page.locator("#bar")
        assert not bar.is_visible()
        predict(page)
        page.evaluate("window.scrollTo(0, 0)")
        bar.wait_for(state="visible")
        assert bar.inner_text().startswith("Prediction: ")
        enter(page, "x", "1")
        assert bar.inner_text() == "The values have changed since this prediction."
        bar.click()
        bar.wait_for(state="hidden")


def test_the_last_of_several_rows_is_shown(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        for x in range(12):
            enter(page, "x", str(x))
            page.get_by_role("button", name="Predict", exact=True).click()
        answered(page)
        last = exact(page)
        predict(page)
        assert exact(page) == last


def test_models_link_to_each_other(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        page.get_by_role("link", name="many").click()
        expect(page).to_have_title("Prediction of many")
        predict(page)
        page.get_by_role("link", name="number", exact=True).click()
        expect(page).to_have_title("Prediction of y")
