"""The runtime of exported modules: its parts, and what is left out."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from nncli.integrations.javascript.module import FOLDER, compact, runtime_source

SOURCES = {path.name: path.read_text("utf-8") for path in (files("nncli.integrations.javascript") / FOLDER).iterdir()}


def test_parts_of_the_runtime_that_no_column_needs_are_left_out() -> None:
    numbers, dates = runtime_source({"number"}), runtime_source({"date", "text"})
    assert ("read.number" in numbers, "read.date" in numbers) == (True, False)
    assert ("read.number" in dates, "read.date" in dates) == (False, True)


@pytest.mark.parametrize("name", SOURCES)
def test_strings_templates_and_regular_expressions_stay_as_they_are(name: str) -> None:
    source = re.sub(r"^ *//.*", "", SOURCES[name], flags=re.MULTILINE)
    short = compact(SOURCES[name])
    for literal in re.findall(r'"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|/\[(?:\\.|[^/])*/[a-z]*', source):
        assert literal in short
    assert not re.search(r"^ *//|^ +[^ *]", short, re.MULTILINE)
    assert len(short) < len(SOURCES[name])


@pytest.mark.parametrize("name", SOURCES)
def test_no_template_is_within_another(name: str) -> None:
    templates = re.findall(r"`(?:\\.|[^`\\])*`", SOURCES[name])
    assert [template for template in templates if re.search(r"\$\{[^}]*`$", template)] == []


def test_sources_are_at_most_as_long_as_modules() -> None:
    assert {name: source.count("\n") for name, source in SOURCES.items() if source.count("\n") > 250} == {}
