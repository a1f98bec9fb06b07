"""`nncli show`: a description of a run from its manifest, its model and its recorded scores."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nncli.base.errors import ResumeRun, in_terminal
from nncli.base.findings import Finding
from nncli.base.logs import format_duration
from nncli.base.spec import Task
from nncli.base.text import join_quoted, quote
from nncli.nn.arrays import Direction
from nncli.nn.network import LayerSize, layer_sizes
from nncli.run_directory.cross_validation import is_cross_validation
from nncli.run_directory.history_and_metrics import RecordedCycle, RecordedMetrics, read_metrics, verify_records
from nncli.run_directory.listing import RunKind, RunStatus, info_of
from nncli.run_directory.loader import read_manifest, read_spec
from nncli.run_directory.manifest import MANIFEST, METRICS, MODEL, Manifest
from nncli.run_directory.run import Run, is_search
from nncli.run_directory.saved_decision import decided_metrics, read_decision
from nncli.targets.decision import Decision

if TYPE_CHECKING:
    from nncli.analysis.evaluation.run_summary import CrossValidationSummary
    from nncli.models.model import ModelSpec
    from nncli.models.scores import Averaging
    from nncli.nn.losses.loss import LossBase
    from nncli.tuning.summary import SearchSummary


@dataclass(frozen=True)
class FeatureColumn:
    """A feature of the training table and its kind: numeric, categorical, date or text."""

    name: str
    kind: str


@dataclass(frozen=True)
class RecordedScore:
    """A metric of the model and of the baseline on the training or the validation rows; None is undefined.

    `target` is None unless there are several.
    """

    rows: Literal["training", "validation"]
    metric: str
    target: str | None
    value: float | None
    baseline: float | None


@dataclass(frozen=True)
class RunDescription:
    """What a run is. Times are ISO 8601 in UTC, durations seconds; None and empty tuples are not known yet.

    The `columns`, `layers` and `loss` of an ensemble are those of its first member, `parameters` those of all members,
    `best_epoch` is the largest of the `best_epochs` of its members. A `teacher` is the path of the run whose
    predictions the network learned, and `selection` says from which trials the members were selected. A loss of
    quantiles has `quantile_levels`, and `tweedie` a `loss_power`. The validation rows are of the `held_out_kind`. Their
    `scores` are by the saved `decision`, if there is one; those of the training rows then lack the scores of classes.
    With `averaging` the former include the expected gain of averaging all networks. `monotone` has the direction of
    each column in which the predictions are monotone, and `interactions` the sets of columns that act together.
    """

    path: Path
    kind: RunKind
    status: RunStatus
    started: str
    finished: str | None
    seconds: float | None
    command: tuple[str, ...]
    nncli_version: str
    seed: int
    data: str
    data_rows: int
    validation_data: str | None
    training_rows: int
    validation_rows: int
    task: Task | None
    target: tuple[str, ...]
    classes: tuple[str, ...]
    columns: tuple[FeatureColumn, ...]
    layers: tuple[LayerSize, ...]
    loss: str | None
    quantile_levels: tuple[float, ...]
    loss_power: float | None
    members: int
    parameters: int
    epochs: int
    best_epoch: int
    best_epochs: tuple[int, ...]
    held_out_kind: Literal["validation", "out-of-fold"]
    scores: tuple[RecordedScore, ...]
    findings: tuple[Finding, ...] = ()
    cycles: tuple[RecordedCycle, ...] = ()
    shrinkage: float = 0.0
    time_limit: str | None = None
    teacher: str | None = None
    selection: str | None = None
    decision: Decision | None = None
    averaging: Averaging | None = None
    private: bool = False
    target_runs: tuple[str, ...] = ()
    monotone: dict[str, Direction] = field(default_factory=dict)
    interactions: tuple[tuple[str, ...], ...] = ()

    def json(self) -> dict[str, Any]:
        """All fields and the next steps as a JSON object."""
        findings = [finding.as_json for finding in self.findings]
        decision = None if self.decision is None else self.decision.model_dump(mode="json")
        document = {**asdict(self), "path": str(self.path), "next": list(self.next_steps)}
        return {**document, "findings": findings, "decision": decision}

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The commands that make sense for a run of this status."""
        run = shlex.quote(str(self.path))
        predict = f"nncli predict {run} NEW_TABLE"
        if self.status == "done":
            return f"nncli report {run}", predict
        resume = in_terminal(ResumeRun(self.path))
        if self.status == "stopped":
            return (resume, predict) if self.kind == "network" else (resume,)
        return (resume,) if self.status == "killed" else ()

    def facts(self) -> list[tuple[str, str]]:
        """The description as pairs of a name and a text, which is empty where a fact is not known."""
        seconds = "" if self.seconds is None else f", {format_duration(self.seconds)}"
        started = self.started[:19].replace("T", " ")
        members = f"ensemble of {self.members:,} networks, " if self.members > 1 else ""
        best = span_of_epochs(self.best_epochs)
        return [
            ("run", str(self.path)),
            ("status", self.status),
            ("runs of targets", ", ".join(self.target_runs)),
            ("started", f"{started} UTC{seconds}"),
            ("private", "without rows, rare categories and paths" if self.private else ""),
            ("command", shlex.join(self.command)),
            ("time limit", self.time_limit or ""),
            ("teacher", self.teacher or ""),
            ("selected", self.selection or ""),
            ("nncli", f"{self.nncli_version}, seed {self.seed}"),
            ("data", f"{self.data}, {self.data_rows:,} rows"),
            ("validation data", self.validation_data or ""),
            ("rows", f"{self.training_rows:,} training, {self.validation_rows:,} {self.held_out_kind}"),
            ("target", self._target_text()),
            *self._columns_text(),
            ("monotone", ", ".join(f"{direction} in {quote(name)}" for name, direction in self.monotone.items())),
            ("interactions", "; ".join(map(join_quoted, self.interactions))),
            ("network", f"{members}{self.parameters:,} parameters" if self.parameters else ""),
            ("loss", self._loss_text()),
            ("epochs", f"{self.epochs:,}{best and f', {best}'}"),
            ("cycles", self._cycles_text()),
            ("decision", "" if self.decision is None else self.decision.text),
            ("scores", self._averaging_text()),
        ]

    def _loss_text(self) -> str:
        """The loss, and the levels of the quantiles that it predicts."""
        levels = ", ".join(f"{level:g}" for level in self.quantile_levels)
        name = "levels" if len(self.quantile_levels) > 1 else "level"
        power = "" if self.loss_power is None else f", power {self.loss_power:.4g}"
        return f"{self.loss}, {name} {levels}" if levels else f"{self.loss or ''}{power}"

    def _averaging_text(self) -> str:
        """Which gain the out-of-fold scores include, and whether they are of rows that chose the threshold.

        Those of several targets have a gain each.
        """
        chosen = "" if self.decision is None else self.decision.chosen_note
        if self.averaging is None:
            return chosen
        scores = [
            (score.metric, score.value) for score in self.scores if score.rows == "validation" and not score.target
        ]
        gain = f"out-of-fold {self.averaging.words(scores, decided=self.decision is not None)}"
        return f"{gain}; {chosen}" if chosen else gain

    def _cycles_text(self) -> str:
        """Why the training ended where it did, by the out-of-fold rows."""
        if not self.cycles:
            return ""
        last = self.cycles[-1]
        change = f"changed the loss of out-of-fold rows by {-last.decrease:+.3g} ± {last.standard_error:.2g}"
        return f"the cycle to epoch {last.epochs:,} {change}" + (", and one more was trained" if last.continues else "")

    def _target_text(self) -> str:
        if self.task is None:
            return ""
        from nncli.targets.target import KINDS, kind_of_task

        kind = kind_of_task(self.task) or KINDS["classification"]
        classes = f", {len(self.classes):,} {kind.output_nouns}: {kind.listed(self.classes)}" if self.classes else ""
        return f"{join_quoted(self.target)} ({self.task}{classes})"

    def _columns_text(self) -> list[tuple[str, str]]:
        names: dict[str, list[str]] = {}
        for column in self.columns:
            names.setdefault(column.kind, []).append(column.name)
        return [(f"{kind} columns", f"{len(of_kind):,}: {join_quoted(of_kind)}") for kind, of_kind in names.items()]


