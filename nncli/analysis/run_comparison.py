"""The comparison of several runs: configuration differences, scores, and significance tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nncli.analysis.evaluation.held_out import HeldOutPredictions, ScoredSplit, predict_held_out, predict_labeled
from nncli.analysis.evaluation.pairwise import (
    ComparableRun,
    PairwiseResult,
    comparable_run,
    compare_pairwise,
    have_equal_costs,
)
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.base.errors import Advice, DataError, NncliError, ResumeRun, RunError, UsageError, UseOption, in_terminal
from nncli.base.findings import FindingCode
from nncli.base.logs import log_duration
from nncli.base.spec import non_defaults
from nncli.base.text import json_safe
from nncli.config.schema import Config
from nncli.config.yaml.writer import dump_scalar
from nncli.data.sources.table_source import TableLocation
from nncli.fitting.prepare.validation import monitor_name
from nncli.models.read_table import read_data, source_name
from nncli.models.scores import ScoreWithInterval, no_better_note
from nncli.nn.losses import Loss
from nncli.run_directory import listing
from nncli.run_directory.config import read_config
from nncli.run_directory.history_and_metrics import History
from nncli.run_directory.listing import RunInfo, info_of, is_run, notes_on_choice
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run, check_is_no_search
from nncli.run_directory.training_rows import RowMatches
from nncli.targets.decision import Decision, decision_note
from nncli.targets.metrics.registry import COST, higher_is_better, with_class
from nncli.targets.target import kind_of

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


IGNORED_KEYS = frozenset({"output", "workers", "threads", "memory_limit", "checkpoint", "layers"})
"""Keys that do not affect the result, and the layers, which are compared separately."""
COLUMNS, LAYERS = "data.columns.", "layers."
LAYER_DEFAULTS = ("activation", "init", "parametrization")
"""Keys with defaults for all layers."""


@dataclass(frozen=True)
class Setting:
    """A key with dots, such as `optimizer.type`, and its value in each run as YAML; None where the run has none."""

    key: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class ResolvedConfig:
    """A run's configuration; for an ensemble, `auto` values are resolved by that of its first `member`."""

    config: Config
    member: Config | None = None

    @property
    def network(self) -> Config:
        """The configuration that has the layers of the network."""
        return self.config if self.member is None else self.member

    @property
    def loss(self) -> Loss | None:
        """The loss, if it is resolved."""
        if self.config.loss is None and self.member is not None:
            return self.member.loss
        return self.config.loss


def config_diff(configs: Sequence[ResolvedConfig | None]) -> tuple[Setting, ...]:
    """The keys whose values differ between the known configurations, in the order of the schema.

    If all have the same sequence of layer types, layers are compared by key, such as `layers.1.units`, else as a whole.
    A key that only some configurations have, such as the momentum of one optimizer, is listed if it is not at its
    default; the kind of a column, if all tables have the column.
    """
    present = [resolved for resolved in configs if resolved is not None]
    alike = len({_kinds(resolved.network.layers) for resolved in present}) == 1
    layers = _by_key if alike else _in_line
    settings = [
        None if resolved is None else {**dict(_flat(resolved)), **dict(layers(resolved.network))}
        for resolved in configs
    ]
    explicit = {key for resolved in present for key, _ in _pairs(non_defaults(resolved.config))}
    all_values = [values for values in settings if values is not None]
    order = {name: i for i, name in enumerate(Config.model_fields)}
    keys = sorted(
        dict.fromkeys(key for values in all_values for key in values),
        key=lambda key: (
            order[key.partition(".")[0]],
            [int(part) for part in key.split(".") if part.isdigit()] if key.startswith(LAYERS) else [],
        ),
    )  # a stable sort keeps the keys of a section together

    def differs(key: str) -> bool:
        values_of_key = [values.get(key) for values in all_values]
        if None in values_of_key and not key.startswith(LAYERS):
            return key in explicit and not key.startswith(COLUMNS)
        return len(set(values_of_key)) > 1

    return tuple(
        Setting(key, tuple(None if values is None else values.get(key) for values in settings))
        for key in keys
        if differs(key)
    )


def _flat(resolved: ResolvedConfig) -> Iterator[tuple[str, str]]:
    """Every key but those of the layers, with its value."""
    config, document = resolved.config, resolved.config.model_dump(mode="json")
    if resolved.member is not None:
        document = _filled(document, resolved.member.model_dump(mode="json"))
    if not config.is_ensemble:
        del document["bagging"]
    else:
        document["bagging"] = config.bagging_mode
    if (loss := resolved.loss) is not None:
        has_validation = config.validation != 0.0 or (config.is_ensemble and config.bagging_mode != "seeds")
        document["metric"] = monitor_name(config, kind_of(loss), has_validation=has_validation)
        expected = kind_of(loss).expected_calibration(config.calibration)
        document["calibration"] = expected if has_validation or config.calibration != "auto" else "none"
    yield from _pairs(document)


