"""The overview of a run: summary sentence, notices, and the main facts."""

from __future__ import annotations

from datetime import datetime

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Facts, Heading, Listing, Notice, Paragraph, Points, Section, display
from nncli.base.errors import DataError
from nncli.base.logs import format_duration
from nncli.base.text import format_number, format_percent
from nncli.config.schema.training import Teacher
from nncli.data.encoders.kinds import Kind, infer_kind
from nncli.data.table import Table
from nncli.models.ensemble import Ensemble
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.runs.manifest import Manifest
from nncli.targets.metrics.bootstrap import ConfidenceInterval

MAX_NAMES = 8
MAIN_METRICS = frozenset({"accuracy", "balanced_accuracy", "rmse"})
"""The first of these among the scores of a run is its main one; if a class is rare, balanced_accuracy comes first."""
TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "log_loss": "Log loss",
}
STATES = {"done": "done", "running": "still running or killed", "stopped": "stopped early", "failed": "failed"}


def main_score(scores: ScoresWithIntervals) -> ScoreWithInterval:
    """The score that stands first: accuracy, balanced accuracy if a class is rare, or the RMSE of the first target."""
    return next(score for score in scores.scores if score.name in MAIN_METRICS)


def quoted_name(name: str) -> str:
    """A name in quotation marks."""
    return f"“{display(name)}”"


def quoted_names(names: tuple[str, ...]) -> str:
    """Names in a sentence, cut after MAX_NAMES."""
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(map(quoted_name, names[:MAX_NAMES])) + more


def scored_rows(held_out: HeldOutPredictions) -> str:
    """The number and the kind of the scored rows, such as `69 validation rows`, or `69 rows` of another table."""
    if held_out.split == "table":
        return f"{len(held_out):,} row{'s' * (len(held_out) != 1)}"
    kind = "out-of-fold" if held_out.oof_mask is not None else held_out.split
    return f"{len(held_out):,} {kind} row{'s' * (len(held_out) != 1)}"


def scored_predictions(held_out: HeldOutPredictions) -> str:
    """Which predictions of the scored rows the sections of a report are of."""
    if held_out.split == "table":
        return "Predictions of the whole model, as by nncli predict."
    if held_out.split == "training":
        return "Predictions of the training rows, as by nncli predict."
    text = "Predictions of the validation rows"
    if held_out.oof_mask is not None:
        text = "Out-of-fold predictions: each row is predicted by the networks that were not trained on it"
    if held_out.optimistic:
        return f"{text}. They are optimistic: these rows chose the epoch."
    if held_out.config.teacher is not None:
        return f"{text} by {_scored_network(held_out.config.teacher)}."
    return f"{text}, at the epoch that other rows chose."


def _scored_network(teacher: Teacher) -> str:
    """Which network predicted the validation rows of a distillation."""
    if teacher.refit:
        return (
            "another network of the same kind, trained without these rows and taught by members that were not trained "
            "on them"
        )
    return "the network, which was trained without these rows, as its teacher was"


def summary_sentence(summary: RunSummary, scores: ScoresWithIntervals | None) -> str:
    """One sentence on what the model predicts, and one on its main score."""
    held_out, manifest = summary.held_out, summary.manifest
    if held_out is None or scores is None:
        return f"{_networks(manifest)}: {_state(manifest)}. {_recorded_score(summary)}"
    target, columns = held_out.predictions.target, len(held_out.model.names)
    source, rows = f"from {columns:,} column{'s' * (columns != 1)}", scored_rows(held_out)
    if target.has_labels:
        main = main_score(scores)
        majority = target.labels[int(held_out.baseline.values[0].argmax())]
        return (
            f"{_networks(manifest)} classifies {quoted_name(target.names[0])} into "
            f"{len(target.labels):,} classes {source}. {TITLES[main.name]} on {rows}: "
            f"{format_percent(main.value or 0.0)}{_percent_interval(main.interval)}; the baseline, which always "
            f"predicts {quoted_name(majority)}: {format_percent(main.baseline or 0)}."
        )
    error, first = main_score(scores), quoted_name(target.names[0])
    more = f" and {len(target.names) - 1:,} more" if len(target.names) > 1 else ""
    return (
        f"{_networks(manifest)} predicts {first}{more} {source}. RMSE"
        f"{f' of {first}' if more else ''} on {rows}: {format_number(error.value)}{_number_interval(error.interval)}; "
        f"the baseline, which always predicts the mean: {format_number(error.baseline)}."
    )


