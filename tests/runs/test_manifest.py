"""The manifest is true in what it says of its run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from nncli import train
from nncli.runs.manifest import CHECKSUMMED, HISTORY, MANIFEST, WEIGHTS, Manifest
from tests.cli.support import DATA
from tests.runs.support import stop_at


def manifest(run: Path) -> Manifest:
    return Manifest.model_validate_json((run / MANIFEST).read_bytes())


def test_the_manifest_describes_the_run(penguins: Path) -> None:
    said = manifest(penguins)
    history = pl.read_csv(penguins / HISTORY)
    data = (DATA / "penguins.csv").read_bytes()
    assert said.status == "done"
    assert said.data.sha256 == hashlib.sha256(data).hexdigest()
    assert Path(said.data.path) == DATA / "penguins.csv"
    assert said.data.rows == 344 == said.training_rows + said.validation_rows
    assert said.validation_data is None
    assert said.features == 6
    weights = safetensors.numpy.load_file(penguins / WEIGHTS)
    assert said.parameters == sum(w.size for w in weights.values())
    assert said.epochs == 8 == history.height
    assert history.filter("is_best")["epoch"].max() == said.best_epoch
    assert said.finished is not None
    assert said.started <= said.finished
    assert said.versions["numpy"] == np.__version__
    assert said.blas_threads == 1


def test_the_manifest_has_the_checksum_of_every_other_file(penguins: Path) -> None:
    sums = {name: hashlib.sha256((penguins / name).read_bytes()).hexdigest() for name in CHECKSUMMED}
    assert manifest(penguins).files == sums


def test_the_manifest_of_a_running_training_has_no_checksums(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nepochs: 3\n")
    seen: list[Manifest] = []

    def look() -> bool:
        seen.append(manifest(tmp_path / "run"))
        return False

    train(config, output=tmp_path / "run", stop=look)
    assert {(said.status, said.finished, len(said.files)) for said in seen} == {("running", None, 0)}


@pytest.mark.parametrize("validation", ["0.2", "{path: TABLE}"])
def test_the_status_of_a_stopped_training_is_stopped(tmp_path: Path, validation: str) -> None:
    config = tmp_path / "c.yaml"
    table = DATA / "linear.csv"
    config.write_text(
        f"data: {{path: {table}, target: y}}\nlayers: [4]\nepochs: 30\n"
        f"validation: {validation.replace('TABLE', str(table))}"
    )
    said = manifest(train(config, output=tmp_path / "run", stop=stop_at(11)).run)
    assert said.status == "stopped"
    assert said.epochs < 30
