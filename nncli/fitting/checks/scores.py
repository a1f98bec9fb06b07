"""Checks of the scores of a trained model: no better than the baseline, and classes that are never predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from nncli.base.errors import Advice, RunCommand, SetKey, UseOption
from nncli.base.findings import Finding, FindingCode, warning
from nncli.base.text import format_number, join_quoted, quote
from nncli.fitting.checks.target import OF_SEVERAL
from nncli.models.scores import ScoreCard, class_scores, decisive_figures, has_better, parts_of
from nncli.targets.metrics.classification import ClassificationScores
from nncli.targets.metrics.registry import is_better

MAX_NAMES = 3
"""Classes that a message lists."""
Rows = Literal["validation", "training", "out-of-fold"]


def check_scores(card: ScoreCard | None, rows: Rows) -> tuple[Finding, ...]:
    """The warnings about the scores of a model on some `rows`; none without scores."""
    if card is None:
        return ()
    scores = class_scores(card.model)
    never = None if scores is None else _never_predicted(scores, rows)
    return tuple(filter(None, [never, *_no_better(card, rows)]))


def of_targets(findings: Mapping[str, Sequence[Finding]]) -> tuple[Finding, ...]:
    """The warnings about each of several targets, which begin with its name."""
    hints = {FindingCode.CLASS_NEVER_PREDICTED: Advice("To mend that, ", *OF_SEVERAL.parts, ".")}
    return tuple(
        replace(finding, message=f"{quote(name)}: {finding.message}", hint=hints.get(finding.code, finding.hint))
        for name, of_target in findings.items()
        for finding in of_target
    )


def _never_predicted(scores: ClassificationScores, rows: Rows) -> Finding | None:
    """Classes of the scored rows that the model never predicts."""
    classes = [c for c in scores.by_class if c.support > 0 and not c.predicted]
    if not classes:
        return None
    names = [c.label for c in classes]
    support = sum(c.support for c in classes)
    what = f"{scores.noun} {quote(names[0])}" if len(names) == 1 else _several(names, scores.nouns)
    message = f"the model never predicts {what}, which {support:,.6g} of the {rows} rows have"
    hint: str = Advice("Train with ", SetKey("class_weight", "balanced"), ".")
    if options := scores.threshold_options:
        saved = (*options, UseOption("save", "save", True))
        hint = Advice("Choose another threshold: ", RunCommand("threshold", ("RUN",), saved), ".")
    return warning(FindingCode.CLASS_NEVER_PREDICTED, message, hint=hint)


def _several(names: Sequence[str], nouns: str) -> str:
    some = join_quoted(names[:MAX_NAMES])
    return f"the {nouns} {some}" if len(names) <= MAX_NAMES else f"{len(names):,} {nouns}, such as {some}"


def _no_better(card: ScoreCard, rows: Rows) -> list[Finding]:
    """A warning for each target for which no metric is better than that of the baseline.

    Also for one by which the model is worse, if the intervals are clear about that and about no better one, and the
    model is worse than the cross-fitted baseline, too.
    """
    findings = []
    parts = parts_of(card.model)
    others = (None,) * len(parts) if card.cross_fitted_baseline is None else parts_of(card.cross_fitted_baseline)
    for model, baseline, cross_fitted in zip(parts, parts_of(card.baseline), others, strict=True):
        figures = decisive_figures(model, baseline)
        if not figures:
            continue
        gains = {
            score.name: score.improvement
            for score in (() if card.intervals is None else card.intervals.scores)
            if score.name in figures and score.target in (None, model.title) and score.improvement is not None
        }
        is_any_better = has_better(model, baseline)
        better_than = {} if cross_fitted is None else decisive_figures(model, cross_fitted)
        better = {name for name, (value, other) in better_than.items() if is_better(name, value, other)}
        clearly_worse = [name for name, gain in gains.items() if gain.high < 0 and name not in better]
        if is_any_better and (not clearly_worse or any(gain.low > 0 for gain in gains.values())):
            continue
        name = clearly_worse[0] if is_any_better else next(iter(figures))
        value, of_baseline = figures[name]
        what = model.baseline or f"the best constant for {quote(model.title or '')}"
        message = (
            f"the model is {'worse' if is_any_better else 'no better'} than the baseline, {what} of the training rows: "
            f"{name} {format_number(value)} against {format_number(of_baseline)} on the {rows} rows"
        )
        if is_any_better:  # but not this one
            low, high = -gains[name].high, -gains[name].low
            message += f", a difference of {format_number(low)} to {format_number(high)} (95 % interval)"
        code = FindingCode.WORSE_THAN_BASELINE if is_any_better else FindingCode.NO_BETTER_THAN_BASELINE
        hint = "Check that the columns tell about the target, or add rows or columns."
        findings.append(warning(code, message, hint=hint))
    return findings
