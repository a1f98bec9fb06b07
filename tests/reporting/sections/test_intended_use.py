"""Intended use, limitations and next steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nncli.evaluation.run_summary import summarize_run
from nncli.reporting.page import Heading, Listing
from nncli.reporting.sections.intended_use import intended, intended_use, limitations


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
