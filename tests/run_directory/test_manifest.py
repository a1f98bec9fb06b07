"""The manifest is true in what it says of its run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from pydantic import ValidationError

from nncli import train
from nncli.run_directory.manifest import CHECKSUMMED, HISTORY, MANIFEST, WEIGHTS, Manifest, PluginRecord
from tests.cli.support import DATA
from tests.run_directory.support import stop_at


def manifest(run: Path) -> Manifest:
    return Manifest.model_validate_json((run / MANIFEST).read_bytes())


def test_the_manifest_describes_the_run(penguins: Path) -> None:
    recorded = manifest(penguins)
    history = pl.read_csv(penguins / HISTORY)
    data = (DATA / "penguins.csv").read_bytes()
    assert recorded.status == "done"
    assert recorded.data.sha256 == hashlib.sha256(data).hexdigest()
    assert Path(recorded.data.path) == DATA / "penguins.csv"
    assert recorded.data.rows == 344 == recorded.training_rows + recorded.validation_rows
    assert recorded.validation_data is None
    assert recorded.features == 6
    weights = safetensors.numpy.load_file(penguins / WEIGHTS)
    assert recorded.parameters == sum(w.size for w in weights.values())
    assert recorded.epochs == 8 == history.height
    assert history.filter("is_best")["epoch"].max() == recorded.best_epoch
    assert recorded.finished is not None
    assert recorded.started <= recorded.finished
    assert recorded.versions["numpy"] == np.__version__
    assert recorded.blas_threads == 1


def test_the_manifest_has_the_checksum_of_every_other_file(penguins: Path) -> None:
    sums = {name: hashlib.sha256((penguins / name).read_bytes()).hexdigest() for name in CHECKSUMMED}
    assert manifest(penguins).files == sums


@pytest.mark.slow
def test_the_manifest_of_a_running_training_has_no_checksums(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nepochs: 3\n")
    seen: list[Manifest] = []

    def look() -> bool:
        seen.append(manifest(tmp_path / "run"))
        return False

    train(config, output=tmp_path / "run", stop=look)
    assert {(recorded.status, recorded.finished, len(recorded.files)) for recorded in seen} == {("running", None, 0)}


@pytest.mark.slow
@pytest.mark.parametrize("validation", ["0.2", "{path: TABLE}"])
def test_the_status_of_a_stopped_training_is_stopped(tmp_path: Path, validation: str) -> None:
    config = tmp_path / "c.yaml"
    table = DATA / "linear.csv"
    config.write_text(
        f"data: {{path: {table}, target: y}}\nlayers: [4]\nepochs: 30\n"
        f"validation: {validation.replace('TABLE', str(table))}"
    )
    recorded = manifest(train(config, output=tmp_path / "run", stop=stop_at(11)).run)
    assert recorded.status == "stopped"
    assert recorded.epochs < 30


@pytest.mark.parametrize("file", ["../secret", "a/b.py", "/etc/passwd", "..", ".", "..\\secret", "C:x.py", "a\0"])
def test_a_file_of_code_in_a_manifest_is_a_bare_name(file: str) -> None:
    PluginRecord(kind="losses", name="x", path="x", file="x.py")

    with pytest.raises(ValidationError):
        PluginRecord(kind="losses", name="x", path="x", file=file)
