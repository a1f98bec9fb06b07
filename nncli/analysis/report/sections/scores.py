"""The head and the overview of a report, and scores with confidence intervals beside those of the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.linear_model import LinearModel
from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import (
    Cell,
    Details,
    Facts,
    Heading,
    Listing,
    Notice,
    Paragraph,
    Part,
    Points,
    Section,
    TableBlock,
    Tile,
    Verdict,
    capitalized,
    display,
    method,
    number_cell,
    shortened,
)
from nncli.base.errors import DataError
from nncli.base.findings import Finding, FindingCode
from nncli.base.logs import format_duration
from nncli.base.text import format_number, format_percent, format_range, short_number
from nncli.config.schema.training import Teacher
from nncli.data import table as tables
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.model import Model
from nncli.models.scores import ScoresWithIntervals, ScoreWithInterval
from nncli.run_directory.history_and_metrics import RecordedMetrics, RecordedScores
from nncli.run_directory.listing import MAIN_METRICS
from nncli.run_directory.manifest import Manifest
from nncli.targets.metrics.bootstrap import MAX_ROWS, RESAMPLES, ConfidenceInterval
from nncli.targets.metrics.registry import COST, has_baseline, higher_is_better, metric_of, metric_title, with_class

MAX_NAMES = 8
STATES = {"done": "done", "running": "still running or killed", "stopped": "stopped early", "failed": "failed"}


def main_score(scores: ScoresWithIntervals) -> ScoreWithInterval:
    """The score that stands first: the cost with costs, accuracy, balanced accuracy if a class is rare, or the RMSE."""
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
    kind = "out-of-fold " if held_out.is_out_of_fold else f"{held_out.split} "
    return f"{len(held_out):,} {'' if held_out.split == 'table' else kind}row{'s' * (len(held_out) != 1)}"


def scored_predictions(held_out: HeldOutPredictions) -> str:
    """Which predictions of the scored rows the sections of a report are of."""
    if held_out.split == "table":
        return "Predictions of the whole model, as by nncli predict."
    if held_out.split == "training":
        return "Predictions of the training rows, as by nncli predict."
    text = "Predictions of the validation rows"
    if held_out.is_out_of_fold:
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
            "another network of the same kind, trained without these rows and taught by networks that were not trained "
            "on them"
        )
    return "the network, which was trained without these rows, as its teacher was"


def lead(summary: RunSummary) -> str:
    """One sentence on what the model predicts."""
    held_out, manifest = summary.held_out, summary.manifest
    if held_out is None:
        return f"{_networks(manifest)}: {_state(manifest)}."
    what, columns = held_out.head.wording.task(quoted_name), len(_features(held_out))
    return f"{_networks(manifest)} {what} from {columns:,} column{'s' * (columns != 1)}."


def _features(held_out: HeldOutPredictions) -> tuple[str, ...]:
    """The columns that a model learns from; it also reads the exposure."""
    return tuple(name for name in held_out.model.names if name != held_out.config.data.exposure)


def summary_sentence(summary: RunSummary, scores: ScoresWithIntervals | None) -> str:
    """One sentence on what the model predicts, and one on its main score."""
    held_out = summary.held_out
    if held_out is None or scores is None:
        return f"{lead(summary)} {_recorded_score(summary)}"
    main = main_score(scores)
    form, of = format_of(main.name), f" of {quoted_name(main.target)}" if main.target else ""
    guess = held_out.head.wording.baseline(held_out.baseline, quoted_name)
    interval = "" if main.interval is None else f"95 % CI {format_interval(main.interval, form)}"
    about = "; ".join(filter(None, (interval, averaged(held_out, main))))
    interval = f" ({about})" if about else ""
    return (
        f"{lead(summary)} {capitalized(metric_title(main.name))}{of} on {scored_rows(held_out)}: "
        f"{form(main.value)}{interval}; the baseline, which always predicts {guess}: {form(main.baseline)}"
        f"{_saving(main)}."
    )


def _saving(score: ScoreWithInterval) -> str:
    """How much less a row costs than by the best constant prediction, in a clause; empty for other scores."""
    if score.name != COST.name or score.value is None or not score.baseline or score.value >= score.baseline:
        return ""
    return f", so the model saves {format_percent(1.0 - score.value / score.baseline)}"


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
    return Section("model", "Model and data", (Facts(overview_facts(summary)),), wide=True)


def overview_facts(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    """Target, features, table, scored rows, network, and date."""
    manifest, held_out = summary.manifest, summary.held_out
    pairs = []
    if held_out is not None:
        names, answer = held_out.predictions.target.names, held_out.head.wording.answer(quoted_names)
        pairs.append(("target", f"{quoted_names(names)}: {answer}"))
        pairs.append(("features", quoted_names(_features(held_out))))
        if (exposure := held_out.config.data.exposure) is not None:
            pairs.append(("exposure", f"{quoted_name(exposure)}: predictions are proportional to it"))
    pairs.append(("table", f"{display(manifest.data.title, 200)}, {manifest.data.rows:,} rows"))
    if held_out is not None:
        pairs.append(("scored on", _rows(held_out)))
        if held_out.predictions.decision is not None:
            pairs.append(("decision", held_out.predictions.decision.text))
        pairs.append(("network", _layers(held_out)))
        if sets := _first(held_out.model).spec.interactions:
            pairs.append(("interactions", "; ".join(map(quoted_names, sets))))
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


def _first(model: AnyModel) -> Model:
    return model.members[0] if isinstance(model, Ensemble) else model


def _layers(held_out: HeldOutPredictions) -> str:
    model = held_out.model
    network = _first(model).spec.network
    named = ((layer.type.replace("_", " "), getattr(layer, "units", None)) for layer in network.layers)
    layers = ", ".join(name if units is None else f"{name} ({units})" for name, units in named) or "no hidden layers"
    count = f"{len(model.members)} networks, each of " if isinstance(model, Ensemble) else ""
    sizes = f"{network.n_features:,} inputs, {layers}, {network.n_outputs:,} output{'s' * (network.n_outputs != 1)}"
    return f"{count}{sizes}; {held_out.manifest.parameters:,} parameters in total"


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


MIN_ROWS = 200
ROWS_FOR_DATES = 1000
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
    names = held_out.predictions.target.predicted_names
    return (
        f"The model predicts {quoted_names(names)} for rows from the same source as its "
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
    names = {*model.names, *held_out.predictions.target.names}
    first = held_out.table.part(0, ROWS_FOR_DATES)
    return any(_holds_dates(first, name) for name in first.names if name not in names)


def _holds_dates(table: tables.Table, name: str) -> bool:
    """Whether a column that the model does not read holds dates; it may be unreadable."""
    try:
        return infer_kind(table, name) is ColumnType.DATE
    except DataError:
        return False


NAME, TITLE = "scores", "Scores"
BASELINE = (
    "The baseline uses no features: it predicts the class shares, the mean, or the Kaplan-Meier curve of the training "
    "rows."
)
AVERAGING = (
    "The scores of the model include the expected gain of averaging all networks, which is measured on the rows that "
    "two of them held out. Charts and single rows below are of the out-of-fold predictions, without this gain."
)
DECIDED = (
    "The scores of probabilities (such as the log loss) include the expected gain of averaging all networks, which is "
    "measured on the rows that two of them held out. Those of classes by the saved decision (such as the cost, "
    "accuracy, F1 and recall), charts and single rows below are of the out-of-fold predictions, without this gain."
)
MIN_GROUPS = 30
"""Rows (or groups) below which the bootstrap's intervals are misleadingly narrow."""


