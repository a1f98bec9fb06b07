"""What was learned, from what, and how good it is, for who reads no further."""

from __future__ import annotations

from datetime import datetime

from nncli.ensemble import Ensemble
from nncli.evaluation.held_out import HeldOutPredictions
from nncli.evaluation.run_summary import RunSummary
from nncli.evaluation.score_intervals import ScoresWithIntervals
from nncli.metrics.bootstrap import ConfidenceInterval
from nncli.reporting.page import Facts, Notice, Section, number, percent, shown
from nncli.runs.manifest import Manifest
from nncli.utils.logs import format_duration

MOST_NAMES = 8


def named(name: str) -> str:
    """A name in a sentence."""
    return f"“{shown(name)}”"


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence, cut after some."""
    rest = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(named, names[:MOST_NAMES])) + rest


def summary_sentence(evidence: RunSummary, assessment: ScoresWithIntervals | None) -> str:
    """One sentence on what it is, one on how good it is."""
    judged, manifest = evidence.judged, evidence.manifest
    if judged is None or assessment is None:
        return f"{_networks(manifest).strip(',')}: {_state(manifest)}. {_remembered(evidence)}"
    target, columns = judged.predictions.target, len(judged.model.names)
    of = f"from {columns:,} column{'' if columns == 1 else 's'}"
    rows = f"{len(judged):,} rows that were {'not ' if judged.split == 'validation' else ''}trained on"
    if target.task == "classification":
        accuracy = assessment.find("accuracy")
        guess = target.labels[int(judged.baseline.values[0].argmax())]
        return (
            f"{_networks(manifest)} tell{'s' * (manifest.members == 1)} which of {len(target.labels):,} classes "
            f"{named(target.name)} is, {of}. Of {rows}, {percent(accuracy.value or 0.0)} are right"
            f"{_shares(accuracy.interval)}; always saying {named(guess)} is right in {percent(accuracy.baseline or 0)}."
        )
    error = assessment.find("mae")
    more = f" and {len(target.names) - 1:,} more" if len(target.names) > 1 else ""
    what, which = f"predict{'s' * (manifest.members == 1)} {named(target.names[0])}", "the first" if more else "it"
    return (
        f"{_networks(manifest)} {what}{more} {of}. On {rows}, {which} is off by {number(error.value)} on average"
        f"{_values(error.interval)}; always saying the mean is off by {number(error.baseline)}."
    )


def _remembered(evidence: RunSummary) -> str:
    """What the training wrote down of how good it is."""
    metrics = evidence.metrics
    kept = None if metrics is None else metrics.validation or metrics.training
    if metrics is None or kept is None or not kept.scores:
        return "How good it is is not known."
    one, on = kept.scores[0], "validation" if metrics.validation else "training"
    return (
        f"On {kept.rows:,} {on} rows it had {one.name} {number(one.value)}, where the trivial guess has "
        f"{number(one.baseline)}; anything else of single rows cannot be told here."
    )


def notices(evidence: RunSummary, assessment: ScoresWithIntervals | None) -> tuple[Notice, ...]:
    """What would mislead who does not know it."""
    manifest, found = evidence.manifest, []
    if manifest.status != "done":
        found.append(Notice("warning", f"This training is not done: {_state(manifest)}."))
    found += [Notice("warning", trouble) for trouble in evidence.problems]
    if evidence.judged is not None and evidence.judged.split == "training":
        told = (
            "No rows were held out. Everything below is measured on the very rows that were trained on, on which a "
            "network is better than on any others. Train with validation: 0.2 to learn how good it is."
        )
        found.append(Notice("error", told))
    if assessment is not None:
        name = "log_loss" if any(one.name == "log_loss" for one in assessment.scores) else "rmse"
        for one in assessment.scores:
            if one.name == name and one.improvement is not None and one.improvement.low <= 0:
                of = f" for {named(one.target)}" if one.target else ""
                told = f"By {name} it is not clearly better than the trivial guess{of}: the difference may be chance."
                found.append(Notice("warning", told))
    return tuple(found)


def summary(evidence: RunSummary) -> Section:
    """The same in facts."""
    return Section("summary", "In short", (Facts(facts(evidence)),))


def facts(evidence: RunSummary) -> tuple[tuple[str, str], ...]:
    """What was learned, from what, by what, and when."""
    manifest, judged = evidence.manifest, evidence.judged
    pairs = []
    if judged is not None:
        target = judged.predictions.target
        if target.task == "classification":
            pairs.append(("learned", f"{named(target.name)}: {len(target.labels):,} classes, {listed(target.labels)}"))
        else:
            pairs.append(("learned", f"{listed(target.names)}: {'a number' if len(target.names) == 1 else 'numbers'}"))
        pairs.append(("from the columns", listed(tuple(judged.model.names))))
    pairs.append(("of the table", f"{shown(manifest.data.path, 200)}, {manifest.data.rows:,} rows"))
    if judged is not None:
        pairs.append(("judged on", _rows(judged)))
        pairs.append(("the network", _layers(judged)))
    pairs.append(("trained", _when(manifest)))
    return tuple(pairs)


def _rows(judged: HeldOutPredictions) -> str:
    n = f"{len(judged):,} rows"
    if judged.split == "training":
        return f"{n}, the very ones it was trained on: none were held out"
    if judged.manifest.validation_data is not None:
        return f"{n} of a table of their own, {shown(judged.manifest.validation_data.path, 200)}"
    if isinstance(judged.model, Ensemble):
        return f"{n}, each by the mean of those networks that were not trained on it"
    return f"{n} that were held out of the training; they chose the epoch that was kept"


def _layers(judged: HeldOutPredictions) -> str:
    model = judged.model
    one = model.members[0] if isinstance(model, Ensemble) else model
    network = one.spec.network
    kinds = (
        ", ".join(_layer(layer.type, getattr(layer, "units", None)) for layer in network.layers) or "no hidden layers"
    )
    many = f"{len(model.members)} networks, each of " if isinstance(model, Ensemble) else ""
    sizes = (
        f"{network.n_features:,} inputs, {kinds}, {network.n_outputs:,} output{'' if network.n_outputs == 1 else 's'}"
    )
    return f"{many}{sizes}; {judged.manifest.parameters:,} parameters in all"


def _layer(kind: str, units: object) -> str:
    return kind if units is None else f"{kind} of {units}"


def _when(manifest: Manifest) -> str:
    try:
        when = datetime.fromisoformat(manifest.started).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        when = shown(manifest.started)
    took = "" if manifest.seconds is None else f", in {format_duration(manifest.seconds)}"
    return f"{when}{took}, {_state(manifest)}"


def _state(manifest: Manifest) -> str:
    told = {
        "done": "done",
        "running": "still running, or killed",
        "stopped": "stopped before its end",
        "failed": "broken off by an error",
    }
    return f"{told[manifest.status]} after {manifest.epochs:,} epoch{'' if manifest.epochs == 1 else 's'}"


def _networks(manifest: Manifest) -> str:
    return "A neural network" if manifest.members == 1 else f"{manifest.members:,} neural networks, averaged,"


def _shares(interval: ConfidenceInterval | None) -> str:
    return "" if interval is None else f" (95 % interval {percent(interval.low)} to {percent(interval.high)})"


def _values(interval: ConfidenceInterval | None) -> str:
    return "" if interval is None else f" (95 % interval {number(interval.low)} to {number(interval.high)})"
