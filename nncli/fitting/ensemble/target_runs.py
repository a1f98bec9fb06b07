"""The ensemble of each of several targets, of the networks that learned all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncli.base.atomic_files import batched_fsync
from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble.build import BuiltEnsemble, EpochChoice, built_by, copy_member, training_scores
from nncli.fitting.ensemble.out_of_fold import EnsembleData, OutOfFoldPredictions
from nncli.fitting.prepare.encode import rows_of_target
from nncli.fitting.prepare.validation import monitor_name
from nncli.fitting.train.target_runs import config_of_target, manifest_of_target, new_target_run
from nncli.models.model import Model
from nncli.models.scores import scores_json
from nncli.nn.arrays import RowIndices
from nncli.run_directory.config import read_config
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.manifest import Manifest, member_folder
from nncli.run_directory.run import Run
from nncli.targets.target_base import rows_with_target


@dataclass(frozen=True)
class TargetData(EnsembleData):
    """The rows that have one of several targets, at the positions `rows` of the table of `whole`, split as that is."""

    whole: EnsembleData
    rows: RowIndices

    @classmethod
    def of_target(cls, whole: EnsembleData, j: int) -> TargetData:
        """The data of target `j`."""
        target, validation = whole.target, whole.validation_table
        part = target.parts[j].target
        rows = rows_with_target(whole.table.columns(part.names), part.names)
        has_validation = whole.config.validation != 0.0 or whole.config.bagging_mode != "seeds"
        return cls(
            config=config_of_target(whole.config, target, j, has_validation=has_validation),
            table=whole.table.take(rows),
            validation_table=None if validation is None else rows_of_target(validation, part),
            target=part,
            loss=whole.loss.parts[j],
            findings=whole.findings,
            folds=whole.folds,
            whole=whole,
            rows=rows,
        )

    def _of_target(self, positions: RowIndices) -> RowIndices:
        return np.searchsorted(self.rows, np.intersect1d(positions, self.rows))

    @property
    def used_rows(self) -> RowIndices:
        return self._of_target(self.whole.used_rows)

    @property
    def excluded_rows(self) -> RowIndices:
        return self._of_target(self.whole.excluded_rows)

    @property
    def training_rows(self) -> RowIndices:
        return self._of_target(self.whole.training_rows)

    def held_out(self, member: Config) -> RowIndices:
        return self._of_target(self.whole.held_out(member))

    @property
    def has_common_validation(self) -> bool:
        return self.whole.has_common_validation

    def without(self, fold: Fold) -> TargetData:
        return replace(self, whole=self.whole.without(fold))


def out_of_fold_of_target(whole: OutOfFoldPredictions, j: int) -> OutOfFoldPredictions:
    """The out-of-fold predictions of target `j` for the rows that have it."""
    has, y = whole.ensemble.spec.target.parts[j].truth(whole.rows.y)
    kept, position = np.flatnonzero(has), np.cumsum(has) - 1
    members = zip(whole.positions, whole.member_predictions, strict=True)
    return replace(
        whole,
        ensemble=whole.ensemble.part(j),
        table=whole.table.take(kept),
        rows=replace(replace(whole.rows, y=np.zeros(len(has))).take(kept), y=y),
        positions=tuple(position[rows[has[rows]]] for rows in whole.positions),
        member_predictions=tuple(predictions.part(j).take(has[rows]) for rows, predictions in members),
    )


def choices_of_targets(whole: EpochChoice, data: EnsembleData) -> list[EpochChoice]:
    """The choice among the epochs by the rows of each of several targets; that of all rows for one target."""
    parts = range(len(data.target.parts))
    return [_choice_of_target(whole, TargetData.of_target(data, j), j) for j in parts] or [whole]


def _choice_of_target(whole: EpochChoice, data: TargetData, j: int) -> EpochChoice:
    """The choice among the epochs of the networks, and of a temperature, by the rows that have target `j`."""
    has, _ = data.whole.target.parts[j].truth(whole.actual[0].rows.y)
    return replace(
        whole,
        monitor=monitor_name(data.config, type(data.target), has_validation=True),
        calibrates=data.config.calibration != "none",
        parts=whole.parts[has],
        actual=tuple(out_of_fold_of_target(predictions, j) for predictions in whole.actual),
        scored=tuple(out_of_fold_of_target(predictions, j) for predictions in whole.scored),
    )


def write_target_runs(
    run: Run, data: EnsembleData, built: BuiltEnsemble, epochs: Sequence[int], manifest: Manifest
) -> dict[str, BuiltEnsemble]:
    """Write the ensemble of each of several targets, and return them; nothing for one target.

    `epochs` are those of the candidates, 0 for the best epoch of each member.
    """
    parts = [TargetData.of_target(data, j) for j in range(len(data.target.parts))]
    return {
        part.target.names[0]: _write(new_target_run(run, data.target, j), run, part, built, epochs, manifest, j)
        for j, part in enumerate(parts)
    }


def _write(
    of_target: Run, run: Run, data: TargetData, whole: BuiltEnsemble, epochs: Sequence[int], manifest: Manifest, j: int
) -> BuiltEnsemble:
    if whole.choice is None:
        ensemble = whole.ensemble.part(j)
        built = BuiltEnsemble(ensemble, whole.candidates, training_scores(data, ensemble, data.training_rows))
    else:
        built = built_by(_choice_of_target(whole.choice, data, j), data, optimistic=whole.optimistic)
    config, members = data.config.model_copy(update={"output": str(of_target.path)}), built.ensemble.members
    for i, model in enumerate(members):
        cycle, trained = divmod(i, data.config.n_members)
        source, member = Run(run.path / member_folder(trained)), Run(of_target.path / member_folder(i))
        member.path.parent.mkdir(exist_ok=True)
        copy_member(source, member.path)
        _write_member(member, source, model, data, j, epochs[built.candidates[cycle]], built, i)
    of_target.save_config(config)
    built.save(of_target, data)
    changes = {
        "training_rows": len(data.training_rows),
        "validation_rows": 0 if built.held_out is None else built.held_out.total,
        "parameters": sum(model.spec.network.layout.size for model in members),
        "features": len({column.name for model in members for column in model.spec.encoder.columns}),
        "members": len(members),
        "best_epoch": max(epochs[i] for i in built.candidates) or manifest.best_epoch,
        "status": "done",
    }
    of_target.save_manifest(manifest_of_target(manifest, config, data.whole.target, **changes))
    return built


def _write_member(
    member: Run, source: Run, model: Model, data: TargetData, j: int, epoch: int, built: BuiltEnsemble, i: int
) -> None:
    """Write the network of member `i`, whose copied directory lacks what is of one target."""
    target, manifest = data.whole.target, source.load_manifest()
    config = config_of_target(read_config(source.path), target, j, has_validation=False)
    config = config.model_copy(update={"output": str(member.path)})
    changes = {"parameters": model.spec.network.layout.size, "best_epoch": epoch or manifest.best_epoch}
    with batched_fsync():
        member.save_config(config)
        member.save_spec(model.spec)
        member.save_weights(model.parameters)
        history = read_history(source.path, manifest)
        reports = [replace(report, is_best=report.epoch == changes["best_epoch"]) for report in history.reports]
        member.save_history(reports, history.metric)
        if built.held_out is not None:
            held_out = built.held_out.of_member(i)
            changes["validation_rows"] = len(held_out)
            member.save_held_out(held_out.with_target(model.spec.target).bounded(data.config.seed))
            member.save_metrics({"training": None, "validation": scores_json(built.member_scores[i])})
    member.save_manifest(manifest_of_target(manifest, config, target, **changes, status=manifest.status))
