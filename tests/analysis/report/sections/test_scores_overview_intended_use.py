"""Intended use, limitations and next steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import Heading, Listing
from nncli.analysis.report.sections.scores import intended, intended_use, limitations
from tests.analysis.report.support import SMALL, trained_on


def test_the_section_ends_with_commands_to_go_on_with(penguins: Path) -> None:
    section = intended_use(summarize_run(penguins))
    assert [part.text for part in section.parts if isinstance(part, Heading)] == ["Limitations", "Next steps"]
    (commands,) = (part for part in section.parts if isinstance(part, Listing))
    assert [line.split()[1] for line in commands.text.splitlines()] == ["predict", "evaluate", "explain"]


def test_target_and_features_are_named(penguins: Path) -> None:
    text = intended(summarize_run(penguins))
    assert "“species”" in text
    assert "“island”" in text


def test_limitations_depend_on_the_run(penguins: Path) -> None:
    summary = summarize_run(penguins)
    assert summary.held_out is not None
    before = limitations(summary)
    weighted = replace(summary, held_out=replace(summary.held_out, weights=np.ones(len(summary.held_out))))
    assert {*limitations(weighted)} - {*before} == {"The scores use the sample weights."}
    assert len(limitations(replace(summary, held_out=None))) == 3
    unfinished = replace(summary, manifest=summary.manifest.model_copy(update={"status": "stopped"}))
    assert "stopped" in limitations(unfinished)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "settings", "mentioned"),
    [
        ("", "", True),
        (", drop: [day]", "", True),
        (", features: [x]", "members: 2\nworkers: 1", True),
        (", time: day", "", False),
    ],
)
def test_time_is_a_limitation_of_tables_with_dates(tmp_path: Path, data: str, settings: str, mentioned: bool) -> None:
    days = [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(60)]
    frame = pl.DataFrame({"x": [i * 0.37 for i in range(60)], "day": days, "y": [i * 1.5 for i in range(60)]})
    run = trained_on(tmp_path, frame, "y", SMALL + settings, data)
    assert any("data.time" in line for line in limitations(summarize_run(run))) is mentioned


def test_time_is_no_limitation_of_a_table_without_dates(penguins: Path) -> None:
    assert not any("data.time" in line for line in limitations(summarize_run(penguins)))
