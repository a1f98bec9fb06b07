"""All that is known of a run, and problems in place of what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.base.errors import RunError
from nncli.run_directory.manifest import CONFIG, HELD_OUT, HISTORY, MANIFEST, METRICS, MODEL


def test_a_whole_run_has_no_problems(penguins: Path) -> None:
    summary = summarize_run(penguins)
    assert summary.problems == ()
    assert summary.held_out is not None
    assert summary.metrics is not None
    assert summary.config == (penguins / "config.yaml").read_text()
    ((member, history),) = summary.histories
    assert (member, len(history.reports)) == (1, summary.manifest.epochs)


@pytest.mark.parametrize("name", [CONFIG, HISTORY, METRICS, MODEL, HELD_OUT])
def test_a_file_that_was_changed_is_an_error(penguins: Path, tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    with (run / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(RunError) as error:
        summarize_run(run)
    assert str(error.value.location) == str(run / name)


def test_a_missing_file_is_a_problem_and_the_rest_is_read(penguins: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    (run / HISTORY).unlink()
    summary = summarize_run(run)
    assert summary.histories == ()
    (problem,) = summary.problems
    assert HISTORY in problem
    assert summary.held_out is not None


def test_a_damaged_manifest_is_an_error(penguins: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    (run / MANIFEST).write_text("{}")
    with pytest.raises(RunError):
        summarize_run(run)