def describe(path: Path) -> RunDescription | CrossValidationSummary | SearchSummary:
    """Describe a run, a cross-validation or a search of hyperparameters.

    Raises:
        RunError: it is none of them, or one of its files is damaged.
    """
    if is_search(path):
        from nncli.tuning.summary import read_search

        return read_search(path)
    if is_cross_validation(path):
        from nncli.analysis.evaluation.run_summary import summarize_cross_validation

        return summarize_cross_validation(path)
    return show(path)


def show(run: str | Path) -> RunDescription:
    """Describe a trained run, or one whose training is under way or was interrupted.

    Raises:
        RunError: it is not a run directory, or one of its files is damaged.
    """
    path = Path(run)
    run_directory = Run.open(path)
    manifest = run_directory.load_manifest()
    verify_records(path, manifest)
    info = info_of(path)
    spec = _spec(path, manifest)
    metrics = read_metrics(path, manifest) if METRICS in manifest.files else None
    decision = read_decision(run_directory)
    if metrics is not None and decision is not None:
        metrics = decided_metrics(run_directory, metrics, decision)
    target = None if spec is None else spec.target
    return RunDescription(
        path=path,
        kind=info.kind,
        status=info.status,
        started=manifest.started,
        finished=manifest.finished,
        seconds=manifest.seconds,
        command=_command(manifest.command),
        nncli_version=manifest.nncli_version,
        seed=manifest.seed,
        data=manifest.data.title,
        data_rows=manifest.data.rows,
        validation_data=None if manifest.validation_data is None else manifest.validation_data.title,
        training_rows=manifest.training_rows,
        validation_rows=manifest.validation_rows,
        task=None if target is None else target.task,
        target=() if target is None else target.names,
        classes=() if target is None else target.labels,
        columns=() if spec is None else tuple(FeatureColumn(c.name, c.type) for c in spec.encoder.columns),
        layers=() if spec is None else layer_sizes(spec.network),
        loss=None if spec is None else spec.loss.type,
        quantile_levels=() if spec is None else _quantile_levels(spec.loss),
        loss_power=None if spec is None or spec.loss.type != "tweedie" else spec.loss.deviance_power,
        members=manifest.members,
        parameters=manifest.parameters,
        epochs=manifest.epochs,
        best_epoch=manifest.best_epoch,
        best_epochs=_best_epochs(path, manifest),
        held_out_kind=manifest.held_out_kind,
        scores=(*_scores(metrics), *_scores_of_targets(run_directory)),
        findings=() if metrics is None else metrics.findings,
        cycles=() if metrics is None else metrics.cycles,
        shrinkage=0.0 if metrics is None else metrics.shrinkage,
        time_limit=manifest.time_limit,
        teacher=None if manifest.teacher is None else manifest.teacher.path,
        selection=None if manifest.selection is None else manifest.selection.text,
        decision=decision,
        averaging=None if metrics is None or metrics.validation is None else metrics.validation.averaging,
        private=manifest.private,
        monotone={} if spec is None else spec.monotone,
        interactions=() if spec is None else spec.interactions,
        target_runs=tuple(str(of_target.path) for of_target in run_directory.targets.values()),
    )


