"""The weights that a training keeps after some epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli.base.errors import RunError
from nncli.fitting.ensemble.build import read_snapshot, snapshot_epochs
from nncli.run_directory.loader import read_model
from nncli.run_directory.manifest import SNAPSHOTS, snapshot_file
from nncli.run_directory.run import Run
from tests.assertions import raises


@pytest.mark.slow
def test_a_snapshot_is_read_as_it_was_kept(penguins: Path, tmp_path: Path) -> None:
    model, run = read_model(penguins), Run(tmp_path)
    (tmp_path / SNAPSHOTS).mkdir()
    run.save_snapshot(17, model.parameters)
    run.save_snapshot(119, model.parameters)
    (tmp_path / SNAPSHOTS / "note.safetensors").touch()
    assert snapshot_epochs(tmp_path) == {17, 119}
    again = read_snapshot(tmp_path, 17, model.spec)
    assert again.theta.tobytes() == model.parameters.theta.tobytes()


def test_a_damaged_snapshot_is_an_error_of_the_run(penguins: Path, tmp_path: Path) -> None:
    spec = read_model(penguins).spec
    (tmp_path / SNAPSHOTS).mkdir()
    (tmp_path / snapshot_file(3)).write_bytes(b"weights")
    with raises(RunError, file="000003.safetensors"):
        read_snapshot(tmp_path, 3, spec)
    with raises(RunError, file="000004.safetensors"):
        read_snapshot(tmp_path, 4, spec)


def test_a_run_without_snapshots_has_none(penguins: Path) -> None:
    assert snapshot_epochs(penguins) == set()
    assert np.isfinite(read_model(penguins).parameters.theta).all()