def held_out_scores(
    held_out: HeldOutPredictions,
    scores: ScoresWithIntervals,
    metrics: RecordedMetrics | None,
    linear: LinearModel | None = None,
) -> Section:
    """The scores with intervals, and those of the training rows for comparison."""
    groups = scores.resampling.groups
    findings = () if metrics is None else metrics.findings
    parts: list[Part] = [Points(tuple(verdict.text for verdict in verdicts(held_out, scores, linear, findings)))]
    methods = [scored_predictions(held_out), f"{BASELINE} {_method(scores)}"]
    if groups < MIN_GROUPS:
        unit = "row" if groups == len(scores.resampling.rows) else "group"
        count = f"Only {groups} {unit}{'s' * (groups != 1)} {'is' if groups == 1 else 'are'} scored"
        parts.append(Notice("warning", f"{count}: scores are very uncertain, and their intervals are too narrow."))
    wording = held_out.head.wording
    if text := wording.without_errors(held_out.predictions, held_out.y):
        parts.append(Notice("note", text))
    saved = held_out.predictions.decision
    if held_out.averaging is not None:
        methods.append(AVERAGING if saved is None else DECIDED)
    outputs = held_out.predictions.target.output_nouns
    if held_out.split != "table" and saved is not None and saved.chosen_note:
        methods.append(f"{capitalized(saved.chosen_note)}: `nncli threshold` has those expected on new rows.")
    if held_out.predictions.decision is not None:
        text = f"Predicted {outputs} follow the saved decision: {held_out.predictions.decision.text}."
        parts.append(Paragraph(f"{text} {wording.decided_baseline(held_out.baseline)}".rstrip()))
    labels = held_out.predictions.target.labels
    rows = tuple(score_row(score, linear, labels) for score in scores.scores)
    columns: tuple[str, ...] = ("metric", "model", "95 % CI", "baseline", "improvement (95 % CI)")
    if linear is not None:
        methods.append(_linear(held_out, linear))
        columns = (*columns, "linear model", "improvement over it (95 % CI)")
    parts.append(TableBlock(f"Scores on {scored_rows(held_out)}", columns, rows, folds=True))
    names = dict.fromkeys(score.name for score in scores.scores)
    metrics_of = [metric_of(name, held_out.predictions.target.family) for name in names]
    meanings = Facts(tuple((f"{metric.title} ({metric.name})", metric.description) for metric in metrics_of))
    parts.append(Details("What the metrics mean", (meanings,)))
    if held_out.split == "validation" and metrics is not None and metrics.training is not None:
        note = "Training scores that are much better than those above are a sign of overfitting."
        if held_out.predictions.decision is not None:
            note += " They are not those of the saved decision."
        parts.append(Details("Scores on the training rows", (_recorded("training rows", metrics.training, note),)))
    parts.append(method(*methods))
    return Section(NAME, TITLE, tuple(parts), wide=True)


