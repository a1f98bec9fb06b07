"""The model card: a short Markdown file on intended use, data, scores and limitations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Page, display
from nncli.analysis.report.sections.overview import COMMANDS, intended, limitations, overview_facts, scored_rows
from nncli.analysis.report.sections.scores import format_interval, metric_label, shown_baseline
from nncli.base.text import format_number
from nncli.models.scores import ScoresWithIntervals
from nncli.version import __version__

MARK = b"<!-- A model card by nncli "


def model_card(summary: RunSummary, scores: ScoresWithIntervals | None, page: Page, report: str) -> str:
    """The model card; `report` is the file name of the full report."""
    name = display(summary.path.resolve().name)
    parts = [
        f"<!-- A model card by nncli {__version__} -->",
        f"# Model card: {plain(name)}",
        plain(page.summary),
        *(plain(verdict.text) for verdict in page.verdicts),
        *(f"**{notice.level.capitalize()}:** {plain(notice.text)}" for notice in page.notices),
        "## Intended use",
        plain(intended(summary)),
        "## Model and data",
        bullets(f"{term}: {value}" for term, value in overview_facts(summary)),
        "## Scores",
        _scores(summary, scores),
        "## Limitations",
        bullets(limitations(summary)),
        "## Next steps",
        plain(f"RUN is the run directory, {name}."),
        f"```sh\n{COMMANDS}\n```",
        f"The full report is {plain(display(report))}.",
    ]
    return "\n\n".join(parts) + "\n"


def summary_card(page: Page) -> str:
    """A card of a page without a model: its title, summary and main numbers."""
    tiles = bullets(f"{tile.label}: {tile.value} {tile.remark}".rstrip() for tile in page.tiles)
    parts = [f"<!-- A model card by nncli {__version__} -->", f"# {plain(page.title)}", plain(page.summary), tiles]
    return "\n\n".join(filter(None, parts)) + "\n"


def plain(text: str) -> str:
    """Text on one line, with Markdown's special characters escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))


def bullets(points: Iterable[str]) -> str:
    """A bulleted list."""
    return "\n".join(f"- {plain(point)}" for point in points)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column is aligned to the left, the others to the right."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    escaped = [[plain(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *escaped])


def _scores(summary: RunSummary, scores: ScoresWithIntervals | None) -> str:
    held_out, metrics = summary.held_out, summary.metrics
    if held_out is not None and scores is not None:
        rows = [
            (
                metric_label(score.name, score.target),
                format_number(score.value),
                format_interval(score.interval),
                format_number(score.baseline),
            )
            for score in scores.scores
        ]
        return f"On {scored_rows(held_out)}:\n\n" + table(("metric", "model", "95 % CI", "baseline"), rows)
    recorded = None if metrics is None else metrics.validation or metrics.training
    if metrics is None or recorded is None:
        return "No scores were recorded."
    split = summary.manifest.held_out_kind if metrics.validation else "training"
    lines = [
        (
            metric_label(score.name, score.target),
            format_number(score.value),
            format_number(shown_baseline(score.name, score.baseline)),
        )
        for score in recorded.scores
    ]
    return f"On {recorded.rows:,} {split} rows:\n\n" + table(("metric", "model", "baseline"), lines)
