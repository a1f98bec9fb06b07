"""The candidates for an ensemble in its run directory: the weights of all members after the same epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nncli.fitting.ensemble.build import BuiltEnsemble, Candidate
from nncli.fitting.ensemble.member_config import has_joint_epoch
from nncli.fitting.ensemble.out_of_fold import EnsembleData
from nncli.models.model import Model, ModelSpec
from nncli.models.predictions import Predictions
from nncli.models.scores import scores_json
from nncli.nn.parameters import Parameters
from nncli.runs.history import read_history
from nncli.runs.loader import damaged, parse_weights, read_file, read_model, read_spec, weights_size
from nncli.runs.manifest import HELD_OUT, SNAPSHOTS, member_folder, snapshot_file
from nncli.runs.run import Run
from nncli.targets.target import Target


def read_candidates(
    run: Path, data: EnsembleData, known: Mapping[int, Candidate] | None = None, max_epoch: int | None = None
) -> list[Candidate]:
    """The candidates of an ensemble whose members are done, in the order of their epochs, up to `max_epoch`.

    If one epoch is chosen for all members, these are the epochs of which every member kept the weights, read unless
    they are among the `known` ones. Otherwise, and where an older version began the training, there is one candidate,
    of the best epoch of each member.

    Raises:
        RunError: a file of a member is missing or damaged.
    """
    folders = [run / member_folder(i) for i in range(data.config.n_members)]
    joint = has_joint_epoch(data.config)
    epochs = set.intersection(*(snapshot_epochs(folder) for folder in folders)) if joint else set()
    if not epochs:
        return [_read_best(folders, data)]
    specs = [read_spec(folder, Run(folder).load_manifest()) for folder in folders]
    return [
        (known or {}).get(epoch) or Candidate(epoch, tuple(map(_snapshot_model, folders, specs, [epoch] * len(specs))))
        for epoch in sorted(epochs)
        if max_epoch is None or epoch <= max_epoch
    ]


def _read_best(folders: list[Path], data: EnsembleData) -> Candidate:
    """The members at the best epoch of each."""
    rows = [len(data.held_out(member)) for member in data.members]
    if data.validation_table is not None:
        rows = [len(data.validation_table)] * len(folders)
    recorded = [_recorded(folder, data.target, count) for folder, count in zip(folders, rows, strict=True)]
    all_recorded = tuple(one for one in recorded if one is not None)
    members = tuple(read_model(folder) for folder in folders)
    return Candidate(0, members, all_recorded if len(all_recorded) == len(members) else None)


def _snapshot_model(folder: Path, spec: ModelSpec, epoch: int) -> Model:
    return Model(spec, read_snapshot(folder, epoch, spec))


def _recorded(folder: Path, target: Target, rows: int) -> Predictions | None:
    """The scored predictions that a member kept of all its validation rows, with the classes of `target`."""
    held_out = Run(folder).load_held_out()
    if held_out is None or held_out.is_sample:
        return None
    if held_out.total != rows:
        raise damaged(folder, HELD_OUT, "the file does not hold the validation rows of this member")
    kept = held_out.predictions
    return replace(kept, target=target, values=target.align(kept.values, kept.target))


def adopt_epoch(run: Path, built: BuiltEnsemble, epoch: int) -> None:
    """Make the weights after `epoch` those of every member, with its scores, history and manifest.

    The validation rows of a member are among those that chose the epoch: its own scores are optimistic.
    """
    assert built.held_out is not None  # its rows chose the epoch
    for i, (model, scores) in enumerate(zip(built.ensemble.members, built.member_scores, strict=True)):
        member = Run(run / member_folder(i))
        manifest = member.load_manifest()
        held_out = built.held_out.of_member(i)
        kept = _recorded(member.path, held_out.predictions.target, len(held_out))
        if (
            manifest.best_epoch == epoch
            and kept is not None
            and np.array_equal(kept.loss_inputs, held_out.predictions.loss_inputs)
        ):
            continue
        history = read_history(member.path, manifest)
        member.save_manifest(manifest.model_copy(update={"status": "running"}))  # killed here, the member is resumed
        reports = [
            replace(report, is_best=report.epoch == epoch or (report.is_best and report.epoch < epoch))
            for report in history.reports
        ]
        member.save_weights(model.parameters)
        member.save_held_out(held_out.with_target(model.spec.target).bounded(manifest.seed))
        member.save_metrics({"training": None, "validation": scores_json(scores)})
        member.save_history(reports, history.metric)
        member.save_manifest(manifest.model_copy(update={"best_epoch": epoch}))


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
