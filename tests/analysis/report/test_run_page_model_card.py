"""The model card: its headings, its scores, and escaped Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from nncli.analysis.report.page import Cell
from nncli.analysis.report.run_page import bullets, plain, table
from nncli.api.report import ReportFiles, report
from tests.analysis.report.support import SMALL, trained_on


def test_the_card_has_the_parts_of_a_model_card(penguins_report: ReportFiles) -> None:
    card = penguins_report.card.read_text("utf-8")
    assert re.findall("^## (.*)$", card, re.MULTILINE) == [
        *("Intended use", "Model and data", "Scores", "Limitations", "Next steps")
    ]
    assert plain(penguins_report.content["summary"]) in card
    assert "| accuracy | " in card
    assert "nncli predict RUN new.csv" in card


def test_the_calibration_error_has_neither_interval_nor_baseline(penguins_report: ReportFiles) -> None:
    (line,) = [line for line in penguins_report.card.read_text().splitlines() if line.startswith("| calibration")]
    assert line.endswith(" | – | – |")


@pytest.mark.slow
def test_hostile_names_are_escaped(hostile_report: ReportFiles) -> None:
    card = hostile_report.card.read_text("utf-8")
    assert "\\<script\\>" in card
    assert "\u202e" not in card
    assert not re.search(r"(?<!\\)<(?!!-- A model card)", card)
    assert "n" * 61 not in card


@pytest.mark.slow
def test_notices_are_in_the_card(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [0.5 * i for i in range(40)], "label": ["a", "b"] * 20})
    files = report(trained_on(tmp_path, frame, "label", SMALL + "validation: 0"))
    assert files.content["notices"][0]["level"] == "error"
    assert "**Error:** " in files.card.read_text()


def test_markdown_is_escaped() -> None:
    assert plain("a|b\n*c*") == r"a\|b \*c\*"
    assert bullets(["a", "b"]) == "- a\n- b"
    assert table(("x", "y"), [(Cell("a"), Cell("1.2k", "1234"))]) == "| x | y |\n| --- | ---: |\n| a | 1234 |"