def _kinds(layers: Sequence[Any]) -> tuple[object, ...]:
    """The types of layers, and of the layers inside them."""
    return tuple((layer.type, _kinds(getattr(layer, "layers", ()))) for layer in layers)


def _in_line(config: Config) -> Iterator[tuple[str, str]]:
    """All layers as one value in short form."""
    common = {key: non_defaults(getattr(config, key)) for key in LAYER_DEFAULTS}
    yield "layers", in_line([_short(non_defaults(layer), common) for layer in config.layers])


def _by_key(config: Config) -> Iterator[tuple[str, str]]:
    """Every key of every layer that differs from the defaults of all layers."""
    document = config.model_dump(mode="json")
    common = {key: document[key] for key in LAYER_DEFAULTS}

    def of(layers: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[tuple[str, str]]:
        for i, layer in enumerate(layers):
            options = {key: value for key, value in layer.items() if value not in (None, common.get(key))}
            yield from of(options.pop("layers", ()), f"{prefix}{i}.{LAYERS}")
            yield from _pairs(options, f"{prefix}{i}.")

    return of(document["layers"], LAYERS)


def _filled(document: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `auto` and null values replaced by those of the member."""
    filled: dict[str, Any] = {}
    for key, value in document.items():
        resolved = member.get(key)
        if isinstance(value, Mapping) and isinstance(resolved, Mapping):
            filled[key] = _filled(value, resolved)
        else:
            filled[key] = resolved if value in (None, "auto") else value
    return filled


def _short(layer: Any, defaults: Mapping[str, object]) -> object:
    """The short form of a layer: `64` for a dense layer, `layer_norm` for a layer with defaults only."""
    options = {key: value for key, value in layer.items() if key not in defaults or value != defaults[key]}
    if isinstance(options.get("layers"), list):
        options["layers"] = [_short(inner, defaults) for inner in options["layers"]]
    if options.keys() == {"type"}:
        return options["type"]
    return options["units"] if options.keys() == {"type", "units"} else options


def _pairs(document: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values on one line."""
    for key, value in document.items():
        if not prefix and key in IGNORED_KEYS:
            continue
        if isinstance(value, Mapping) and value:
            yield from _pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", in_line(value)


def in_line(value: object) -> str:
    """YAML on one line.

    >>> in_line([{"type": "dense", "units": 4}, 2.5])
    '[{type: dense, units: 4}, 2.5]'
    """
    if isinstance(value, Mapping) and value:
        return "{" + ", ".join(f"{dump_scalar(str(key))}: {in_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple) and value:
        return f"[{', '.join(map(in_line, value))}]"
    return dump_scalar([] if value == () else value)


Histories: TypeAlias = tuple[tuple[int, History], ...]
Predict: TypeAlias = Callable[[Path], HeldOutPredictions]


@dataclass(frozen=True)
class ComparedRun:
    """One of the compared runs.

    `scores` are of `rows_scored` rows of the split `scored_on`; they come from metrics.json, without intervals, where
    the rows are not available. They are `optimistic` if the run was trained on these rows, or they chose its epoch.
    `problems` say what is missing, and why. `training_rows` says how many rows of another table the run was trained or
    validated on, if it is known. With `out_of_fold` each row is predicted by the members that were not
    trained on it. The scored classes follow the saved `decision`, None for the most probable class. `no_better` says
    that no score is better than that of the baseline.
    """

    path: Path
    name: str
    info: RunInfo
    config: ResolvedConfig | None = None
    scored_on: ScoredSplit | None = None
    rows_scored: int = 0
    scores: tuple[ScoreWithInterval, ...] = ()
    optimistic: bool = False
    histories: Histories = ()
    problems: tuple[str, ...] = ()
    out_of_fold: bool = False
    training_rows: RowMatches | None = None
    decision: Decision | None = None
    no_better: str | None = None

    @property
    def predictions(self) -> str | None:
        """Which predictions are scored: out-of-fold, validation, training, or the model's on another table."""
        if self.out_of_fold:
            return "out-of-fold"
        return "model" if self.scored_on == "table" else self.scored_on


@dataclass(frozen=True)
class ScoreRow:
    """One score of every run (None where a run lacks it).

    `best` marks the best of several runs that are validated alike, unless these chose its epoch from more
    epochs than that of another. A score of one of two classes is of the second of the `labels`, if all runs have them.
    """

    name: str
    target: str | None
    values: tuple[ScoreWithInterval | None, ...]
    best: tuple[bool, ...]
    labels: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the score with the class that it is of, followed by the target where there are several."""
        name = with_class(self.name, self.labels)
        return name if self.target is None else f"{name}, {self.target}"


APART = "the runs have different tables or targets, so neither their settings nor their scores can be compared"


@dataclass(frozen=True)
class RunComparison:
    """The comparison of several runs; `task_ids` numbers the table and target of each, None where not known.

    `data` names the table that all are scored on, None for the held-out rows of each.
    """

    runs: tuple[ComparedRun, ...]
    task_ids: tuple[int | None, ...]
    settings: tuple[Setting, ...]
    scores: tuple[ScoreRow, ...]
    pairs: tuple[PairwiseResult, ...]
    notes: tuple[str, ...]
    data: str | None = None

    @property
    def scored_rows(self) -> str:
        """The rows that the runs are scored on, in a title."""
        return "held-out rows" if self.data is None else f"the rows of {self.data}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the notes that say that a run was trained on the rows it is scored on."""
        warnings = {f"{run.name}: {run.training_rows.warning}" for run in self.runs if run.training_rows is not None}
        return tuple(note for note in self.notes if note in warnings)

    @property
    def apart(self) -> str | None:
        """Why nothing can be compared, if every run has a table or a target of its own, else None."""
        return APART if APART in self.notes and self.data is None else None

    def sentence(self, pair: PairwiseResult) -> str:
        """The result of a pair as a sentence."""
        return pair.sentence(self.runs[pair.a].name, self.runs[pair.b].name)

    def json(self) -> dict[str, Any]:
        """The comparison without the histories; null stands for unknown and infinite numbers."""
        document = {
            "runs": [
                {
                    **run.info.json(),
                    "name": run.name,
                    "scored_on": run.scored_on,
                    "predictions": run.predictions,
                    "rows_scored": run.rows_scored,
                    "optimistic": run.optimistic,
                    "training_rows": None if run.training_rows is None else run.training_rows.json(),
                    "problems": list(run.problems),
                    "decision": None if run.decision is None else run.decision.model_dump(mode="json"),
                }
                for run in self.runs
            ],
            "settings": [{"key": setting.key, "values": list(setting.values)} for setting in self.settings],
            "scores": [_score_json(row) for row in self.scores],
            "pairs": [self._pair_json(pair) for pair in self.pairs],
            "notes": list(self.notes),
            "data": self.data,
        }
        return {key: json_safe(value) for key, value in document.items()}

    def _pair_json(self, pair: PairwiseResult) -> dict[str, Any]:
        test = pair.test
        interval = None if test is None else test.interval
        return {
            "a": str(self.runs[pair.a].path),
            "b": str(self.runs[pair.b].path),
            "rows": pair.rows,
            "units": test and test.units,
            "measure": pair.measure,
            "mean_difference": test and test.mean,
            "low": interval and interval.low,
            "high": interval and interval.high,
            "p_value": test and test.p,
            "corrected_p_value": pair.corrected_p,
            "adjusted_p_value": pair.adjusted_p,
            "significant": pair.is_significant,
            "reason": pair.reason or None,
            "optimistic": None if pair.optimistic is None else str(self.runs[pair.optimistic].path),
            "beside": pair.beside and pair.beside._asdict(),
            "sentence": self.sentence(pair),
        }


def compare_runs(runs: Sequence[Path], data: TableLocation | Frame | None = None) -> RunComparison:
    """Compare runs, those of a folder for a folder, on their held-out rows or on the labeled rows of `data`.

    Raises:
        UsageError: there are fewer than two runs.
        RunError: a folder does not exist.
        DataError: `data` cannot be read, or no run can be scored on it.
    """
    table = None if data is None else _GivenTable(data)
    predict = predict_held_out if table is None else table.predict
    paths = _paths(runs)
    loaded = [_load_run(path, name, predict) for path, name in zip(paths, _names(paths), strict=True)]
    compared, comparable = tuple(run for run, _ in loaded), [rows for _, rows in loaded]
    if table is not None and table.errors and all(run.scored_on is None for run in compared):
        raise table.errors[0]
    seen: dict[object, int] = {}
    task_ids = tuple(None if run is None else seen.setdefault(run.task_key, len(seen)) for run in comparable)
    pairs = compare_pairwise(comparable)
    return RunComparison(
        runs=compared,
        task_ids=task_ids,
        settings=config_diff([run.config for run in compared]),
        scores=_score_rows(compared, comparable),
        pairs=pairs,
        notes=tuple(_notes(compared, task_ids, comparable, pairs)),
        data=None if data is None else source_name(data),
    )


@dataclass
class _GivenTable:
    """Predicts the rows of a table with any run; `errors` are those of the table or its cells, in the order of runs."""

    data: TableLocation | Frame
    errors: list[DataError] = field(default_factory=list)

    def predict(self, path: Path) -> HeldOutPredictions:
        try:
            return predict_labeled(path, partial(read_data, data=self.data))
        except DataError as error:
            self.errors.append(error)
            raise


def _paths(wanted: Sequence[Path]) -> list[Path]:
    """The named runs, and those in the named folders."""
    paths: dict[Path, Path] = {}
    for path in wanted:
        if not path.is_dir():
            Run.open(path)  # raises the error
        check_is_no_search(path)
        runs = [path] if is_run(path) else [run.path for run in listing.runs(path) if run.kind != "search"]
        for run in runs:
            paths.setdefault(run.resolve(), run)
    if len(paths) < 2:
        count = "only one run" if paths else "no run"
        raise UsageError(
            f"there is {count} to compare", hint="Name two or more: nncli compare RUN RUN. List them with nncli runs."
        )
    return list(paths.values())


def _names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, or the whole path where two end alike."""
    short = [path.resolve().name for path in paths]
    return [name if short.count(name) == 1 else str(path) for name, path in zip(short, paths, strict=True)]


def _load_run(path: Path, name: str, predict: Predict) -> tuple[ComparedRun, ComparableRun | None]:
    """A run as far as it can be read, and its predictions for the rows that it is scored on."""
    info = info_of(path)
    try:
        with log_duration(f"scoring {path}"):
            summary = summarize_run(Run.open(path).path, predict)
    except NncliError as error:
        return ComparedRun(path, name, info, problems=(error.on(in_terminal),)), None
    problems, config = list(summary.problems), None
    if info.status in ("running", "killed"):
        state = "it is still running" if info.status == "running" else f"it was killed; {in_terminal(ResumeRun(path))}"
        problems.append(f"The training is not finished: {state}")
    if summary.config is not None:
        first = path / summary.manifest.member_folders[0]
        has_member = summary.manifest.members > 1 and (first / CONFIG).is_file()
        try:
            # `auto` values are resolved in the configuration of the first member.
            config = ResolvedConfig(read_config(path), read_config(first) if has_member else None)
        except RunError as error:
            problems.append(f"The configuration cannot be read: {error.on(in_terminal)}")
    run, comparable = ComparedRun(path, name, info, config, histories=summary.histories), None
    held_out, metrics = summary.held_out, summary.metrics
    recorded = None if metrics is None else metrics.validation or metrics.training
    if held_out is not None:
        choices, matches, card = log_choices(path, held_out), held_out.training_rows, held_out.scored_rows.card()
        comparable = comparable_run(held_out, choices)
        if matches is not None and matches.warning:
            problems.append(matches.warning)
        run = replace(
            run,
            scored_on=held_out.split,
            rows_scored=len(held_out),
            scores=held_out.scores_with_intervals().scores,
            optimistic=choices > 0 or (matches is not None and matches.are_optimistic),
            training_rows=matches,
            decision=held_out.predictions.decision,
            no_better=no_better_note(card.model, card.baseline, card.rows),
        )
    elif metrics is not None and recorded is not None and predict is predict_held_out:
        split: ScoredSplit = "training" if metrics.validation is None else "validation"
        said = next((f.message for f in metrics.findings if f.code is FindingCode.NO_BETTER_THAN_BASELINE), None)
        run = replace(run, scored_on=split, rows_scored=recorded.rows, scores=recorded.scores, no_better=said)
    out_of_fold = run.scored_on == "validation" and summary.manifest.held_out_kind == "out-of-fold"
    return replace(run, problems=tuple(problems), out_of_fold=out_of_fold), comparable


def _score_rows(runs: Sequence[ComparedRun], comparable: Sequence[ComparableRun | None]) -> tuple[ScoreRow, ...]:
    """Every score that any run has."""
    scores_of = [{(score.target, score.name): score for score in run.scores} for run in runs]
    classes = {run.scoring.classes for run in comparable if run is not None} - {()}
    labels = classes.pop() if len(classes) == 1 else ()
    rows = []
    for target, name in dict.fromkeys(key for scores in scores_of for key in scores):
        values = tuple(scores.get((target, name)) for scores in scores_of)
        sign = -1.0 if higher_is_better(name) else 1.0
        losses = [None if score is None or score.value is None else sign * score.value for score in values]
        best = _best(losses, comparable)
        if name == COST.name and not have_equal_costs(comparable):
            best = (False,) * len(best)
        rows.append(ScoreRow(name, target, values, best, labels))
    return tuple(rows)


def _best(losses: Sequence[float | None], comparable: Sequence[ComparableRun | None]) -> tuple[bool, ...]:
    """Whether each run has the lowest loss of several that are validated alike, on the same rows; see `ScoreRow`."""

    def is_best(i: int) -> bool:
        run, loss = comparable[i], losses[i]
        if run is None or loss is None:
            return False
        others = [
            (other, other_loss)
            for j, (other, other_loss) in enumerate(zip(comparable, losses, strict=True))
            if j != i and other is not None and other_loss is not None
            if run.is_validated_like(other) and run.row_numbers.tolist() == other.row_numbers.tolist()
        ]
        return bool(others) and all(
            loss <= other_loss and not run.is_more_optimistic(other) for other, other_loss in others
        )

    return tuple(is_best(i) for i in range(len(losses)))


def _notes(
    runs: Sequence[ComparedRun],
    task_ids: Sequence[int | None],
    comparable: Sequence[ComparableRun | None],
    pairs: Sequence[PairwiseResult],
) -> list[str]:
    """Problems of the runs, and reasons why their scores cannot be compared directly."""
    notes = [f"{run.name}: {problem}" for run in runs for problem in run.problems]
    for run in runs:
        if run.decision is not None:
            notes.append(f"{run.name}: {decision_note(run.decision)}")
            if run.decision.chosen_note and run.scored_on != "table":
                notes.append(f"{run.name}: {run.decision.chosen_note}, and so are the costs of a pair of runs")
    notes += [f"{run.name}: {run.no_better}" for run in runs if run.no_better is not None]
    tasks = {None if run is None else (run.table, run.target) for run in comparable}
    are_apart = 1 < len(runs) == len(tasks) and None not in tasks
    notes += [APART] if are_apart else []
    for run, task_id, predictions in zip(runs, task_ids, comparable, strict=True):
        if run.scored_on == "training":
            notes.append(f"{run.name} has no validation rows: its scores are of the training rows")
        elif run.scored_on is not None and predictions is None and task_id is None and not run.problems:
            notes.append(f"{run.name} validates on its training table: its scores say little about new rows")
        elif task_id is not None and task_ids.count(task_id) == 1 and len(runs) > 1 and not are_apart:
            notes.append(f"{_reason_to_be_alone(run.name, predictions, comparable)}: its scores cannot be compared")
    tested = [pair for pair in pairs if pair.test is not None]
    if any(pair.rules is not None for pair in pairs):
        new = UseOption("data", "data", placeholder="FRESH")
        notes.append(Advice("new rows rank runs whose validation rows were chosen differently: ", new))
    if any(pair.optimistic is not None for pair in pairs):
        notes.append(
            Advice(
                "p-values and intervals are corrected where the rows chose the epoch of one run from more epochs; "
                "compare on new rows: ",
                UseOption("data", "data", placeholder="TABLE"),
            )
        )
    if tested and any(run.scored_on != "table" for run in runs):
        notes += notes_on_choice([run.info for run in runs])
    if len(tested) > 1:
        notes.append(f"p-values and intervals are corrected for {tested[0].tests:,} comparisons (Bonferroni)")
    return notes


def _reason_to_be_alone(name: str, run: ComparableRun | None, runs: Sequence[ComparableRun | None]) -> str:
    """Why no other run is comparable to `run`: another table or target, or another kind of the same one."""
    others = [other for other in runs if other is not None and other is not run]
    if run is None or not any((other.table, other.target) == (run.table, run.target) for other in others):
        return f"no other run has the table and target of {name}"
    return f"{name} predicts another kind of target than the other runs with its table and target"


def _score_json(row: ScoreRow) -> dict[str, Any]:
    runs = [
        None
        if score is None
        else {
            "value": score.value,
            "low": None if score.interval is None else score.interval.low,
            "high": None if score.interval is None else score.interval.high,
            "best": best,
        }
        for score, best in zip(row.values, row.best, strict=True)
    ]
    return {"metric": row.name, "target": row.target, "runs": runs}


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
        whole = held_out.manifest
        folders = whole.member_folders if whole.members > 1 else ()
        members = [read_manifest(path / folder) for folder in folders] or [whole]
        total += sum(log(max(manifest.epochs, 1)) for manifest in members)
    if held_out.predictions.target.expected_calibration(config.calibration) == "temperature":
        total += 0.5 * log(len(held_out))
    return total
