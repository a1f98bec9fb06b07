from __future__ import annotations

import shutil
from datetime import date, datetime

import polars as pl
import pytest

from nncli.export.runtimes import c_compiler


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
