"""The decision of a trained run: reading it, and replacing it in model.json."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import isfinite

from nncli.base.atomic_files import write_bytes
from nncli.base.errors import Advice, Location, ResumeRun, RunError, SetKey
from nncli.models.ensemble import EnsembleSpec, spec_json
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import ModelSpec
from nncli.models.scores import ScoreWithInterval, headlines
from nncli.run_directory.cross_validation import check_is_run
from nncli.run_directory.filenames import HELD_OUT, train_command
from nncli.run_directory.history_and_metrics import RecordedMetrics
from nncli.run_directory.listing import MAIN_METRICS
from nncli.run_directory.loader import check_not_removed, read_any_spec
from nncli.run_directory.manifest import MANIFEST, MEMBERS, MODEL, DecidedScore, Manifest
from nncli.run_directory.run import Run
from nncli.targets.decision import Decision
from nncli.targets.metrics.registry import COST, METRICS


def read_decision(run: Run) -> Decision | None:
    """The decision of a run; None if it has none, or is not trained yet.

    Raises:
        RunError: a file is damaged.
    """
    manifest = run.load_manifest()
    return read_any_spec(run.path, manifest).decision if MODEL in manifest.files else None


def save_decision(run: Run, decision: Decision | None, cost: float | None = None) -> None:
    """Write the decision into model.json, or remove it, and the new checksum into the manifest, under the run's lock.

    `cost` is the cost of a row that is expected on new rows; by default it is that of the held-out rows.

    Raises:
        RunError: the run is being trained, was not finished, is damaged, or is a member of an ensemble.
    """
    path = run.path.resolve()
    ensemble = path.parent.parent
    if path.parent.name == MEMBERS and (ensemble / MANIFEST).exists():
        raise RunError(
            "this is a network of an ensemble, which decides by the mean of all networks",
            location=Location(source=str(run.path)),
            hint=f"Name the ensemble: {ensemble}",
        )
    hint = "Train a run with the configuration, and choose the decision of that."
    check_is_run(run.path, ", which keeps no decision", hint)
    with run.locked() as locked:
        manifest = locked.load_manifest()
        if manifest.status == "running":
            raise RunError(
                "the training of this run has not finished",
                location=Location(source=str(run.path)),
                hint=Advice("To resume: ", ResumeRun(run.path)),
            )
        locked.load_model()  # a damaged run is not given new checksums
        spec = read_any_spec(locked.path, manifest)
        if spec.decision is not None:
            _write(locked, manifest, spec, None)
        if decision is not None:
            _write(locked, locked.load_manifest(), spec, decision, _decided_score(locked, spec, decision, cost))


def decided_metrics(run: Run, metrics: RecordedMetrics, decision: Decision) -> RecordedMetrics:
    """The recorded scores with those of the held-out rows by a decision, as `predict` follows it.

    Scores of classes of the training rows, whose predictions no run keeps, are left out; unchanged where the run keeps
    no held-out rows either.
    """
    rows, recorded, training = run.load_held_out(), metrics.validation, metrics.training
    if rows is None or recorded is None:
        return metrics
    manifest = run.load_manifest()
    loss, saved = read_any_spec(run.path, manifest).loss, manifest.decided
    scored = replace(rows.scored(loss, decision), averaging=recorded.averaging)
    model, baseline = headlines(scored.scores), dict(headlines(scored.card().baseline))
    if saved is not None and saved.metric == COST.name:  # that of new rows, not of those that chose the threshold
        model = [(name, saved.value if name == COST.name else value) for name, value in model]
    scores = tuple(ScoreWithInterval(None, name, value, None, baseline[name], None) for name, value in model)
    if training is not None:
        kept = tuple(score for score in training.scores if not METRICS[score.name].of_classes)
        training = replace(training, scores=kept)
    return replace(metrics, training=training, validation=replace(recorded, scores=scores))


def _decided_score(
    run: Run, spec: ModelSpec | EnsembleSpec, decision: Decision, cost: float | None
) -> DecidedScore | None:
    """The main score of the held-out rows of a run by a decision; None if it keeps none."""
    rows = run.load_held_out()
    if rows is None:
        return None
    scores = headlines(rows.scored(spec.loss, decision).scores)
    name, value = next((name, value) for name, value in scores if name in MAIN_METRICS)
    if name == COST.name and cost is not None:
        value = cost
    return DecidedScore(metric=name, value=None if value is None or not isfinite(value) else value)


def _write(
    run: Run,
    manifest: Manifest,
    spec: ModelSpec | EnsembleSpec,
    decision: Decision | None,
    decided: DecidedScore | None = None,
) -> None:
    """Add a decision to a run without one, or remove it.

    model.json has the decision longer than the manifest has its checksum. A process that is killed in between leaves a
    run without a decision: the loader accepts the checksum of model.json without it.
    """
    content = (spec_json(spec.model_copy(update={"decision": decision})) + "\n").encode()
    files = {**manifest.files, MODEL: hashlib.sha256(content).hexdigest()}
    signed = manifest.model_copy(update={"files": files, "decided": decided}).with_checksum()
    written = [(MODEL, content), (MANIFEST, (signed.model_dump_json(indent=1) + "\n").encode())]
    for name, text in written if decision is not None else reversed(written):
        run.check_in_place()
        write_bytes(run.path / name, text, in_place=True)


def calibration_rows(run: Run) -> HeldOutRows:
    """The held-out rows of a run.

    Raises:
        RunError: there are none, or the file is damaged.
    """
    rows = run.load_held_out()
    if rows is not None and len(rows):
        return rows
    place = Location(source=str(run.path))
    manifest = run.load_manifest()
    check_not_removed(run.path, manifest, HELD_OUT)
    if manifest.validation_rows:
        raise RunError(
            "intervals and sets are calibrated by the predictions of held-out rows, which this run of an older version "
            "does not keep",
            location=place,
            hint=f"Train again: {train_command(run.path)}",
        )
    raise RunError(
        "there are no rows to calibrate intervals or sets with: all rows were used for training",
        location=place,
        hint=Advice(
            f"Train again with validation rows: {train_command(run.path)}", Advice(" ", SetKey("validation", "0.2"))
        ),
    )
