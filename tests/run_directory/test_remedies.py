"""Measured remedies: what they say, and that they are kept in a run until it is trained further."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.base.findings import FindingCode
from nncli.run_directory.filenames import REMEDIES
from nncli.run_directory.remedies import MeasuredRemedy, read_remedies, save_remedies
from nncli.run_directory.run import Run

HELPS = MeasuredRemedy(
    FindingCode.OVERFITTING, ("members=8",), (), "log loss", 45, 0.62, 0.52, -0.2, -0.01, is_short=True
)
THRESHOLD = MeasuredRemedy(
    FindingCode.CLASS_NEVER_PREDICTED, (), ("--f1", "--positive", "b"), "f1", 90, 0.0, 0.3, higher_is_better=True
)


@pytest.fixture
def penguins_copy(penguins: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(penguins, tmp_path / "run"))


@pytest.mark.parametrize(
    ("remedy", "effect"),
    [
        (HELPS, "better"),
        (replace(HELPS, low=-0.2, high=0.01), "unclear"),
        (replace(HELPS, low=0.01, high=0.2), "worse"),
        (THRESHOLD, "better"),
        (replace(THRESHOLD, after=0.0), "unclear"),
        (replace(HELPS, before=None, after=None, reason="it diverges"), "not measured"),
    ],
)
def test_the_interval_of_the_difference_says_what_a_remedy_does(remedy: MeasuredRemedy, effect: str) -> None:
    assert remedy.effect == effect
    assert remedy.sentence


def test_what_was_measured_is_read_again_until_the_run_is_trained_further(penguins_copy: Path) -> None:
    manifest = Run(penguins_copy).load_manifest()
    assert read_remedies(penguins_copy, manifest) == ()
    save_remedies(penguins_copy, manifest, [HELPS, THRESHOLD])
    assert read_remedies(penguins_copy, manifest) == (HELPS, THRESHOLD)
    assert read_remedies(penguins_copy, manifest.model_copy(update={"finished": "later"})) == ()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"finished": null, "remedies": [{"code": "other"}]}'])
def test_a_damaged_file_is_an_error(penguins_copy: Path, content: str) -> None:
    manifest = Run(penguins_copy).load_manifest().model_copy(update={"finished": None})
    (penguins_copy / REMEDIES).write_text(content)
    with pytest.raises(RunError):
        read_remedies(penguins_copy, manifest)


def test_a_link_is_neither_written_nor_read_through(penguins_copy: Path, tmp_path: Path) -> None:
    manifest, outside = Run(penguins_copy).load_manifest(), tmp_path / "outside"
    (penguins_copy / REMEDIES).symlink_to(outside)
    with pytest.raises(RunError):
        read_remedies(penguins_copy, manifest)
    save_remedies(penguins_copy, manifest, [HELPS])
    assert not outside.exists()
    assert read_remedies(penguins_copy, manifest) == (HELPS,)


def test_a_remedy_is_shown_as_options_that_a_shell_reads() -> None:
    assert shlex.split(replace(HELPS, assignments=("layers=[{units: 4}]", "l2=0.1")).options) == [
        *("--set", "layers=[{units: 4}]"),
        *("--set", "l2=0.1"),
    ]
    assert shlex.split(THRESHOLD.options) == ["--f1", "--positive", "b"]


def test_texts_that_are_none_are_an_error(penguins_copy: Path) -> None:
    manifest = Run(penguins_copy).load_manifest()
    save_remedies(penguins_copy, manifest, [HELPS])
    document = json.loads((penguins_copy / REMEDIES).read_text())
    document["remedies"][0]["assignments"] = [{"x": 1}]
    (penguins_copy / REMEDIES).write_text(json.dumps(document))
    with pytest.raises(RunError):
        read_remedies(penguins_copy, manifest)
