"""Runs to reproduce, and copies of them that are changed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from nncli import reproduce, train
from nncli.analysis.reproduction.reproduction import Reproduction
from nncli.config.loading import load_config
from nncli.config.yaml.writer import dump
from nncli.data.sources.table_source import TableLocation
from tests.cli.support import CONFIGS


def trained(folder: Path, name: str, *assignments: str) -> Path:
    """A run of a configuration that ships, with changes."""
    return train(CONFIGS / f"{name}.yaml", output=folder / "run", set=assignments).run


def copied(run: Path, folder: Path) -> Path:
    """A copy of a run that may be changed."""
    return Path(shutil.copytree(run, folder / "copy"))


def reproduced(run: Path, *, data: TableLocation | None = None, quick: int | None = None) -> Reproduction:
    """The result of training a run again, which is not stopped."""
    result = reproduce(run, data=data, quick=quick)
    assert result is not None
    return result


def edited(run: Path, *assignments: str) -> None:
    """Change the configuration of a run in place."""
    path = run / "config.yaml"
    path.write_text(dump(load_config(path, assignments).model_dump(mode="json")))


def checksum_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def differing(result: Reproduction) -> set[str]:
    """The names of the checks that differ."""
    return {check.name for check in result.checks if check.differs}
