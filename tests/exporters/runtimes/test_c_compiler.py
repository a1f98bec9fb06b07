from __future__ import annotations

import shutil
from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.exporters.runtimes import c_compiler
from nncli.integrations.c.source_file import cell, header_line
from tests.runtimes.hostile import words


def test_without_a_compiler_it_is_what_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert c_compiler.missing() == "install gcc or clang"


def test_any_compiler_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "cc" else None)
    assert c_compiler.missing() is None


def test_numbers_and_dates_are_written_so_that_their_spelling_does_not_matter() -> None:
    rows = pl.DataFrame(
        {
            "x": [1.5, None],
            "n": [3, None],
            "a,b": ["red", None],
            "day": [date(1969, 12, 31), None],
            "time": [datetime(1970, 1, 2, 12), None],
        }
    )
    assert c_compiler.written(rows).decode() == (
        '"x","n","a,b","day","time"\n"\x1a1.5","\x1a3","red","\x1ad-1.0","\x1ad1.5"\n'
        '"\x1a","\x1a","\x1a","\x1a","\x1a"\n'
    )


def test_a_nul_that_would_end_a_cell_is_another_character() -> None:
    assert c_compiler.written(pl.DataFrame({"t": ["good\0not"]})).decode() == '"t"\n"good\ufffenot"\n'


@given(st.lists(words, unique=True, min_size=2, max_size=5))
def test_what_a_program_prints_is_read_with_its_titles_and_labels(labels: list[str]) -> None:
    titles = ["prediction", *(f"proba_{label}" for label in labels)]
    lines = [header_line(titles), *(f"{cell(label)}{',0.5' * len(labels)}" for label in labels)]
    result = c_compiler.read_answers("".join(f"{line}\n" for line in lines).encode(), "text")
    assert result.columns == titles
    assert result["prediction"].to_list() == labels
