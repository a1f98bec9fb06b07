"""The number of models that the held-out rows of a run chose from: epochs, and temperatures."""

from __future__ import annotations

from math import log
from pathlib import Path

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.runs.loader import read_manifest
from nncli.runs.manifest import Manifest


def log_choices(path: Path, held_out: HeldOutPredictions) -> float:
    """The natural logarithm of the number of models that the held-out rows of the run at `path` chose from.

    The validation rows choose one of the trained epochs, unless `metric` is loss; of an ensemble, one of every member.
    A temperature fitted to n rows counts as the √n values that these can tell apart (Rissanen, "Modeling by shortest
    data description", 1978). 0 for rows that chose nothing: the predictions are cross-fitted but in older runs.

    Raises:
        RunError: the manifest of a member is missing or damaged.
    """
    if held_out.split != "validation" or not held_out.optimistic:
        return 0.0
    config, total = held_out.config, 0.0
    if config.metric != "loss":
        total += sum(log(max(manifest.epochs, 1)) for manifest in _manifests(path, held_out.manifest))
    if held_out.predictions.target.has_probabilities and config.calibration != "none":
        total += 0.5 * log(len(held_out))
    return total


def _manifests(path: Path, manifest: Manifest) -> list[Manifest]:
    """The manifest of the network, or of every member."""
    if manifest.members == 1:
        return [manifest]
    return [read_manifest(path / folder) for folder in manifest.member_folders]
