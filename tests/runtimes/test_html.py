"""The exported page in a real Chromium: its form, its answers, accessibility, and hostile names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from nncli.data.table import Table
from nncli.export.html.fields import readable_text
from nncli.export.html.page import to_html
from nncli.export.model_info import ModelInfo
from nncli.export.read_inputs import read_inputs
from nncli.export.runtimes.chromium import FLAGS, chromium_path
from nncli.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from nncli.program.interpreter import run
from nncli.program.program import Bounds, ClassOutputs, NumberOutputs, Program, select_class_outputs
from tests.runtimes.hostile import category_input, program_of, texts

INFO = ModelInfo("penguins", "ab12" * 16, "1.0")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (360, 768, 1280)
COLUMNS: tuple[ProgramInput, ...] = (
    NumberInput("mass", None, False, 2700.0, 6300.0, 4050.0),
    NumberInput("price", "$", False, 0.5, 900.0, 20.5),
    NumberInput("discount", "%", False, 0.0, 80.0, 12.0),
    NumberInput("temperature", None, False, -20.0, 41.0, 9.25),
    replace(category_input("island", ["Biscoe", "Dream", "Torgersen"]), typical="Dream"),
    replace(category_input("shop", [f"S{i:03}" for i in range(300)]), typical="S003"),
    DateInput("day", ("iso",), 13000.0, 14500.0, 13900.0),
    DateInput("visit", ("iso",), 13000.0, 14500.25, 13900.5),
    TextInput("comment", ("good", "not good", "bad")),
)
TYPICAL = {
    **{"mass": 4050.0, "price": 20.5, "discount": 12.0, "temperature": 9.25, "island": "Dream", "shop": "S003"},
    **{"day": "2008-01-22", "visit": "2008-01-22 12:00", "comment": None},
}
CLASSES = program_of(COLUMNS, ["Adelie", "Chinstrap", "Gentoo"], ["species"])


def with_interval(program: Program) -> Program:
    """The program with its own predictions as bounds, and a second target as a wider one."""
    outputs = program.outputs
    assert isinstance(outputs, NumberOutputs)
    return replace(program, outputs=replace(outputs, bounds=(Bounds(0.9, outputs.values, outputs.values),)))


NUMBERS = with_interval(program_of(COLUMNS, (), ["weight"]))
TARGETS = program_of(COLUMNS[:4], (), ["x", "y"])
MANY_CLASSES = program_of(COLUMNS[:4], [f"class {i}" for i in range(30)], ["kind"])
HOSTILE = program_of(
    [
        *(NumberInput("x" * 200), NumberInput("ab " * 70), NumberInput("</script><script>alert(1)</script>", "€")),
        category_input("עברית مرحبا", ["</option></select>", "\u202eabc", "a\nb", "👩\u200d👧", "w" * 200]),
    ],
    ["</script>", "é" * 200, "שלום"],
    ["</title>"],
)
PROGRAMS = {"classes": CLASSES, "numbers": NUMBERS, "targets": TARGETS, "many": MANY_CLASSES, "hostile": HOSTILE}


def predicted(program: Program, row: Mapping[str, object]) -> dict[str, Any]:
    """The prediction of a row by NumPy, and its probabilities."""
    frame = pl.DataFrame({name: [cell] for name, cell in row.items()})
    values = run(program, read_inputs(program, Table(frame, "rows")))
    outputs = program.outputs
    if isinstance(outputs, ClassOutputs):
        assert outputs.codes is not None
        assert outputs.probabilities is not None
        shares = dict(zip(outputs.labels, values[outputs.probabilities][0].tolist(), strict=True))
        return {"prediction": outputs.labels[int(values[outputs.codes][0, 0])], **shares}
    return dict(zip(outputs.names, values[outputs.values][0].tolist(), strict=True))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(
    browser: Browser, program: Program, folder: Path, *, width: int = 1280, scheme: Scheme = "light"
) -> Iterator[Page]:
    """The page of a program, whose console must stay empty and which must ask for nothing but itself."""
    file = folder / "page.html"
    file.write_bytes(to_html(program, INFO).encode())
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-US")
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("blob:")] == [file.as_uri()]


def exact(page: Page) -> dict[str, str]:
    """The columns of the prediction that is shown."""
    texts = page.locator("#outputs").evaluate("list => [...list.children].map((one) => one.textContent)")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def enter(page: Page, column: str, cell: str) -> None:
    field = page.get_by_label(column, exact=True)
    if field.evaluate("one => one.tagName") == "SELECT":
        field.select_option(label=cell)
    else:
        field.fill(cell)


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
            results = Axe().run(page).response
            assert [(one["id"], one["nodes"][0]["html"][:200]) for one in results["violations"]] == []
            assert len(results["passes"]) > 10


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
    measure = wanted.get("prediction", "weight")
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
    largest = sorted(effects, key=lambda name: -abs(effects[name]))[:3]
    assert [name for name in shown if name in effects] == largest
    for name, number in zip(largest, numbers, strict=True):
        size = float(number.removesuffix(" points").replace("−", "-")) / (100.0 if " points" in number else 1.0)
        assert size == pytest.approx(effects[name], rel=0.06)


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "probabilities"])
def test_labels_or_probabilities_alone_are_shown(browser: Browser, tmp_path: Path, labels: bool) -> None:
    program = select_class_outputs(CLASSES, labels=labels, probabilities=not labels)
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
            for cell, found in (
                (low, ["Below the training range."]),
                (inside, []),
                (high, ["Above the training range."]),
            ):
                enter(page, column, cell)
                assert remarks.all_inner_texts() == found, (column, cell)
            enter(page, column, inside)
        enter(page, "shop", "S004 ")
        assert remarks.count() == 0
        enter(page, "shop", "S400")
        assert remarks.count() == 1


def test_a_slider_moves_the_number_and_the_number_the_slider(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, NUMBERS, tmp_path) as page:
        slider = page.locator("input[type=range]").first
        slider.evaluate("one => { one.value = one.max; one.dispatchEvent(new Event('input', {bubbles: true})); }")
        assert page.get_by_label("mass", exact=True).input_value() == "6300"
        wanted = predicted(NUMBERS, {**TYPICAL, "mass": 6300.0})
        assert float(exact(page)["prediction"]) == pytest.approx(wanted["weight"], rel=1e-12)
        enter(page, "mass", "2700")
        assert slider.input_value() == "0"


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


def test_a_csv_file_is_answered_by_a_csv_file(browser: Browser, tmp_path: Path) -> None:
    rows = [
        TYPICAL | {"mass": 2700.0 + 30.0 * i, "comment": f'not good, "{i}"\nbad', "island": None} for i in range(150)
    ]
    frame = pl.DataFrame(rows).with_columns(discount=pl.lit("12 %"), id=pl.Series([f"r{i}" for i in range(150)]))
    frame.write_csv(tmp_path / "rows.csv")
    with opened(browser, NUMBERS, tmp_path) as page:
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("150 rows are predicted.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the predictions").click()
        assert download.value.suggested_filename == "rows-predictions.csv"
        download.value.save_as(tmp_path / "answer.csv")
    answer = pl.read_csv(tmp_path / "answer.csv")
    assert answer.columns == [*frame.columns, "prediction", "lower_90", "upper_90"]
    assert answer.select(frame.columns).equals(pl.read_csv(tmp_path / "rows.csv"))
    wanted = [predicted(NUMBERS, row)["weight"] for row in rows]
    assert np.allclose(answer["prediction"].to_numpy(), wanted, rtol=1e-12)


def test_a_csv_file_with_decimal_commas_is_answered_in_the_same_way(browser: Browser, tmp_path: Path) -> None:
    program = replace(program_of([NumberInput("x"), NumberInput("y", "€")], (), ["z"]), decimal=",", thousands=".")
    with opened(browser, program, tmp_path) as page:
        content = 'x;y;"a ""b"" c"\r\n-1,5;1.234,56 €;\r\n\r\n;"";"d;e"'
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": content.encode("utf-16")})
        expect(page.locator("#progress")).to_have_text("2 rows are predicted.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the predictions").click()
        download.value.save_as(tmp_path / "answer.csv")
    lines = (tmp_path / "answer.csv").read_bytes().decode("utf-8-sig").split("\r\n")
    assert [line.rpartition(";")[0] for line in lines[:3]] == [*('x;y;"a ""b"" c"', "-1,5;1.234,56 €;", ';"";"d;e"')]
    rows: list[dict[str, object]] = [{"x": -1.5, "y": 1234.56}, {"x": None, "y": None}]
    for line, row in zip(lines[1:], rows, strict=False):
        assert float(line.rpartition(";")[2].replace(",", ".")) == pytest.approx(
            predicted(program, row)["z"], rel=1e-12
        )


def test_an_empty_line_is_a_row_of_a_table_of_one_column(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, program_of([NumberInput("a")], (), ["z"]), tmp_path) as page:
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": b"a\n1\n\n3"})
        expect(page.locator("#progress")).to_have_text("3 rows are predicted.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x;y\n1;2\n", 'row 2, column “y”: "four" is not'),
        ("x\n1\n", "lacks the column “y”"),
        ("", "has no rows"),
        ("x,y\n", "has no rows"),
        ("x,y\n1,2,3\n", "row 1 has 3 cells"),
        ("x,y,x\n1,2,3\n", "“x” occurs twice"),
        ('x,y\n1,"2\n', "does not end"),
        (b"x,y\n\xff,1\n", "not in UTF-8"),
    ],
)
def test_a_csv_file_that_cannot_be_predicted_says_why(
    browser: Browser, tmp_path: Path, text: str | bytes, said: str
) -> None:
    program = program_of([NumberInput("x"), NumberInput("y")], (), ["z"])
    content = text.encode() if isinstance(text, str) else text
    content = content.replace(b"1;2\n", b"1;2\n3;four\n")
    with opened(browser, program, tmp_path) as page:
        page.set_input_files("#file", {"name": "t.csv", "mimeType": "text/csv", "buffer": content})
        expect(page.locator("#progress")).to_contain_text("cannot")
        assert said in page.inner_text("#progress")
        assert not page.locator("#download").is_visible()


def test_twenty_thousand_hostile_names_and_labels_are_text_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    hostile = texts(20_000)
    for start in range(0, len(hostile), 2500):
        own = hostile[start : start + 2500]
        names, menu, listed, labels = own[:300], own[300:340], own[340:1500], own[1500:]
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
