"""What went wrong in the training of a run: its records, its rows, and short trainings at other learning rates."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.evaluation.linear_model import linear_benchmark
from nncli.analysis.remedies import measure_remedies
from nncli.base.errors import NncliError
from nncli.base.findings import Finding
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.base.text import json_safe
from nncli.fitting.checks.evidence import ClassRecall, Evidence, HeldOutScore, RateTrial, RowEvidence
from nncli.fitting.checks.training_problem import TrainingProblem
from nncli.fitting.checks.training_rules import MAX_FINDINGS, OF_TABLE, training_problems
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.train.provenance import check_tables_unchanged
from nncli.models.model import Model
from nncli.nn.arrays import Floats, RowIndices
from nncli.nn.batches.dataset import Dataset
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.parameters import Parameters
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport, fit
from nncli.nn.training.state import RandomStreams, TrainState
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import check_is_run
from nncli.run_directory.history_and_metrics import History, read_health, read_history, read_metrics
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import HISTORY, MANIFEST, METRICS, WEIGHTS, Manifest
from nncli.run_directory.remedies import MeasuredRemedy, read_remedies, save_remedies
from nncli.run_directory.run import Run
from nncli.targets.metrics.registry import higher_is_better
from nncli.targets.row_scores import RowScore

MAX_ROWS, MAX_COMPARED = 20_000, 1_500
"""Rows that are searched for contradictions, and of which each is compared with each."""
NEIGHBORS = 5
MIN_OF_CLASS = 10
"""Training rows of a class whose recall is computed."""
CONSTANT_STEPS = 300
"""Steps in which the best constant output is fitted."""
SWEEP_STEPS, SWEEP_SECONDS = 200, 20.0
"""Steps of each short training of a sweep, and seconds after which a sweep ends."""
FACTORS = (1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0, 0.01, 100.0, 1e-3, 1e3)
"""The rates of a sweep relative to that of the training, in the order in which they are tried."""


@dataclass(frozen=True)
class TrainingDiagnosis:
    """What is wrong with the training of a run, the costliest first; nothing if `findings` is empty.

    `health` are the measurements of each network, `rates` the short trainings of a sweep, in the order of their rates.
    `remedies` are those that were measured. `notes` say what could not be looked at.
    """

    run: Path
    findings: tuple[Finding, ...]
    health: tuple[tuple[Health, ...], ...]
    rates: tuple[RateTrial, ...] = ()
    notes: tuple[str, ...] = ()
    remedies: tuple[MeasuredRemedy, ...] = ()

    def json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        findings = [finding.as_json for finding in self.findings]
        health = [[asdict(moment) for moment in network] for network in self.health]
        rates = [asdict(trial) for trial in self.rates]
        document: dict[str, Any] = {"run": str(self.run), "findings": findings, "health": health, "rates": rates}
        document["remedies"] = [remedy.as_json for remedy in self.remedies]
        return {key: json_safe(value) for key, value in document.items()} | {"notes": list(self.notes)}


def diagnose_run(path: Path, *, rates: bool = False, tries: bool = False) -> TrainingDiagnosis:
    """Say what is wrong with the training of a run.

    With `rates`, short trainings from the first weights compare learning rates. If it `tries`, each remedy is trained
    shortly on the same folds, and what it does to the score is kept in the run.

    Raises:
        RunError: it is no run, or a file of it is damaged.
    """
    check_is_run(path, ", not a run", "Name the run of one of its folds.")
    run, notes = Run.open(path), list[str]()
    manifest = run.load_manifest()
    folders = _trainings(path, manifest)
    recorded = read_metrics(path, manifest).findings if METRICS in manifest.files else ()
    networks = [_recorded(folder, recorded) for folder in folders]
    if networks and not any(network.health for network in networks):
        notes.append("the run has no health.csv: it was trained by an older version, or is not finished")
    reports = [report for network in networks for report in network.reports]
    if reports and all(report.val_loss is None for report in reports):
        notes.append("there are no validation losses: whether the network overfits cannot be seen")
    of_rows, trials = None, tuple[RateTrial, ...]()
    score, missed = None, None
    if manifest.targets or manifest.beside:
        notes.append("the training rows were not looked at: one network learned several targets")
    elif networks and networks[0].config.teacher is not None:
        notes.append("the training rows were not looked at: a teacher's predictions are the targets")
    elif networks:
        try:
            with Scratch(path) as scratch:
                of_rows, trials = _look_at_rows(folders[0], scratch, rates=rates)
        except NncliError as error:
            notes.append(f"the training rows were not looked at: {error.message}")
        else:
            with suppress(NncliError):  # as of a training that is not finished, which has no scores
                score, missed = held_out_evidence(predict_held_out(path))
    problems = [
        training_problems(
            replace(network, rows=of_rows, rates=trials, held_out=score, missed=missed, networks=manifest.members)
        )
        for network in networks
    ]
    chosen = sorted(_common(problems), key=lambda problem: -problem.cost)[:MAX_FINDINGS]
    remedies = read_remedies(path, manifest)
    if tries:
        try:
            remedies = tuple(measure_remedies(path, chosen))
            save_remedies(path, manifest, remedies)
        except NncliError as error:
            notes.append(f"the remedies were not measured, or not kept: {error.message}")
    measured = {(remedy.code, remedy.assignments, remedy.goal): remedy for remedy in remedies}
    return TrainingDiagnosis(
        run=path,
        findings=tuple(problem.finding(path, measured.get(problem.remedy)) for problem in chosen),
        health=tuple(tuple(network.health) for network in networks),
        rates=tuple(sorted(trials, key=lambda trial: trial.rate)),
        notes=tuple(notes),
        remedies=remedies,
    )


def recorded_diagnosis(path: Path) -> TrainingDiagnosis:
    """What a run has recorded: the health of its networks, and the remedies that were measured.

    Raises:
        RunError: a file of it is damaged.
    """
    manifest = Run.open(path).load_manifest()
    health = tuple(read_health(folder, read_manifest(folder)) for folder in _trainings(path, manifest))
    return TrainingDiagnosis(path, (), health, remedies=read_remedies(path, manifest))


def _trainings(path: Path, manifest: Manifest) -> list[Path]:
    """The folders of the networks that were trained: one for each training, of which several epochs may be averaged."""
    folders = [path]
    if manifest.members > 1:
        trained = read_config(path).n_members
        folders = [path / name for name in manifest.member_folders[:trained]]
    return [folder for folder in folders if (folder / MANIFEST).is_file()]


def held_out_evidence(held_out: HeldOutPredictions) -> tuple[HeldOutScore | None, ClassRecall | None]:
    """The score of what predicts beside those of the baseline and a linear model, and the rarest class it misses."""
    if held_out.split != "validation":
        return None, None
    target, metric = held_out.predictions.target, held_out.predictions.target.verdict_metric(held_out.loss)
    linear, missed = linear_benchmark(held_out), None
    if rare := held_out.head.scoring.rare_classes(held_out.predictions, held_out.y):
        worst = min(rare, key=lambda each: each.recall)
        share = worst.rows / len(held_out)
        missed = ClassRecall(worst.label, worst.rows, share, worst.recall, len(target.labels))
    scores = held_out.scores_with_intervals()
    score = next((score for score in scores.scores if score.name == metric), None)
    if score is None or score.value is None or score.baseline is None:
        return None, missed
    beside, sign = linear.of(score), -1.0 if higher_is_better(metric) else 1.0
    is_below = beside is not None and beside.improvement is not None and beside.improvement.high < 0.0
    of_linear = None if beside is None or beside.baseline is None else sign * beside.baseline
    return HeldOutScore(metric, sign * score.value, sign * score.baseline, of_linear, is_below), missed


def _recorded(folder: Path, findings: Sequence[Finding]) -> Evidence:
    """The evidence in the files of one network."""
    manifest = read_manifest(folder)
    history = read_history(folder, manifest) if HISTORY in manifest.files else History(None, ())
    return Evidence(
        config=read_config(folder),
        health=read_health(folder, manifest),
        reports=history.reports,
        recorded=findings,
        diverged=manifest.status == "failed",
        training_rows=manifest.training_rows,
    )


def _common(of_networks: Sequence[tuple[TrainingProblem, ...]]) -> Iterator[TrainingProblem]:
    """Of each problem that most networks have, that of the middle cost."""
    by_code: dict[str, list[TrainingProblem]] = {}
    for network in of_networks:
        for problem in network:
            by_code.setdefault(problem.code, []).append(problem)
    for same in by_code.values():
        if 2 * len(same) > len(of_networks):
            middle = sorted(same, key=lambda problem: problem.cost)[len(same) // 2]
            is_of_some = len(of_networks) > 1 and middle.code not in OF_TABLE
            of_all = f" (in {len(same):,} of {len(of_networks):,} trainings)" if is_of_some else ""
            yield replace(middle, message=f"{middle.message}{of_all}")


def _look_at_rows(folder: Path, scratch: Scratch, *, rates: bool) -> tuple[RowEvidence, tuple[RateTrial, ...]]:
    """What the training rows of a network tell, and the sweep of learning rates if it is asked for.

    Raises:
        NncliError: the table is not there, or has changed.
    """
    manifest = read_manifest(folder)
    config = read_config(folder)
    with log_duration("reading the training rows"):
        check_tables_unchanged(config, manifest)
        prepared = prepare(config, scratch)
    with log_duration("looking at the training rows"):
        evidence = row_evidence(prepared, _weights(folder, manifest))
    if not rates:
        return evidence, ()
    with log_duration("trying learning rates"):
        return evidence, tuple(sweep(prepared))


def _weights(folder: Path, manifest: Manifest) -> Parameters | None:
    if WEIGHTS not in manifest.files:
        return None
    model = Run(folder).load_model(several=True)
    return model.parameters if isinstance(model, Model) else None


def row_evidence(prepared: PreparedTraining, weights: Parameters | None = None) -> RowEvidence:
    """What the training rows tell about a training with these final weights."""
    arguments, data = prepared.arguments, prepared.fitted
    many, few = _sample(data, MAX_ROWS), _sample(data, MAX_COMPARED)
    target = prepared.spec.target
    by = target.row_score
    contradicting, example = (0.0, None) if by is None else _contradictions(_part(data, many), by)
    compared = _part(data, few)
    zero, baseline, dZ = _best_constant(prepared, compared)
    heavy, rows = _heavy_rows(compared, dZ)
    predicted = None if weights is None or by is None else by.of_outputs(_values(prepared, weights, compared))
    truth = compared.y if by is None else by.values(compared.y)
    recalls = {} if by is None else by.recalls(predicted, truth, MIN_OF_CLASS)
    missed = min(recalls, key=lambda c: recalls[c], default=None)
    sizes = np.sqrt(np.square(compared.X, dtype=np.float64).mean(axis=0)) if compared.X.size else np.zeros(0)
    widest = int(sizes.argmax()) if sizes.size else -1
    return RowEvidence(
        baseline=baseline,
        zero=0.0 if by is None else by.chance_loss(zero),
        score="" if by is None else by.name,
        target_size=target.encoded_size(data.y),
        contradicting=contradicting,
        example=None
        if example is None
        else (arguments.row(int(many[example[0]])), arguments.row(int(many[example[1]]))),
        heavy=heavy,
        heavy_rows=tuple(arguments.row(int(few[i])) for i in rows),
        widest=arguments.features[widest] if 0 <= widest < len(arguments.features) else "",
        size=float(sizes[widest]) if sizes.size else 0.0,
        neighbors=None if by is None else _neighbor_score(compared, by),
        network=None if predicted is None or by is None else by.score(predicted, truth, compared.weights),
        missed="" if missed is None else prepared.spec.target.labels[missed],
        recall=1.0 if missed is None else recalls[missed],
    )


def _sample(data: Dataset, n: int) -> RowIndices:
    return np.arange(len(data)) if len(data) <= n else np.sort(np.random.default_rng(0).choice(len(data), n, False))


def _part(data: Dataset, rows: RowIndices) -> Dataset:
    weights = None if data.weights is None else data.weights[rows]
    return Dataset(np.asarray(data.X[rows]), np.asarray(data.codes[rows]), data.y[rows], weights)


def _best_constant(prepared: PreparedTraining, data: Dataset) -> tuple[float, float, npt.NDArray[np.float64]]:
    """The loss of the output 0, that of the best constant, fitted by Adam whatever the loss, and its gradient dZ."""
    k = prepared.arguments.network.n_outputs
    Z, z, mean, square = np.zeros((len(data), k)), np.zeros(k), np.zeros(k), np.zeros(k)
    weights = None if data.weights is None else data.weights.astype(np.float64)
    y = data.y if data.y.dtype.kind != "f" else data.y.astype(np.float64)
    head = prepared.arguments.loss.bind(Z, y, weights)
    rate = max(0.05, 0.02 * float(np.abs(y).max())) if y.dtype.kind == "f" else 0.05
    with np.errstate(all="ignore"):
        zero = head.forward()
        for t in range(1, CONSTANT_STEPS + 1):
            Z[...] = z
            head.forward()
            g = head.backward().sum(axis=0)
            mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
            step = mean / (1.0 - 0.9**t) / (np.sqrt(square / (1.0 - 0.99**t)) + 1e-12)
            z = z - rate * (1.0 - t / (CONSTANT_STEPS + 1)) * step
        Z[...] = z
        return zero, head.forward(), head.backward().astype(np.float64)


def _contradictions(data: Dataset, by: RowScore) -> tuple[float, tuple[int, int] | None]:
    """The fraction of rows with another target than most rows of the same features, and two such rows."""
    features = np.ascontiguousarray(np.hstack([data.X, data.codes.astype(data.X.dtype)]))
    y = by.values(data.y)
    if not features.shape[1]:
        return 0.0, None
    keys = features.view(np.dtype((np.void, features.itemsize * features.shape[1])))[:, 0]
    _, group = np.unique(keys, return_inverse=True)
    order = np.argsort(group, kind="stable")
    n, example, far = 0, None, by.tolerance(y)
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(rows) < 2:
            continue
        other = np.abs(y[rows] - by.typical(y[rows])) > far
        n += int(other.sum())
        if example is None and other.any():
            example = int(rows[np.argmin(other)]), int(rows[np.argmax(other)])
    return n / len(y), example


def _heavy_rows(data: Dataset, dZ: npt.NDArray[np.float64]) -> tuple[float, list[int]]:
    """The fraction of the rows' gradients that a hundredth of the rows has, and three of these.

    That of the weights of a row is the product of dZ (rows, outputs) and its features.
    """
    norms = np.linalg.norm(dZ, axis=1) * np.sqrt(1.0 + np.square(data.X, dtype=np.float64).sum(axis=1))
    order = np.argsort(-norms)[: max(1, len(norms) // 100)]
    total = float(norms.sum())
    return (float(norms[order].sum()) / total if total > 0.0 else 0.0), order[:3].tolist()


def _neighbor_score(data: Dataset, by: RowScore) -> float | None:
    """The score of the targets of each row's five nearest other rows, all features having the same spread."""
    X = data.X.astype(np.float64)
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)
    if len(X) <= 2 * NEIGHBORS or not X.shape[1] + data.codes.shape[1]:
        return None
    squares = np.square(X).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2.0 * X @ X.T
    for column in data.codes.T:
        distance += 2.0 * (column[:, None] != column[None, :])
    np.fill_diagonal(distance, inf)
    nearest = np.argpartition(distance, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    values = by.values(data.y)
    return by.score(by.of_neighbors(values[nearest]), values, data.weights)


def _values(prepared: PreparedTraining, weights: Parameters, data: Dataset) -> Floats:
    """The predicted values (rows, outputs) of encoded rows."""
    network, loss = prepared.arguments.network, prepared.arguments.loss
    bound = network.bind(weights, len(data), training=None, forward_only=True)
    bound.X[...], bound.codes[...] = data.X, data.codes
    bound.forward()
    return loss.inverse_link(bound.Z)


def sweep(prepared: PreparedTraining) -> Iterator[RateTrial]:
    """Short trainings from the first weights at rates around that of the training, until the time is over."""
    arguments, start = prepared.arguments, time.monotonic()
    steps = -(-len(prepared.fitted) // arguments.batch_size)
    peak = getattr(arguments.schedule, "peak", 0.0)
    for factor in FACTORS:
        if time.monotonic() - start > SWEEP_SECONDS and factor not in FACTORS[:3]:
            return
        short = replace(
            arguments,
            schedule=ConstantRate(peak=peak * factor),
            epochs=-(-SWEEP_STEPS // steps),
            patience=None,
            monitor="loss",
            rollback_on_divergence=False,
            backend="numpy",
            snapshot_epochs=(),
        )
        state = TrainState.create(
            arguments.network,
            arguments.optimizer,
            RandomStreams.of(prepared.config.seed),
            arguments.n_shards,
            prepared.fitted,
            arguments.loss,
        )
        try:
            last = deque((e for e in fit(short, state, prepared.fitted) if isinstance(e, EpochReport)), maxlen=1)
            yield RateTrial(peak * factor, last[0].loss if last and isfinite(last[0].loss) else inf)
        except DivergedError:
            yield RateTrial(peak * factor, inf)
