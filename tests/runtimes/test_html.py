"""The form of an exported page in a real Chromium: its predictions, accessibility, and hostile names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from nncli.base.web_page import readable_text
from nncli.integrations.html.page import to_html
from nncli.nn.program.inputs import NumberInput, ProgramInput
from nncli.nn.program.program import Program, groups_of, select_outputs
from tests.runtimes.hostile import category_input, program_of, texts
from tests.runtimes.pages import CLASSES, INFO, NUMBERS, PROGRAMS, TYPICAL, opened, predicted
from tests.web_page import SCHEMES, WIDTHS, Scheme, check_accessibility, enter, exact

CHANGES = {"mass": "7000", "price": "$9", "discount": "60", "island": "Torgersen", "shop": "S999"}
CHANGES |= {"day": "2001-01-01", "visit": "2009-01-01T10:30", "comment": "not good, really not good"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_fits_every_width_and_axe_finds_no_violation(
    browser: Browser, tmp_path: Path, pictures: Path, name: str, scheme: Scheme
) -> None:
    with opened(browser, PROGRAMS[name], tmp_path, scheme=scheme) as page:
        for state in ("typical", "changed", "wrong"):
            if state == "changed":
                page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                for column, cell in CHANGES.items():
                    if page.get_by_label(column, exact=True).count():
                        enter(page, column, cell)
            if state == "wrong":
                page.locator("input[type=text]").first.fill("abc")
            page.wait_for_timeout(100)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                page.wait_for_timeout(50)
                page.screenshot(path=pictures / f"{name}-{state}-{width}-{scheme}.png", full_page=width > 400)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            check_accessibility(page)


def test_the_form_starts_at_the_typical_values_and_their_prediction(browser: Browser, tmp_path: Path) -> None:
    wanted = predicted(CLASSES, TYPICAL)
    with opened(browser, CLASSES, tmp_path) as page:
        assert exact(page)["prediction"] == wanted["prediction"]
        for label in ("Adelie", "Chinstrap", "Gentoo"):
            assert float(exact(page)[f"proba_{label}"]) == pytest.approx(wanted[label], rel=1e-12)
        expect(page.locator("#status")).to_contain_text(f"Prediction: {wanted['prediction']}, ")


def test_a_changed_cell_changes_the_prediction_and_reset_restores_it(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        start = exact(page)
        for column, cell in CHANGES.items():
            enter(page, column, cell)
        row = {**TYPICAL, **CHANGES, "price": 9.0, "mass": 7000.0, "discount": 60.0, "visit": "2009-01-01 10:30"}
        assert float(exact(page)["prediction"]) == pytest.approx(predicted(NUMBERS, row)["weight"], rel=1e-12)
        assert exact(page)["lower_90"] == exact(page)["upper_90"] == exact(page)["prediction"]
        page.get_by_role("button", name="Reset to typical values").click()
        page.wait_for_timeout(100)
        assert exact(page) == start


def test_empty_fields_and_their_menu_entries_are_missing_or_unseen(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        for column in TYPICAL:
            enter(page, column, "missing" if column == "island" else "")
        wanted = predicted(NUMBERS, dict.fromkeys(TYPICAL))
        assert float(exact(page)["prediction"]) == pytest.approx(wanted["weight"], rel=1e-12)
        enter(page, "island", "another category")
        wanted = predicted(NUMBERS, {**dict.fromkeys(TYPICAL), "island": "Atlantis"})
        assert float(exact(page)["prediction"]) == pytest.approx(wanted["weight"], rel=1e-12)


@pytest.mark.parametrize("program", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_the_three_largest_effects_are_differences_to_typical_values(
    browser: Browser, tmp_path: Path, program: Program
) -> None:
    row = {**TYPICAL, "mass": 6000.0, "temperature": -10.0, "island": "Biscoe", "shop": "S299", "comment": "good"}
    cells = {"mass": "6000", "temperature": "-10", "island": "Biscoe", "shop": "S299", "comment": "good"}
    wanted = predicted(program, row)
    labels = groups_of(program.outputs).labels
    measure = labels[1] if len(labels) == 2 else wanted.get("prediction", "weight")
    effects = {}
    for name in cells:
        other = predicted(program, {**row, name: TYPICAL[name]})
        effects[name] = wanted[measure] - other[measure]
    with opened(browser, program, tmp_path) as page:
        for column, cell in cells.items():
            enter(page, column, cell)
        expect(page.locator("#effects li")).to_have_count(3)
        shown = page.locator("#effects li bdi:first-child").all_inner_texts()[::1]
        numbers = page.locator("#effects li b").all_inner_texts()
        assert page.locator("#effects .target").all_inner_texts() == [f"probability of {measure}"] * bool(labels)
    largest = sorted(effects, key=lambda name: -abs(effects[name]))[:3]
    assert [name for name in shown if name in effects] == largest
    for name, number in zip(largest, numbers, strict=True):
        size = float(number.removesuffix(" points").replace("−", "-")) / (100.0 if " points" in number else 1.0)
        assert size == pytest.approx(effects[name], rel=0.06)


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "probabilities"])
def test_labels_or_probabilities_alone_are_shown(browser: Browser, tmp_path: Path, labels: bool) -> None:
    program = select_outputs(CLASSES, "class" if labels else "probability")
    wanted = predicted(CLASSES, TYPICAL)["prediction"]
    with opened(browser, program, tmp_path) as page:
        enter(page, "temperature", "9.5")
        assert list(exact(page)) == (["prediction"] if labels else ["proba_Adelie", "proba_Chinstrap", "proba_Gentoo"])
        assert page.inner_text(".value") == wanted
        assert page.locator("#results .bars li").count() == (0 if labels else 3)
        assert page.locator("#explanation").is_visible() == (not labels)


def test_a_bad_cell_has_its_error_beside_it_and_there_is_no_prediction(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        enter(page, "mass", "heavy")
        field = page.get_by_label("mass", exact=True)
        assert field.get_attribute("aria-invalid") == "true"
        described = [page.inner_text(f"#{name}") for name in str(field.get_attribute("aria-describedby")).split()]
        assert described[1].startswith('"heavy" is not a finite number')
        assert not page.locator("#results").is_visible()
        assert "mass" in page.inner_text("#failure")
        assert page.locator("[aria-invalid=true]").count() == 1
        enter(page, "mass", "5,000.5")
        assert field.get_attribute("aria-invalid") == "false"
        assert page.locator("#results").is_visible()
        assert not page.locator("#failure").is_visible()


def test_a_value_outside_the_training_range_has_a_remark(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        remarks = page.locator(".remark:visible")
        assert remarks.count() == 0
        for column, low, inside, high in (
            ("mass", "2699", "2,700.0", "6,300.5"),
            ("price", "$0.1", "$ 0.5", "901"),
            ("temperature", "-20.5", "−20", "42"),
            ("day", "2000-01-01", "2006-01-01", "2020-01-01"),
        ):
            for cell, result in (
                (low, ["Below the training range."]),
                (inside, []),
                (high, ["Above the training range."]),
            ):
                enter(page, column, cell)
                assert remarks.all_inner_texts() == result, (column, cell)
            enter(page, column, inside)
        enter(page, "shop", "S004 ")
        assert remarks.count() == 0
        enter(page, "shop", "S400")
        assert remarks.count() == 1


def test_a_prediction_of_an_unusual_row_has_a_warning_that_names_the_columns(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        assert not page.locator("#notes").is_visible()
        enter(page, "mass", "9000")
        enter(page, "price", "")
        page.locator("select").first.select_option("other")
        assert page.inner_text("#notes").startswith("Unusual: mass, price, island. The model has seen no such row")
        enter(page, "mass", "heavy")
        assert not page.locator("#notes").is_visible()


def test_a_slider_moves_the_number_and_the_number_the_slider(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        slider = page.locator("input[type=range]").first
        slider.evaluate("one => { one.value = one.max; one.dispatchEvent(new Event('input', {bubbles: true})); }")
        assert page.get_by_label("mass", exact=True).input_value() == "6300"
        wanted = predicted(NUMBERS, {**TYPICAL, "mass": 6300.0})
        assert float(exact(page)["prediction"]) == pytest.approx(wanted["weight"], rel=1e-12)
        enter(page, "mass", "2700")
        assert slider.input_value() == "0"


def test_a_column_of_two_numbers_is_chosen_from_a_menu(browser: Browser, tmp_path: Path) -> None:
    program = program_of([NumberInput("x", None, False, 1.0, 2.5, 1.0, is_binary=True)], (), ["y"])
    with opened(browser, replace(program, decimal=","), tmp_path) as page:
        assert page.locator("input[type=range]").count() == 0
        page.get_by_label("x", exact=True).select_option(label="2,5")
        assert float(exact(page)["prediction"]) == pytest.approx(predicted(program, {"x": 2.5})["y"], rel=1e-12)
        page.get_by_label("x", exact=True).select_option(label="missing")
        assert float(exact(page)["prediction"]) == pytest.approx(predicted(program, {"x": None})["y"], rel=1e-12)


def test_a_keyboard_reaches_the_prediction_first_and_no_slider(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the prediction"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "answer"
        page.get_by_label("mass", exact=True).focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "i1"


def test_on_a_phone_the_prediction_stays_in_sight(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, CLASSES, tmp_path, width=360) as page:
        bar = page.locator("#bar")
        bar.wait_for(state="visible")
        assert bar.inner_text().startswith("Prediction: ")
        bar.click()
        bar.wait_for(state="hidden")
        assert page.locator("#results").is_visible()


def test_without_javascript_the_page_says_so_and_lists_the_columns(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(to_html(NUMBERS, INFO).encode())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("noscript p").is_visible()
    assert page.locator("label bdi").all_inner_texts() == [*TYPICAL]
    context.close()


def test_no_other_script_runs_and_nothing_is_loaded(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(to_html(NUMBERS, INFO).encode())
    context = browser.new_context()
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("""() => {
      document.body.insertAdjacentHTML("beforeend", "<button id=bad onclick='window.ran = 1'>")
      const script = document.createElement("script");
      script.textContent = "window.ran = 1";
      document.body.append(script);
      document.getElementById("bad").click();
    }""")
    fails = "fetch('https://example.org/').then(() => 'loaded', () => 'refused')"
    assert page.evaluate(fails) == "refused"
    assert page.evaluate("window.ran") is None
    assert asked == [file.as_uri()]
    context.close()


def test_twenty_thousand_hostile_names_and_labels_are_text_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    hostile = texts(20_000)
    for start in range(0, len(hostile), 2500):
        some_labels = hostile[start : start + 2500]
        names, menu, listed, labels = some_labels[:300], some_labels[300:340], some_labels[340:1500], some_labels[1500:]
        columns: list[ProgramInput] = [NumberInput(name, name, False, 0.0, 2.0, 1.0) for name in names]
        columns += [category_input(f"menu of {names[0]}", menu), category_input(f"list of {names[1]}", listed)]
        program = program_of(columns, labels, [names[2]])
        with opened(browser, program, tmp_path) as page:
            assert page.evaluate("nncli.inputs.map((column) => column.name)") == [column.name for column in columns]
            assert page.evaluate("nncli.inputs.at(-2).categories") == menu
            assert page.evaluate("nncli.inputs.at(-1).categories") == listed
            assert page.evaluate("nncli.model.labels") == labels
            shown = "list => list.map((one) => one.textContent)"
            assert page.locator("label bdi").evaluate_all(shown) == [readable_text(column.name) for column in columns]
            assert page.locator("select option").evaluate_all(shown)[:-2] == [*map(readable_text, menu)]
            assert page.locator("datalist option").evaluate_all("list => list.map((one) => one.value)") == [
                *map(readable_text, listed)
            ]
            assert sorted(page.locator("#results .bars bdi").evaluate_all(shown)) == sorted(map(readable_text, labels))
            count = "(name) => document.querySelectorAll(name).length"
            tags = ("script", "style", "img", "iframe", "form", "main")
            assert [page.evaluate(count, tag) for tag in tags] == [1, 1, 0, 0, 1, 1]
            assert page.evaluate("document.title") == f"Prediction of {readable_text(names[2])}".strip()
            page.locator("select").select_option(label=readable_text(menu[5]))
            page.locator("input[list]").fill(readable_text(listed[7]))
            row = {column.name: 1.0 for column in columns} | {columns[-2].name: menu[5], columns[-1].name: listed[7]}
            wanted = predicted(program, row)
            assert page.locator(".value bdi").evaluate("one => one.textContent") == readable_text(wanted["prediction"])
