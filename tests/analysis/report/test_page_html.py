"""Pages as HTML: self-contained, without scripts, and with every name escaped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nncli.analysis.report.page import check_html_suffix, inline_svg
from nncli.api.report import ReportFiles
from nncli.base.errors import UsageError
from tests.analysis.report.support import parsed


@pytest.mark.slow
def test_hostile_names_are_text(hostile_report: ReportFiles) -> None:
    result = parsed(hostile_report)
    assert not result.tags & {"script", "img", "i", "b", "iframe"}
    assert "<script>alert(1)</script>" in result.text
    assert "two\\nlines" in result.text
    assert "{{ 7*7 }}" in result.text
    assert "\u202e" not in result.text


@pytest.mark.slow
def test_a_page_loads_nothing_and_runs_nothing(penguins_report: ReportFiles) -> None:
    text = penguins_report.html.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|@import|url\((?!#)|src=|javascript:", text)
    assert re.findall(r'href="(?!#)([^"]*)"', text) == ["data:,"]


def test_an_inline_svg_has_its_own_ids_and_a_name_for_screen_readers() -> None:
    svg = inline_svg('<svg viewBox="0 0 1 1"><path id="p"/><use href="#p"/></svg>', "a", "T <1>", "D")
    assert svg.startswith('<svg role="img" aria-labelledby="a-title" aria-describedby="a-desc"')
    assert 'id="a-p"' in svg
    assert 'href="#a-p"' in svg
    assert '<title id="a-title">T &lt;1&gt;</title>' in svg


@pytest.mark.parametrize(("name", "valid"), [("r.html", True), ("r.HTM", True), ("r.md", False), ("html", False)])
def test_only_html_suffixes_are_accepted(name: str, valid: bool) -> None:
    if valid:
        check_html_suffix(Path(name))
    else:
        with pytest.raises(UsageError):
            check_html_suffix(Path(name))
