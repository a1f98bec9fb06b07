"""The run directory of an ensemble whose members are networks of finished trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nncli.base.atomic_files import batched_fsync, write_bytes
from nncli.base.findings import warnings_json
from nncli.base.scratch import Scratch, existing_parent
from nncli.fitting.checks.scores import check_scores
from nncli.fitting.ensemble.build import training_scores
from nncli.fitting.ensemble.out_of_fold import EnsembleData
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.provenance import check_tables_unchanged, command_line, with_recorded_features
from nncli.models.ensemble import Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.models.scores import ScoreCard, ScoredRows, scores_json, validation_card
from nncli.runs.cross_validation import joint_spec
from nncli.runs.filenames import CONFIG, HISTORY, METRICS, WEIGHTS
from nncli.runs.loader import read_file, read_manifest
from nncli.runs.manifest import Manifest, SelectionRecord, member_folder
from nncli.runs.run import Run
from nncli.tuning.trials.finished_trial import FinishedTrial
from nncli.version import __version__

CONFIG_HEADER = """\
# The configuration of trial {number}, which has the largest weight in this ensemble: nncli tune selected the networks
# from {candidates:,} trials. Training this configuration gives another model.
"""
LARGEST_MEMBER_FILE = 1 << 33
"""Bytes of a file of a member at most."""


def write_ensemble_run(
    selected: Sequence[FinishedTrial],
    record: SelectionRecord,
    scored: Predictions,
    output: Path,
    command: Sequence[str],
) -> Path:
    """Write the run directory under a temporary name, rename it, and return its path.

    The `selected` trials have the weights of the `record`; `scored` are the predictions that the run is scored by.

    Raises:
        DataError: the table has changed.
        NncliError: the directory cannot be written.
    """
    config, manifest = selected[0].read_config(), selected[0].manifest
    header = CONFIG_HEADER.format(number=selected[0].number, candidates=record.candidates)
    recorded = with_recorded_features(config, time_is_feature=manifest.time_is_feature)
    parent = existing_parent(output)
    with table_copies(recorded, parent), Scratch(parent) as scratch, Run.temporary(output) as run:
        check_tables_unchanged(recorded, manifest)
        data = EnsembleData.of(recorded, scratch, all_columns=True)  # other trials may use columns that it drops
        with batched_fsync():
            ensemble = _write_members(run.path, selected, [one.picks for one in record.trials])
            held_out = _held_out_rows(selected, scored)
            _write_parts(run, data, ensemble, held_out)
        finished = _manifest(selected, ensemble, data, held_out, command).model_copy(update={"selection": record})

        def finish(path: Path) -> None:
            run.save_config(config.model_copy(update={"output": str(path)}), header)
            run.save_manifest(finished)

        return run.rename_to_free_name(output, finish).path


def _write_members(folder: Path, trials: Sequence[FinishedTrial], counts: Sequence[int]) -> Ensemble:
    """Copy the networks of trials, and return their mean, in which each trial has the weight of its picks."""
    members, weights = list[Model](), list[float]()
    smallest = min(share for trial in trials for share in trial.shares)
    for trial, count in zip(trials, counts, strict=True):
        for network, source, share in zip(trial.load_networks(), trial.folders, trial.shares, strict=True):
            run = Run(folder / member_folder(len(members)))
            run.path.mkdir(parents=True)
            for name in (CONFIG, WEIGHTS, HISTORY, METRICS):
                write_bytes(run.path / name, read_file(source, name, LARGEST_MEMBER_FILE))
            run.save_spec(network.spec)
            run.save_manifest(read_manifest(source))
            members.append(network)
            weights.append(count * (share / smallest))
    target = trials[0].held_out.predictions.target
    target = target.joint([target], None)
    spec = joint_spec(members, target)
    if len(set(weights)) > 1:
        spec = spec.model_copy(update={"weights": tuple(weights)})
    return Ensemble(spec, tuple(members))


def _held_out_rows(trials: Sequence[FinishedTrial], scored: Predictions) -> HeldOutRows:
    """The held-out rows of all trials, with the predictions of each network, and those that are scored."""
    members = tuple(member for trial in trials for member in trial.held_out.members)
    return replace(trials[0].held_out, predictions=scored, members=members)


def _write_parts(run: Run, data: EnsembleData, ensemble: Ensemble, held_out: HeldOutRows) -> None:
    """Write all files but the configuration and the manifest."""
    card = _validation_scores(ensemble, held_out, data.config.seed)
    findings = [*data.findings, *check_scores(card, "out-of-fold")]
    metrics = {
        "training": scores_json(training_scores(data, ensemble)),
        "validation": {**(scores_json(card) or {}), "predicted_by": "the members that held the row out"},
        "findings": warnings_json(findings),
    }
    run.save_metrics(metrics)
    run.save_spec(ensemble.spec)
    run.save_training_rows(data.record_rows(ensemble))
    run.save_reference(data.reference(ensemble, held_out))
    run.save_held_out(held_out.bounded(data.config.seed))


def _validation_scores(ensemble: Ensemble, rows: HeldOutRows, seed: int) -> ScoreCard:
    """The scores of the cross-fitted predictions."""
    scored = ScoredRows(
        rows.predictions, rows.baseline_predictions, rows.y, rows.weights, ensemble.spec.loss, rows.groups
    )
    return validation_card(scored, seed, optimistic=False)


def _manifest(
    trials: Sequence[FinishedTrial],
    ensemble: Ensemble,
    data: EnsembleData,
    held_out: HeldOutRows,
    command: Sequence[str],
) -> Manifest:
    """The manifest; its times are those of the trials, so that the same trials give the same bytes."""
    manifests = [trial.manifest for trial in trials]
    first, finished = manifests[0], [one.finished for one in manifests if one.finished is not None]
    fields = {name: getattr(first, name) for name in Manifest.model_fields}
    return Manifest(
        **{
            **fields,
            "status": "done",
            "nncli_version": __version__,
            "command": command_line(command) or first.command,
            "started": min(one.started for one in manifests),
            "finished": max(finished, default=None),
            "seconds": round(sum(one.seconds or 0.0 for one in manifests), 3),
            "training_rows": len(data.used_rows),
            "validation_rows": held_out.total,
            "features": len(ensemble.names),
            "parameters": sum(member.spec.network.layout.size for member in ensemble.members),
            "members": len(ensemble.members),
            "epochs": max(one.epochs for one in manifests),
            "best_epoch": max(one.best_epoch for one in manifests),
            "time_limit": None,
            "lengthened": (),
            "files": {},
            "checksum": "",
        }
    )
