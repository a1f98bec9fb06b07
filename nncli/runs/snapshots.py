"""The weights that a training keeps after some epochs, for a choice among them when it is done."""

from __future__ import annotations

from pathlib import Path

from nncli.models.model import ModelSpec
from nncli.nn.parameters import Parameters
from nncli.runs.loader import parse_weights, read_file, weights_size
from nncli.runs.manifest import SNAPSHOTS, snapshot_file


def snapshot_epochs(folder: Path) -> set[int]:
    """The epochs of which the run in `folder` keeps the weights."""
    return {int(file.stem) for file in (folder / SNAPSHOTS).glob("*.safetensors") if file.stem.isdecimal()}


def read_snapshot(folder: Path, epoch: int, spec: ModelSpec) -> Parameters:
    """Read the weights that a training kept after an epoch.

    Raises:
        RunError: the file is missing, damaged, or of another network.
    """
    name = snapshot_file(epoch)
    return parse_weights(folder, name, read_file(folder, name, weights_size(spec)), spec)