def _recorded_score(summary: RunSummary) -> str:
    """The first score in metrics.json, for a run whose rows cannot be scored again."""
    metrics = summary.metrics
    recorded = None if metrics is None else metrics.validation or metrics.training
    if metrics is None or recorded is None or not recorded.scores:
        return "No scores are known."
    score, split = recorded.scores[0], summary.manifest.held_out_kind if metrics.validation else "training"
    return (
        f"Recorded on {recorded.rows:,} {split} rows: {score.name} {format_number(score.value)}; baseline: "
        f"{format_number(score.baseline)}. Row-by-row results are not available."
    )


def notices(summary: RunSummary) -> tuple[Notice, ...]:
    """Warnings that come first: unfinished training, missing parts, no validation rows."""
    manifest, warnings = summary.manifest, []
    if manifest.status != "done":
        warnings.append(Notice("warning", f"The training is not finished: {_state(manifest)}."))
    warnings += [Notice("warning", problem) for problem in summary.problems]
    if summary.held_out is not None and summary.held_out.split == "training":
        text = (
            "There are no validation rows. All scores below are of the training rows and overestimate how good the "
            "model is on new rows. Train with validation: 0.2 to measure that."
        )
        warnings.append(Notice("error", text))
    return tuple(warnings)


def overview(summary: RunSummary) -> Section:
    """The main facts of a run."""
    return Section("overview", "Overview", (Facts(overview_facts(summary)),), wide=True)


