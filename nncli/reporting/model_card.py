"""The model card: a page of Markdown for whoever meets the model without the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nncli.evaluation.run_summary import RunSummary
from nncli.evaluation.score_intervals import ScoresWithIntervals
from nncli.reporting.page import Page, number, shown
from nncli.reporting.sections.intended_use import COMMANDS, intended, limits
from nncli.reporting.sections.overview import facts
from nncli.reporting.sections.scores import between, guessed, name_of
from nncli.version import __version__

MARK = b"<!-- A model card by nncli "


def card(evidence: RunSummary, assessment: ScoresWithIntervals | None, page: Page, report: str) -> str:
    """The text of the card; `report` is the name of the file that has the rest."""
    name = shown(evidence.path.resolve().name)
    parts = [
        f"<!-- A model card by nncli {__version__} -->",
        f"# Model card: {plain(name)}",
        plain(page.lead),
        *(f"**{one.level.capitalize()}:** {plain(one.text)}" for one in page.notices),
        "## Intended use",
        plain(intended(evidence)),
        "## Model and data",
        bullets(f"{term}: {what}" for term, what in facts(evidence)),
        "## Scores",
        _scores(evidence, assessment),
        "## Limits",
        bullets(limits(evidence)),
        "## Predict",
        plain(f"RUN is the run directory, {name}."),
        f"```sh\n{COMMANDS}\n```",
        f"More is in {plain(shown(report))}.",
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))


def bullets(points: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {plain(point)}" for point in points)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    escaped = [[plain(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *escaped])


def _scores(evidence: RunSummary, assessment: ScoresWithIntervals | None) -> str:
    judged, metrics = evidence.judged, evidence.metrics
    if judged is not None and assessment is not None:
        on = "that were not trained on" if judged.split == "validation" else "that it was trained on"
        rows = [
            (
                name_of(one.name, one.target),
                number(one.value),
                between(one.interval),
                number(one.baseline),
            )
            for one in assessment.scores
        ]
        return f"On {len(judged):,} rows {on}:\n\n" + table(("metric", "model", "95 % interval", "trivial guess"), rows)
    if metrics is None:
        return "None were recorded."
    recorded = metrics.validation or metrics.training
    if recorded is None:
        return "None were recorded."
    on = "validation" if metrics.validation else "training"
    lines = [
        (name_of(one.name, one.target), number(one.value), number(guessed(one.name, one.baseline)))
        for one in recorded.scores
    ]
    return f"On {recorded.rows:,} {on} rows:\n\n" + table(("metric", "model", "trivial guess"), lines)
