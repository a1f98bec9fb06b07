"""What commands that read runs say of the directory of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.run_directory.run import Run, is_search
from tests.cli.support import Cli
from tests.tuning.made_searches import made_search, made_trials


def test_a_search_is_told_from_other_folders(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials())
    assert is_search(path)
    assert not is_search(tmp_path)
    assert not is_search(path / "trials")


def test_a_search_is_no_run_and_the_error_names_what_can_be_used(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials())
    with pytest.raises(RunError) as error:
        Run.open(path)
    assert error.value.hint is not None
    assert f"nncli train {path}/best.yaml" in error.value.hint
    assert f"nncli runs {path}/trials" in error.value.hint


@pytest.mark.parametrize("command", ["predict RUN TABLE", "evaluate RUN TABLE", "explain RUN", "train --resume RUN"])
def test_commands_that_need_a_run_refuse_a_search(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_search(tmp_path, made_trials())
    table = tmp_path / "table.csv"
    table.write_text("x1,x2,y\n1,2,3\n")
    words = [{"RUN": str(path), "TABLE": str(table)}.get(word, word) for word in command.split()]
    refused = Cli(monkeypatch)(*words)
    assert refused.code == 5
    assert "best.yaml" in refused.err