def overview_facts(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    """Target, features, table, scored rows, network, and date."""
    manifest, held_out = summary.manifest, summary.held_out
    pairs = []
    if held_out is not None:
        target = held_out.predictions.target
        classes = f"{len(target.labels):,} classes, {quoted_names(target.labels)}"
        pairs.append(("target", f"{quoted_names(target.names)}: {classes if target.has_labels else 'numeric'}"))
        pairs.append(("features", quoted_names(tuple(held_out.model.names))))
    pairs.append(("table", f"{display(manifest.data.title, 200)}, {manifest.data.rows:,} rows"))
    if held_out is not None:
        pairs.append(("scored on", _rows(held_out)))
        if held_out.predictions.decision is not None:
            pairs.append(("decision", held_out.predictions.decision.text))
        pairs.append(("network", _layers(held_out)))
    pairs.append(("trained", _when(manifest)))
    return tuple(pairs)


def _rows(held_out: HeldOutPredictions) -> str:
    rows = scored_rows(held_out)
    if held_out.split == "training":
        return f"{rows}, as there are no validation rows"
    if held_out.manifest.validation_data is not None:
        return f"{rows} of a separate table, {display(held_out.manifest.validation_data.title, 200)}"
    if isinstance(held_out.model, Ensemble):
        return f"{rows}, each predicted by the networks that were not trained on it"
    if held_out.optimistic:
        return f"{rows}, which also chose the best epoch: the scores are optimistic"
    if held_out.config.teacher is not None:
        return f"{rows}, predicted by {_scored_network(held_out.config.teacher)}"
    return f"{rows}, each predicted at the epoch that the other rows choose"


def _layers(held_out: HeldOutPredictions) -> str:
    model = held_out.model
    network = (model.members[0] if isinstance(model, Ensemble) else model).spec.network
    layers = (
        ", ".join(_layer(layer.type, getattr(layer, "units", None)) for layer in network.layers) or "no hidden layers"
    )
    count = f"{len(model.members)} networks, each of " if isinstance(model, Ensemble) else ""
    sizes = f"{network.n_features:,} inputs, {layers}, {network.n_outputs:,} output{'s' * (network.n_outputs != 1)}"
    return f"{count}{sizes}; {held_out.manifest.parameters:,} parameters in total"


def _layer(kind: str, units: object) -> str:
    name = kind.replace("_", " ")
    return name if units is None else f"{name} ({units})"


def _when(manifest: Manifest) -> str:
    try:
        when = datetime.fromisoformat(manifest.started).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        when = display(manifest.started)
    took = "" if manifest.seconds is None else f", in {format_duration(manifest.seconds)}"
    return f"{when}{took}, {_state(manifest)}"


def _state(manifest: Manifest) -> str:
    return f"{STATES[manifest.status]} after {manifest.epochs:,} epoch{'s' * (manifest.epochs != 1)}"


def _networks(manifest: Manifest) -> str:
    return "A neural network" if manifest.members == 1 else f"An ensemble of {manifest.members:,} neural networks"


def _percent_interval(interval: ConfidenceInterval | None) -> str:
    return "" if interval is None else f" (95 % CI {format_percent(interval.low)} to {format_percent(interval.high)})"


def _number_interval(interval: ConfidenceInterval | None) -> str:
    return "" if interval is None else f" (95 % CI {format_number(interval.low)} to {format_number(interval.high)})"


MIN_ROWS = 200
MAX_ROWS = 1000
"""Number of rows that tell whether a column holds dates."""
COMMANDS = """\
nncli predict RUN new.csv -o predictions.csv
nncli evaluate RUN labeled.csv
nncli explain RUN new.csv"""


def intended_use(summary: RunSummary) -> Section:
    """Intended use, limitations, and the commands to go on with."""
    return Section(
        "intended-use",
        "Intended use and limitations",
        (
            Paragraph(intended(summary)),
            Heading("Limitations"),
            Points(limitations(summary)),
            Heading("Next steps"),
            Paragraph(f"RUN is the run directory, {display(summary.path.resolve().name)}."),
            Listing("Commands", COMMANDS, long=False),
        ),
    )


def intended(summary: RunSummary) -> str:
    """The rows that the model is made for."""
    held_out = summary.held_out
    if held_out is None:
        return "The model is meant for rows from the same source as its training table."
    return (
        f"The model predicts {quoted_names(held_out.predictions.target.names)} for rows from the same source as its "
        f"training table, from the columns {quoted_names(tuple(held_out.model.names))}. The target column is not "
        "needed. For rows from another source or a later time, measure the error first with nncli evaluate."
    )


def limitations(summary: RunSummary) -> tuple[str, ...]:
    """Known limitations of the model and of its scores."""
    limits = []
    if summary.manifest.status != "done":
        limits.append(f"The training is not finished: its status is {summary.manifest.status}.")
    if summary.held_out is not None:
        limits += _of_scores(summary.held_out)
    return (
        *limits,
        "Unseen categories and numbers outside the training range are predicted too: nncli predict counts them in a "
        "note.",
        "Feature importance is not causality: changing a column in the real world need not change the outcome.",
        "If the data drifts, the errors grow: evaluate the model on recent rows regularly.",
    )


def _of_scores(held_out: HeldOutPredictions) -> list[str]:
    limits = []
    if held_out.split == "training":
        limits.append("There are no validation rows, so the error on new rows is not known.")
    elif held_out.optimistic:
        limits.append("The scores are optimistic: the validation rows chose the best epoch.")
    if held_out.split == "validation" and len(held_out) < MIN_ROWS:
        limits.append(f"The scores are of {scored_rows(held_out)} only: read their confidence intervals.")
    if held_out.config.data.group is None:
        limits.append("Rows are assumed to be independent: if some belong together, name their column as data.group.")
    if held_out.config.data.time is None and _has_dates(held_out):
        limits.append(
            "The split ignores time: to measure how well later rows are predicted, train with the time column as "
            "data.time, which stays a feature."
        )
    if held_out.weights is not None:
        limits.append("The scores use the sample weights.")
    return limits


def _has_dates(held_out: HeldOutPredictions) -> bool:
    """Whether a feature, or a column of the table that is none, holds dates."""
    model = held_out.model
    members = model.members if isinstance(model, Ensemble) else (model,)
    if any(member.spec.encoder.dates for member in members):
        return True
    known = {*model.names, *held_out.predictions.target.names}
    first = held_out.table.part(0, MAX_ROWS)
    return any(_holds_dates(first, name) for name in first.names if name not in known)


def _holds_dates(table: Table, name: str) -> bool:
    """Whether a column that the model does not read holds dates; it may be unreadable."""
    try:
        return infer_kind(table, name) is Kind.DATE
    except DataError:
        return False
