"""Provenance: facts of the manifest, checksums and the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.analysis.report.page import Facts, Listing, TableBlock
from nncli.analysis.report.run_page import provenance
from tests.analysis.report.support import flat


def test_manifest_checksums_and_configuration_are_shown(penguins: Path) -> None:
    summary = summarize_run(penguins)
    parts = flat(provenance(summary).parts)
    facts = next(dict(part.pairs) for part in parts if isinstance(part, Facts))
    assert facts["seed"] == str(summary.manifest.seed)
    assert facts["SHA-256 of the table"] == summary.manifest.data.sha256
    (table,) = (part for part in parts if isinstance(part, TableBlock))
    assert dict(table.rows) == summary.manifest.files  # type: ignore[arg-type]
    (listing,) = (part for part in parts if isinstance(part, Listing))
    assert listing.text == summary.config


def test_a_missing_configuration_leaves_the_rest(penguins: Path) -> None:
    parts = provenance(replace(summarize_run(penguins), config=None)).parts
    assert not any(isinstance(part, Listing) for part in parts)