def recorded_scores(metrics: RecordedMetrics, held_out_kind: str) -> Section:
    """The scores that were written after training, without intervals, for a run whose rows are not available."""
    recorded = [(f"{held_out_kind} rows", metrics.validation), ("training rows", metrics.training)]
    tables = tuple(_recorded(title, scores) for title, scores in recorded if scores is not None)
    return Section(NAME, TITLE, (Paragraph(BASELINE), *tables))


def format_interval(interval: ConfidenceInterval | None, form: Callable[[float], str] = format_number) -> str:
    """`0.12–0.18`."""
    return "–" if interval is None else format_range(form(interval.low), form(interval.high))


def interval_cell(interval: ConfidenceInterval | None) -> Cell:
    """An interval with three significant digits."""
    return shortened(format_interval(interval, short_number), format_interval(interval))


def _method(scores: ScoresWithIntervals) -> str:
    sampling = scores.resampling
    unit = "rows" if sampling.groups == len(sampling.rows) else f"whole groups ({sampling.groups:,})"
    text = (
        f"Confidence intervals are 95 % intervals for the score on new rows, from {RESAMPLES:,} bootstrap resamples of "
        f"{unit}."
    )
    if sampling.n > MAX_ROWS:
        text += f" They are computed from {MAX_ROWS:,} of the rows and rescaled to all of them."
    return text


def score_row(
    score: ScoreWithInterval, linear: LinearModel | None = None, labels: tuple[str, ...] = ()
) -> tuple[Cell, ...]:
    """Metric, score, interval, baseline and improvement, then those over a linear model."""
    row = (
        metric_cell(score.name, score.target, labels),
        number_cell(score.value),
        interval_cell(score.interval),
        number_cell(score.baseline),
        interval_cell(score.improvement),
    )
    if linear is None:
        return row
    beside = linear.of(score)
    if beside is None:
        return (*row, Cell("–"), Cell("–"))
    return (*row, number_cell(beside.baseline), interval_cell(beside.improvement))


