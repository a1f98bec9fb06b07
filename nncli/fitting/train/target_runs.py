"""The run of each of several targets that one network has learned: a plain run of one target."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np

from nncli.base.errors import ConfigError, UsageError
from nncli.config.schema import Config
from nncli.fitting.prepare.encode import PreparedRows
from nncli.fitting.prepare.validation import calibration_of, check_metric
from nncli.fitting.train.provenance import fingerprint, recorded_execution
from nncli.fitting.train.run_writer import RunWriter, TrainingScores
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.run_directory.filenames import target_folders
from nncli.run_directory.manifest import Manifest, Status
from nncli.run_directory.run import Run
from nncli.targets.target import Target


def config_of_target(config: Config, target: Target, j: int, *, has_validation: bool) -> Config:
    """The resolved configuration of the run of one of several targets; a metric of all is none of one."""
    assert config.loss is not None
    part, alone = target.parts[j].target, config.of_target(target.names[j], config.loss.parts[j])
    try:
        check_metric(alone, part)
    except (ConfigError, UsageError):
        alone = alone.model_copy(update={"metric": "val_loss"})
    if alone.calibration not in part.calibrations:
        alone = alone.model_copy(update={"calibration": "none"})
    return alone.model_copy(update={"calibration": calibration_of(alone, part, has_validation=has_validation)})


def new_target_run(run: Run, target: Target, j: int) -> Run:
    """An empty directory for the run of one of several targets."""
    path = run.path / target_folders(target.names)[j]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return Run(path)


def manifest_of_target(manifest: Manifest, config: Config, target: Target, **changes: object) -> Manifest:
    """The manifest of the run of one of several targets."""
    beside = tuple(name for name in target.names if name not in config.data.target)
    fields: dict[str, object] = {"targets": (), "beside": beside, "files": {}, "status": "running"}
    fields["fingerprint"] = fingerprint(config, recorded_execution(manifest))
    return manifest.model_copy(update=fields | changes)


class TargetRunWriter(RunWriter):
    """The end of a training for one of several targets: it is scored, calibrated and written as a run of its own."""

    def __init__(self, whole: RunWriter, of_training: Predictions, of_validation: Predictions | None, j: int) -> None:
        prepared, manifest, run = whole.prepared, whole.manifest, whole.directory
        target = prepared.spec.target
        config = config_of_target(prepared.config, target, j, has_validation=prepared.validation is not None)
        directory = new_target_run(run, target, j)
        config = config.model_copy(update={"output": str(directory.path)})
        model = Model(prepared.spec, whole.state.best).part(j)
        training, has_training = _rows_of_target(prepared.training, target, j)
        validation, has_validation = None, np.zeros(0, bool)
        if prepared.validation is not None:
            validation, has_validation = _rows_of_target(prepared.validation, target, j)
        part = replace(
            prepared,
            config=config,
            spec=model.spec,
            training=training,
            validation=validation if has_validation.any() else None,
            recorded_rows=prepared.recorded_targets[j],
            categories=tuple(column.take(np.flatnonzero(has_validation)) for column in prepared.categories),
        )
        cross_fit = whole.state.cross_fit
        if cross_fit is not None:
            Z = cross_fit.Z[has_validation][:, prepared.spec.loss.output_spans[j]]
            cross_fit = replace(cross_fit, Z=np.ascontiguousarray(Z))
        state = replace(whole.state, best=model.parameters, cross_fit=cross_fit)
        changes = {
            "training_rows": len(training),
            "validation_rows": int(has_validation.sum()),
            "parameters": model.spec.network.layout.size,
        }
        of_target = manifest_of_target(manifest, config, target, **changes)
        super().__init__(part, directory, state, whole.reports, whole.health, of_target)
        self.start_time = whole.start_time
        self._of_training = of_training.part(j).take(has_training)
        self._of_validation = of_validation and of_validation.part(j).take(has_validation)

    def _choose_weights(self) -> None:
        """Do nothing: the training of all targets has chosen the weights, of which this one has a part."""

    def training_sample(self) -> PreparedRows:
        return self.prepared.training

    def predict(self, rows: PreparedRows) -> Predictions:
        if rows is self.prepared.training or self._of_validation is None:
            return self._of_training
        return self._of_validation

    def write(self, status: Status) -> TrainingScores:
        """Score the model of the target, and write its run."""
        self.directory.save_config(self.prepared.config)
        self.directory.save_training_rows(self.prepared.recorded_rows)
        scores = self.score()
        self.close(status, keep_weights=True)
        return scores


def _rows_of_target(rows: PreparedRows, target: Target, j: int) -> tuple[PreparedRows, np.ndarray]:
    """The rows that have a target, still with the dataset of all rows, and which they are."""
    has, y = target.parts[j].truth(rows.y)
    numbers = np.arange(1, len(rows) + 1) if rows.row_numbers is None and not has.all() else rows.row_numbers
    kept = replace(
        rows,
        y=y,
        weights=None if rows.weights is None else rows.weights[has],
        row_numbers=None if numbers is None else numbers[has],
        groups=None if rows.groups is None else rows.groups[has],
    )
    return kept, has


def write_target_runs(whole: RunWriter, status: Status) -> dict[str, TrainingScores]:
    """Write the run of each target of a training of several, and return their scores; nothing for one target."""
    prepared = whole.prepared
    if not prepared.recorded_targets:
        return {}
    training = whole.predict(prepared.training)
    validation = None if prepared.validation is None else whole.predict(prepared.validation)
    return {
        name: TargetRunWriter(whole, training, validation, j).write(status)
        for j, name in enumerate(prepared.spec.target.names)
    }
