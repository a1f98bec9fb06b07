"""What a report says of the columns a run leans on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncli.commands.judged import judge
from nncli.reporting.sections import influence
from nncli.reporting.sections.influence import attributions, influence_of


def test_a_column_that_matters_comes_first(line: Path) -> None:
    judged = judge(line)
    found = influence_of(judged)
    assert set(found.columns) == {"x1", "x2"}
    assert found.importances[0].loss_increase > 0
    assert found.rows == len(judged)
    again = influence_of(judged)
    assert again.importances == found.importances


def test_what_moved_a_row_is_told_by_column(penguins: Path) -> None:
    judged = judge(penguins)
    told = attributions(judged, influence_of(judged), np.array([0, 5]))
    assert len(told) == 2
    for words in told:
        label, *columns = words.split("\n")
        assert label.removesuffix(":") in judged.predictions.target.labels  # type: ignore[union-attr]
        assert 1 <= len(columns) <= 4


def test_what_takes_too_long_is_left_to_another_command(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = judge(penguins)
    many = replace(judged, manifest=judged.manifest.model_copy(update={"parameters": 10**12}))
    monkeypatch.setattr(influence, "LEAST_ROWS", 10)
    found = influence_of(many)
    assert found.importances == ()
    assert "nncli explain" in found.told
    section = influence.influence(many, found)
    assert section.parts[0].kind == "notice"
    assert attributions(many, found, np.array([0])) == ()
