"""`nncli distill` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import Cli
from tests.fitting.support import QUICK, teacher

SETTINGS = [word for setting in QUICK for word in ("--set", setting)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of three members; not to be changed."""
    return teacher(tmp_path_factory.mktemp("run"))


def test_it_prints_the_path_of_the_new_run_and_whose_scores_these_are(nncli: Cli, run: Path, tmp_path: Path) -> None:
    outcome = nncli("distill", run, "--units", "8", *SETTINGS, "-o", tmp_path / "small").check()
    assert outcome.path == tmp_path / "small"
    assert "344 training rows, 115 validation rows" in outcome.err
    assert "trained without these rows" in outcome.err
    assert "note: training another network without the validation rows, for the scores" in outcome.err
    assert "--time-limit" not in outcome.err


def test_json_lines_are_those_of_a_training(nncli: Cli, run: Path, tmp_path: Path) -> None:
    outcome = nncli("distill", run, *SETTINGS, "-o", tmp_path / "small", "--json").check()
    events = [json.loads(line)["event"] for line in outcome.out.splitlines()]
    assert (events[0], events[-1]) == ("started", "finished")
    assert events.count("epoch") == 3
    assert events[-2] == "scored_training"


@pytest.mark.parametrize(("words", "code"), [(["--units", "0"], 2), (["--set", "members=3"], 3), (["--set", "x=1"], 3)])
def test_bad_options_are_refused(nncli: Cli, run: Path, words: list[str], code: int) -> None:
    outcome = nncli("distill", run, *words).check(code)
    assert not outcome.out


def test_a_folder_that_is_no_run_is_refused(nncli: Cli, tmp_path: Path) -> None:
    nncli("distill", tmp_path).check(5)