def _linear(held_out: HeldOutPredictions, linear: LinearModel) -> str:
    """What the linear model is, and of which rows its scores are."""
    if linear.scores is None:
        return f"There is no linear model to compare with: {linear.reason}."
    return (
        f"The linear model is a {linear.name} on the same encoded features, fitted without the rows that it predicts; "
        f"its scores are of the same {scored_rows(held_out)}."
    )


def metric_cell(name: str, target: str | None, labels: tuple[str, ...] = ()) -> Cell:
    """A metric as people write it, with its class of two `labels` or its target of several; exactly, its name."""
    exact = display(with_class(name, labels)) + ("" if target is None else f", {display(target)}")
    return shortened(capitalized(exact.replace(name, metric_title(name), 1)), exact)


def recorded_rows(scores: RecordedScores) -> tuple[tuple[Cell, ...], ...]:
    """Metric, score of the model and that of the baseline, without those by which the baseline is no benchmark."""
    return tuple(
        (
            metric_cell(score.name, score.target),
            number_cell(score.value),
            number_cell(score.baseline if has_baseline(score.name) else None),
        )
        for score in scores.scores
    )


def _recorded(title: str, scores: RecordedScores, note: str = "") -> TableBlock:
    titles = ("metric", "model", "baseline")
    return TableBlock(f"Scores on {scores.rows:,} {title}", titles, recorded_rows(scores), note=note)


MAX_VERDICTS = 3
"""Most targets with a verdict of their own."""
TINY = 0.01
"""Share of the other score below which a clear gain does not matter."""
FRACTIONS = frozenset({"accuracy", "balanced_accuracy"})
"""Metrics that are shown in percent."""


def verdicts(
    held_out: HeldOutPredictions,
    scores: ScoresWithIntervals,
    linear: LinearModel | None = None,
    findings: Sequence[Finding] = (),
) -> tuple[Verdict, ...]:
    """Whether the scores can be believed, and whether the model is better than the baseline and a linear model.

    Intervals of the improvement decide. A column that leaks the target, of the run's `findings`, comes first. A clear
    gain over the linear model that is tiny is left out, and what is clearly worse than by it is named.
    """
    leaks = tuple(map(_leak, (finding for finding in findings if finding.code == FindingCode.TARGET_LEAKAGE)))
    if held_out.split == "training":
        text = "Not known to be better than the baseline: no rows were kept apart to measure it."
        return (*leaks, Verdict(text, False, "Not known to be better than", "the baseline"))
    other, metric = "the baseline", held_out.predictions.target.verdict_metric(held_out.loss)
    if held_out.baseline.decision is not None:
        constant = held_out.predictions.target.labels[held_out.baseline.classes[0]]
        other, metric = f"the best constant prediction, always {quoted_name(constant)}", COST.name
    compared, main = [score for score in scores.scores if score.name == metric], main_score(scores)
    collected = []
    for score in compared[:MAX_VERDICTS]:
        collected.append(_verdict(score, other, score.improvement))
        is_worse = score.improvement is not None and score.improvement.high < 0
        if not is_worse and main.improvement is not None and main.improvement.high < 0:
            collected.append(_verdict(main, other, main.improvement))
        beside = None if linear is None else linear.of(score)
        if linear is not None and beside is not None and beside.baseline is not None and not _is_tiny(beside):
            collected.append(_verdict(beside, f"a linear model ({linear.name})", beside.improvement))
    if collected and main.name != metric:
        follows = f"The verdict follows the {metric_title(metric)}, not the {metric_title(main.name)}."
        collected[0] = replace(collected[0], text=f"{collected[0].text} {follows}")
    if linear is not None:
        collected += _worse_than_linear(scores, linear, metric)
    return (*leaks, *collected)


def _leak(finding: Finding) -> Verdict:
    """The verdict on a column that gives the target away."""
    column = quoted_name(finding.location.column or "")
    text = (
        f"Column {column} may leak the target: by itself, it predicts it nearly perfectly. The scores hold only if "
        "it is known for new rows. Train without it to see what the other columns predict."
    )
    return Verdict(text, False, "Possible leak of the target:", f"column {column}")


def _is_tiny(score: ScoreWithInterval) -> bool:
    """Whether a gain is clear, and too small to matter."""
    if score.improvement is None or score.improvement.low <= 0 or score.value is None or not score.baseline:
        return False
    return abs(score.value - score.baseline) < TINY * abs(score.baseline)


