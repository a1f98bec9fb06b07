"""Checks of the scores of a trained model: no better than the baseline, and classes that are never predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nncli.base.findings import Finding, FindingCode, warning
from nncli.base.text import format_number, join_quoted, quote
from nncli.models.scores import ScoreCard, class_scores, parts_of
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


def _never_predicted(scores: ClassificationScores, rows: Rows) -> Finding | None:
    """Classes of the scored rows that the model never predicts."""
    classes = [c for c in scores.by_class if c.support > 0 and not c.predicted]
    if not classes:
        return None
    names = [c.label for c in classes]
    support = sum(c.support for c in classes)
    what = f"class {quote(names[0])}" if len(names) == 1 else _several(names)
    message = f"the model never predicts {what}, which {support:,.6g} of the {rows} rows have"
    hint = "Set class_weight: balanced, or decide by the probabilities of `nncli predict --proba`."
    return warning(FindingCode.CLASS_NEVER_PREDICTED, message, hint=hint)


def _several(names: Sequence[str]) -> str:
    some = join_quoted(names[:MAX_NAMES])
    return f"the classes {some}" if len(names) <= MAX_NAMES else f"{len(names):,} classes, such as {some}"


def _no_better(card: ScoreCard, rows: Rows) -> list[Finding]:
    """A warning for each target for which no metric is better than that of the baseline."""
    findings = []
    for model, baseline in zip(parts_of(card.model), parts_of(card.baseline), strict=True):
        figures = {name: (model[name], baseline[name]) for name in model.decisive if name in dict(model.values)}
        if any(is_better(name, *pair) for name, pair in figures.items()):
            continue
        name, (value, of_baseline) = next(iter(figures.items()))
        what = "the class shares" if model.title is None else f"the mean of {quote(model.title)}"
        message = (
            f"the model is no better than the baseline, {what} of the training rows: {name} {format_number(value)} "
            f"against {format_number(of_baseline)} on the {rows} rows"
        )
        hint = "Check that the columns tell about the target, or add rows or columns."
        findings.append(warning(FindingCode.NO_BETTER_THAN_BASELINE, message, hint=hint))
    return findings
