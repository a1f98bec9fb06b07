"""`nncli drift --html`: the drift of new rows as one HTML file, with a chart for each column that has drifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nncli.analysis.drift import Batch, ColumnDrift, Drift
from nncli.analysis.drift_limits import VALIDITY
from nncli.analysis.report.charts import Axis, Line, lines
from nncli.analysis.report.page import (
    Figure,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Part,
    Section,
    Table,
    check_html_suffix,
    display,
    render,
)
from nncli.base.atomic_files import check_overwrite, write_text
from nncli.base.text import format_number, format_percent
from nncli.data.columns.datetimes import date_text
from nncli.runs.monitoring.reference import CategoryBins, Counts, NumberBins
from nncli.version import __version__

MAX_BATCHES, MAX_CHARTS = 100, 30
"""Batches that are shown, and charts of each."""
MAX_PATH = 200
"""Characters of a path."""
MAX_CATEGORIES = 12
"""Categories of a chart."""
METHOD = (
    "A difference is drift if its population stability index (PSI) exceeds what is expected by chance by the limit, "
    "and it is significant at 5 % over all tests of the same rows. Scores are estimated from the probabilities, "
    f"without labels; that is valid {VALIDITY}."
)


def write_drift(found: Drift, path: Path, *, force: bool = False) -> None:
    """Write the page.

    Raises:
        UsageError: the file exists, or its name does not end in .html or .htm.
    """
    check_html_suffix(path)
    check_overwrite(path, force=force)
    write_text(path, render(page_of(found)))


def page_of(found: Drift) -> Page:
    """The page: a section for each batch."""
    n = sum(bool(batch.comparison.drifted) for batch in found.batches)
    shown = found.batches[:MAX_BATCHES]
    more = f" The first {MAX_BATCHES} are shown." if len(found.batches) > MAX_BATCHES else ""
    what = "The rows have" if len(found.batches) == 1 else f"{n:,} of {len(found.batches):,} batches have"
    verdict = "There is no drift." if not n else f"{what} drifted.{more}"
    return Page(
        title="Drift",
        summary=f"{verdict} {display(found.data, MAX_PATH)} is compared with the training rows of the run "
        f"{display(found.run, MAX_PATH)}. {METHOD}",
        notices=tuple(Notice("note", f"{note}.") for note in found.notes),
        sections=tuple(_section(i, batch) for i, batch in enumerate(shown)),
        footer=f"Written by nncli {__version__}.",
    )


def _section(i: int, batch: Batch) -> Section:
    comparison = batch.comparison
    every = (*comparison.columns, *comparison.predictions)
    table = Table(
        "Columns and predictions",
        ("column", "drift", "PSI", "expected PSI", "distance", "adjusted p", "missing", "in training", "unseen"),
        tuple(row for column in every for row in _rows(column)),
        prose=(0, 1),
    )
    parts: list[Part] = [table]
    if comparison.performance is not None:
        estimated, actual = comparison.performance.estimated, comparison.performance.actual
        names = ("accuracy", "log_loss", "roc_auc")
        scores = [(name, *(format_number(getattr(one, name)) for one in (estimated, actual))) for name in names]
        parts.append(Table("Scores", ("score", "estimated", "true"), tuple(scores)))
    if charts := tuple(_chart(column) for column in comparison.drifted[:MAX_CHARTS]):
        parts.append(Gallery(charts))
    else:
        parts.append(Paragraph("No column has drifted."))
    title = "All rows" if batch.name == "all" else display(batch.name)
    return Section(f"batch-{i + 1}", f"{title}: {comparison.rows:,} rows", tuple(parts), wide=True)


def _rows(column: ColumnDrift) -> list[tuple[str, ...]]:
    """A row for each kind of drift of a column, or one row without drift."""
    missing, unseen = column.test("missing"), column.test("unseen")
    shares = (None if missing is None else missing.new, None if missing is None else missing.reference)
    percents = [
        "–" if share is None else format_percent(share) for share in (*shares, None if unseen is None else unseen.new)
    ]
    name = display(column.title)
    return [
        (
            name,
            test.kind if column.drifted else "none",
            *map(format_number, (test.psi, test.expected, test.distance, test.adjusted_p)),
            *percents,
        )
        for test in column.shown
    ] or [(name, "none", *["–"] * 4, *percents)]


def _chart(column: ColumnDrift) -> Figure:
    """The shares of the reference and of the new rows: in groups of numbers, of categories, and of missing cells."""
    names, reference, new = _groups(column)
    p, q = reference / max(1, int(reference.sum())), new / max(1, int(new.sum()))
    rows = tuple(
        (name, format_percent(float(a)), format_percent(float(b))) for name, a, b in zip(names, p, q, strict=True)
    )
    places = np.arange(len(names), dtype=np.float64)
    ticks = tuple((float(place), name) for place, name in zip(places, names, strict=True))
    return lines(
        display(column.title),
        f"Share of the training rows and of the new rows by {display(column.title)}.",
        Axis(display(column.title), "share of rows", ticks=ticks),
        [Line("training rows", places, p, dashed=True), Line("new rows", places, q, color="second")],
        Table(display(column.title), ("group", "training rows", "new rows"), rows),
        dots=True,
    )


def _groups(column: ColumnDrift) -> tuple[list[str], Counts, Counts]:
    """The names of the groups, with their counts in the reference and in the new rows; missing cells come last."""
    bins = column.bins
    if isinstance(bins, CategoryBins):
        n = min(MAX_CATEGORIES, len(bins.categories))
        group = np.minimum(np.arange(len(bins.counts) - 1), n)
        names = [display(category) for category in bins.categories[:n]] + ["others"]
    else:
        group, names = bins.groups, _intervals(bins)
    reference, new = (
        np.array([*np.bincount(group, counts[1:], len(names)), counts[0]], np.int64)
        for counts in (bins.counts, column.counts)
    )
    return [*names, "missing"], reference, new


def _intervals(bins: NumberBins) -> list[str]:
    """The upper end of each group of intervals."""
    last = np.flatnonzero(np.diff(bins.groups, append=bins.groups[-1] + 1))
    return [
        f"to {_number(bins, float(bins.edges[i]))}" if i < len(bins.edges) else f"above {_number(bins, _lower(bins))}"
        for i in last.tolist()
    ]


def _lower(bins: NumberBins) -> float:
    """The lower end of the last group."""
    first = int(np.flatnonzero(bins.groups == bins.groups[-1])[0])
    return float(bins.edges[max(0, first - 1)])


def _number(bins: NumberBins, x: float) -> str:
    return date_text(x) if bins.measure == "date" else format_number(x)
