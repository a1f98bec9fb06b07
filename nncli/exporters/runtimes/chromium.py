"""An exported page in a headless Chromium, which Playwright drives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nncli.base.errors import Location
from nncli.exporters.runtimes.node import LABEL_TYPES
from nncli.exporters.runtimes.process import ExportedFileError

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BLOCK_ROWS = 500
"""Rows that are given to the page at a time."""
PREDICT = """([names, rows]) => {
  const answers = nncli.answersOf(rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [names[i], cell]))));
  return [nncli.model.labelType ?? null, [...answers[0].keys()], answers.map((answer) => [...answer.values()])];
}"""


def chromium_path() -> str | None:
    """The system's Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """What has to be installed before a page can be opened; None if nothing."""
    if find_spec("playwright") is None:
        return "pip install 'nncli-train[runtimes]'"
    if chromium_path() is None:
        return "install Chromium or Chrome"
    return None


def run(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The predictions of a page for rows, with the columns that `nncli predict` prints.

    Raises:
        ExportedFileError: the page failed, asked for another file or the network, or refused a row.
    """
    names = rows.columns
    cells = rows.select(_as_text_or_number(column) for column in rows)
    label_type, titles, values = None, list[str](), list[list[Any]]()
    with opened(file) as page:
        for start in range(0, len(cells), BLOCK_ROWS):
            label_type, titles, answers = page.evaluate(PREDICT, [names, cells[start : start + BLOCK_ROWS].rows()])
            values += answers
    columns = [[answer[j] for answer in values] for j in range(len(titles))]
    return pl.DataFrame([_column(title, cells, label_type) for title, cells in zip(titles, columns, strict=True)])


@contextmanager
def opened(file: Path) -> Iterator[Page]:
    """The page in a browser without a network.

    Raises:
        ExportedFileError: the page failed, or asked for anything but itself.
    """
    from playwright.sync_api import Error, sync_playwright

    problems, address = list[str](), file.absolute().as_uri()

    def see(url: str) -> None:
        if url != address:
            problems.append(f"it asks for {url}")

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
            page = browser.new_context(offline=True).new_page()
            page.on("pageerror", lambda error: problems.append(error.message))
            page.on("request", lambda request: see(request.url))
            page.goto(address)
            if not problems:
                yield page
            browser.close()
    except Error as error:
        raise ExportedFileError(f"Chromium: {error.message.partition(chr(10))[0]}") from error
    if problems:
        raise ExportedFileError(f"the page does not work: {problems[0]}", location=Location(source=str(file)))


def _column(title: str, cells: Sequence[Any], label_type: str | None) -> pl.Series:
    """A column of predictions in its own type; an integer that JavaScript cannot hold is text there."""
    if title == "prediction" and label_type == "integer":
        return pl.Series(title, [int(cell) for cell in cells], dtype=LABEL_TYPES[label_type])
    is_label = title == "prediction" and label_type is not None
    return pl.Series(title, cells, dtype=LABEL_TYPES[str(label_type)] if is_label else pl.Float64, strict=False)


def _as_text_or_number(column: pl.Series) -> pl.Series:
    """Cells as a page can have them: dates and times as text, in UTC."""
    if isinstance(column.dtype, pl.Datetime):
        column = column.cast(pl.Datetime("us"))
    return column.cast(pl.String) if column.dtype.is_temporal() else column
