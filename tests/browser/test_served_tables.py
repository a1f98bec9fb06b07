"""CSV files that a served page predicts, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.analysis.report.support import hostile_table
from tests.browser.served import Server, opened, serving
from tests.cli.support import run
from tests.serving.trained import table_of
from tests.web_page import WIDTHS


def downloaded(page: Page, path: Path) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the predictions").click()
    download.value.save_as(path)
    return path.read_bytes()


def drop(page: Page, file: Path) -> None:
    """Drop a file on the page."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const all = new DataTransfer(); all.items.add(new File([text], name)); return all; }",
        [file.name, file.read_text()],
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", kind, {"dataTransfer": transfer})


@pytest.mark.parametrize("width", WIDTHS)
def test_a_dropped_file_is_answered_with_the_bytes_of_nncli_predict(
    browser: Browser, server: Server, served_runs: dict[str, Path], tmp_path: Path, pictures: Path, width: int
) -> None:
    table_of(5).write_csv(tmp_path / "rows.csv")
    wanted = run("predict", served_runs["number"], tmp_path / "rows.csv").out.encode()
    with opened(browser, server.url, width=width) as page:
        drop(page, tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("120 rows are predicted.")
        assert downloaded(page, tmp_path / "answer.csv") == wanted
        assert page.locator("#preview tbody tr").count() == 10
        assert page.locator("#preview td").first.inner_text() == wanted.split(b"\n")[1].decode().strip()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"served-table-{width}.png", full_page=True)


def test_a_file_with_cells_unlike_all_training_rows_has_notes(browser: Browser, server: Server, tmp_path: Path) -> None:
    rows = table_of(5).head(3)
    rows.write_csv(tmp_path / "rows.csv")
    rows.with_columns(color=pl.lit("ultraviolet")).write_csv(tmp_path / "unseen.csv")
    with opened(browser, server.url) as page:
        page.set_input_files("#file", tmp_path / "unseen.csv")
        expect(page.locator("#table-notes")).to_contain_text("'color': 3")
        expect(page.locator("#progress")).to_have_text("3 rows are predicted.")
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#table-notes")).to_be_hidden()


def test_columns_can_be_added_to_the_answer(
    browser: Browser, server: Server, served_runs: dict[str, Path], tmp_path: Path, pictures: Path
) -> None:
    table_of(5).head(7).write_csv(tmp_path / "rows.csv")
    wanted = run(
        "predict", served_runs["many"], tmp_path / "rows.csv", "--proba", "--prediction-set", "0.9"
    ).out.encode()
    with opened(browser, f"{server.url}models/many/", width=360) as page:
        page.get_by_label("probabilities").check()
        page.get_by_label("90 % prediction set").check()
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("7 rows are predicted.")
        assert downloaded(page, tmp_path / "answer.csv") == wanted
        page.get_by_label("effect of each column").check()
        expect(page.locator("#preview thead th")).to_have_count(1 + 1 + 5 + 1 + 9)
        answer = pl.read_csv(downloaded(page, tmp_path / "answer.csv"))
        assert next(name for name in answer.columns if name.startswith("effect_")) == "effect_x"
        page.screenshot(path=pictures / "served-table-columns-360.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.locator("#preview").focus()
        page.keyboard.press("ArrowRight")


def test_hostile_names_and_cells_are_answered(
    browser: Browser, server: Server, served_runs: dict[str, Path], tmp_path: Path
) -> None:
    hostile_table(tmp_path / "rows.csv", 20)
    wanted = run("predict", served_runs["hostile"], tmp_path / "rows.csv").out.encode()
    with opened(browser, f"{server.url}models/hostile/") as page:
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_have_text("20 rows are predicted.")
        assert downloaded(page, tmp_path / "answer.csv") == wanted
        assert page.evaluate("document.querySelectorAll('img, main script, #preview b').length") == 0


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("x,rate\n1,2\n", ["count"]),
        ("", ["This file cannot be predicted."]),
    ],
)
def test_a_file_that_is_no_table_of_the_model_is_refused(
    browser: Browser, server: Server, tmp_path: Path, content: str, parts: list[str]
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    with opened(browser, server.url, refusals=True) as page:
        page.set_input_files("#file", tmp_path / "rows.csv")
        for part in parts:
            expect(page.locator("#progress")).to_contain_text(part)
        assert not page.locator("#download").is_visible()


def test_an_error_names_the_row_and_the_column(browser: Browser, server: Server, tmp_path: Path) -> None:
    cells = table_of(5).head(9).with_columns(count=pl.Series(["1", "2", "many", *"345678"]))
    cells.write_csv(tmp_path / "rows.csv")
    with opened(browser, server.url, refusals=True) as page:
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_contain_text("Row 3, column “count”: ")
        cells.with_columns(count=pl.lit("7")).write_csv(tmp_path / "others.csv")
        page.set_input_files("#file", tmp_path / "others.csv")
        expect(page.locator("#progress")).to_have_text("9 rows are predicted.")


def test_a_file_beyond_the_limits_is_refused_with_them(
    browser: Browser, served_runs: dict[str, Path], tmp_path: Path
) -> None:
    table_of(5).write_csv(tmp_path / "rows.csv")
    limits = ("--max-body", "20KB", "--max-rows", 100)
    with (
        serving({"number": served_runs["number"]}, *limits) as server,
        opened(browser, server.url, refusals=True) as page,
    ):
        page.set_input_files("#file", tmp_path / "rows.csv")
        expect(page.locator("#progress")).to_contain_text("100")
        table_of(5).vstack(table_of(6)).vstack(table_of(7)).write_csv(tmp_path / "more.csv")
        page.set_input_files("#file", tmp_path / "more.csv")
        expect(page.locator("#progress")).to_contain_text("0.02 MB")