def span_of_epochs(best_epochs: Sequence[int]) -> str:
    """`best epoch 12`, or for members that differ `best epochs 3 to 12`; empty before the first epoch."""
    epochs = [epoch for epoch in best_epochs if epoch]
    if not epochs:
        return ""
    low, high = min(epochs), max(epochs)
    return f"best epoch {low:,}" if low == high else f"best epochs {low:,} to {high:,}"


def _best_epochs(path: Path, manifest: Manifest) -> tuple[int, ...]:
    """The best epoch of the network, or of each member that has been started."""
    if manifest.members == 1:
        return (manifest.best_epoch,)
    folders = [path / folder for folder in manifest.member_folders]
    return tuple(read_manifest(folder).best_epoch for folder in folders if (folder / MANIFEST).is_file())


def _spec(path: Path, manifest: Manifest) -> ModelSpec | None:
    """The model of a network or of an ensemble's first member; None if it is not written yet."""
    folder = path if manifest.members == 1 else path / manifest.member_folders[0]
    if not (folder / MODEL).is_file():
        return None
    return read_spec(folder, manifest if manifest.members == 1 else read_manifest(folder))


def _quantile_levels(loss: LossBase) -> tuple[float, ...]:
    """The levels of the quantiles that a loss of one or several predicts."""
    return loss.quantile_levels if loss.quantile is None else (loss.quantile,)


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command line with `nncli` for the path of the program."""
    return ("nncli", *words[1:]) if words else ()


def _scores_of_targets(run: Run) -> Iterator[RecordedScore]:
    """The scores of each of several targets, once its run is complete."""
    for name, of_target in run.targets.items():
        if (of_target.path / MANIFEST).is_file():
            yield from (replace(score, target=name) for score in show(of_target.path).scores)


def _scores(metrics: RecordedMetrics | None) -> tuple[RecordedScore, ...]:
    if metrics is None:
        return ()
    sets: tuple[Literal["training", "validation"], ...] = ("training", "validation")
    return tuple(
        RecordedScore(rows, score.name, score.target, score.value, score.baseline)
        for rows, card in zip(sets, (metrics.training, metrics.validation), strict=True)
        if card is not None
        for score in card.scores
    )
