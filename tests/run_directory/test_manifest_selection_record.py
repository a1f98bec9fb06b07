"""The record of a selection is in the manifest of the run, and other manifests keep the bytes they had without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.run_directory.filenames import MANIFEST
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import Manifest, SelectedTrial, SelectionRecord, check_not_selected
from tests.assertions import raises

RECORD = SelectionRecord(
    trials=(
        SelectedTrial(number=12, path="trials/0012", picks=3),
        SelectedTrial(number=4, path="trials/0004", picks=1),
    ),
    candidates=30,
    rounds=10,
    measure="log loss",
    loss=0.25,
    cross_fitted_loss=0.26,
)


def test_a_manifest_without_a_selection_does_not_mention_it(penguins: Path) -> None:
    text = (penguins / MANIFEST).read_text()
    assert "selection" not in text
    manifest = Manifest.model_validate_json(text)
    assert manifest.model_dump_json(indent=1) + "\n" == text
    assert manifest.with_checksum() == manifest


def test_a_manifest_with_a_selection_is_read_back_and_its_checksum_covers_it(penguins: Path, tmp_path: Path) -> None:
    manifest = read_manifest(penguins).model_copy(update={"selection": RECORD}).with_checksum()
    (tmp_path / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    assert read_manifest(tmp_path).selection == RECORD
    document = json.loads((tmp_path / MANIFEST).read_text())
    document["selection"]["candidates"] = 31
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    with raises(RunError, file=MANIFEST):
        read_manifest(tmp_path)


def test_the_text_has_the_share_of_each_trial() -> None:
    assert RECORD.text.startswith("trial 12 (3/4), trial 4 (1/4) of 30 trials")


def test_only_a_run_that_was_selected_is_refused() -> None:
    check_not_selected(Path("run"), None, "trained further")
    with pytest.raises(RunError, match="nncli tune"):
        check_not_selected(Path("run"), RECORD, "trained further")
