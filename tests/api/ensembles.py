"""Small ensembles that several tests train, stop, kill and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.run_directory.manifest import METRICS, MODEL
from tests.cli.support import DATA
from tests.run_directory.support import outcome

CONFIG = f"""
data: {{path: {DATA}/penguins.csv, target: species}}
layers: [8, {{type: dropout, rate: 0.2}}]
batch_size: 16
epochs: 3
members: 3
workers: 1
"""


def written(folder: Path, *assignments: str) -> Path:
    """A configuration in a folder: CONFIG and some assignments."""
    path = folder / "c.yaml"
    path.write_text(CONFIG)
    if assignments:
        from nncli.config.yaml.writer import dump

        path.write_text(dump(load_config(path, assignments).model_dump(mode="json", exclude={"output"})))
    return path


def config_of(folder: Path, *assignments: str) -> Config:
    """The same, loaded."""
    return load_config(written(folder, *assignments))


def bits(run: Path) -> tuple[Any, ...]:
    """All that an ensemble leads to: what must not depend on who trained its members, or how often they stopped."""
    members = sorted((run / "members").iterdir())
    return (*(outcome(member) for member in members), (run / MODEL).read_bytes(), (run / METRICS).read_bytes())
