"""Giving all members the weights of the chosen epoch, also when the process is killed in the midst."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import predict, train
from nncli.fitting.ensemble.build import snapshot_epochs
from nncli.run_directory.run import Run
from tests.api.ensembles import written
from tests.cli.support import DATA


class Killed(BaseException):
    """Ends a process at a chosen place."""


@pytest.mark.slow
@pytest.mark.parametrize(("place", "calls_before"), [("save_held_out", 0), ("save_history", 1)])
def test_an_ensemble_killed_while_it_writes_the_members_is_resumed(
    place: str, calls_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(tmp_path, "epochs=6", "learning_rate=0.5", "workers=1")
    whole = train(config, output=tmp_path / "whole").run
    original, calls = getattr(Run, place), []

    def killed(self: Run, *arguments: object) -> None:
        calls.append(self.path.name)
        if calls.count(self.path.name) > calls_before:  # the member was trained; now it gets the epoch of all
            raise Killed
        original(self, *arguments)

    monkeypatch.setattr(Run, place, killed)
    with pytest.raises(Killed):
        train(config, output=tmp_path / "run")
    monkeypatch.undo()
    assert train(resume=tmp_path / "run").status == "done"
    assert predict(tmp_path / "run", DATA / "penguins.csv", proba=True).equals(
        predict(whole, DATA / "penguins.csv", proba=True)
    )
    assert snapshot_epochs(tmp_path / "run" / "members" / "2") == {1, 2, 3, 4, 5, 6}