def _worse_than_linear(scores: ScoresWithIntervals, linear: LinearModel, metric: str) -> list[Verdict]:
    """A verdict on the scores that are clearly worse than those of the linear model, unless that of the `metric` is."""
    compared = [beside for score in scores.scores if (beside := linear.of(score)) is not None]
    worse = [beside for beside in compared if beside.improvement is not None and beside.improvement.high < 0]
    if not worse or any(score.name == metric for score in worse):  # which is said
        return []
    names = dict.fromkeys(metric_title(score.name) for score in worse)
    first = _verdict(worse[0], f"a linear model ({linear.name})", worse[0].improvement)
    more = [*names][1:]
    text = f"{first.text} So are {', '.join(more)}." if len(more) > 1 else first.text
    text = f"{first.text} So is {more[0]}." if len(more) == 1 else text
    return [replace(first, text=text, measure=", ".join(names))]


def _verdict(score: ScoreWithInterval, other: str, gain: ConfidenceInterval | None) -> Verdict:
    """The verdict by the interval of how much better the model's score is than that of `other`."""
    title, other = metric_title(score.name), other + (f" for {quoted_name(score.target)}" if score.target else "")
    if gain is None:
        relation = "Not clearly better than"
        return Verdict(f"{relation} {other}: there are too few rows to tell.", False, relation, other, title)
    low, high = (gain.low, gain.high) if gain.high >= 0 else (-gain.high, -gain.low)
    interval = f"(95 % CI of the difference: {format_range(format_number(low), format_number(high))})"
    relation, reason = "Not clearly better than", f"the difference in {title} may be chance"
    better, worse = ("higher", "lower") if higher_is_better(score.name) else ("lower", "higher")
    if _is_tiny(score):
        relation, reason = "Hardly better than", f"its {title} is {better} by less than {format_percent(TINY)}"
    elif gain.low > 0:
        relation, reason = "Clearly better than", f"its {title} is {better}"
    elif gain.high < 0:
        relation, reason = "Worse than", f"its {title} is {worse}"
    is_clear = relation == "Clearly better than"
    return Verdict(f"{relation} {other}: {reason} {interval}.", is_clear, relation, other, title)


def averaged(held_out: HeldOutPredictions, score: ScoreWithInterval) -> str:
    """What a score includes besides the scored rows: the expected gain of averaging; empty without one."""
    if held_out.averaging is None:
        return ""
    is_decided = held_out.predictions.decision is not None
    without = held_out.averaging.without(score.name, score.value, decided=is_decided)
    if without is None:
        return ""
    return f"with the expected gain of averaging, {format_of(score.name)(without)} without it"


def tiles(
    held_out: HeldOutPredictions, scores: ScoresWithIntervals, linear: LinearModel | None = None
) -> tuple[Tile, ...]:
    """The main score with its interval, those of the baseline and a linear model, and the scored rows."""
    main = main_score(scores)
    short, exact = format_of(main.name, short_number), format_of(main.name)
    name = capitalized(metric_title(main.name)) + (f" of {quoted_name(main.target)}" if main.target else "")
    interval = "" if main.interval is None else f"95 % CI {format_interval(main.interval, short)}"
    interval = "; ".join(filter(None, (interval, averaged(held_out, main))))
    beside, rows = None if linear is None else linear.of(main), held_out.manifest.data.rows
    of_all = "" if len(held_out) == rows else f" of {rows:,} of the table"
    measured = [(name, main.value, interval), ("Baseline", main.baseline, f"{name} without features")]
    if linear is not None and beside is not None:
        measured.append(("Linear model", beside.baseline, linear.name))
    return (
        *(Tile(label, short(value), remark, exact(value)) for label, value, remark in measured),
        Tile("Scored on", f"{len(held_out):,}", f"{scored_rows(held_out).split(' ', 1)[1]}{of_all}"),
    )


def format_of(metric: str, form: Callable[[float | None], str] = format_number) -> Callable[[float | None], str]:
    """How the values of a metric are written: in percent, or by `form`."""
    return _percent if metric in FRACTIONS else form


def _percent(value: float | None) -> str:
    return "–" if value is None else format_percent(value)
