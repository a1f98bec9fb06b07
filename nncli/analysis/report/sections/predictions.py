"""Predicted versus actual values of numeric targets, their residuals, and prediction intervals and sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.charts import (
    MAX_POINTS,
    Axis,
    Bin,
    Color,
    Line,
    bars,
    evenly_spaced,
    lines,
    numeric_table,
    points,
    scatter,
)
from nncli.analysis.report.page import (
    ColumnsBlock,
    Details,
    FigureBlock,
    Gallery,
    Heading,
    Notice,
    Paragraph,
    Part,
    Section,
    TableBlock,
    display,
    method,
)
from nncli.analysis.report.sections.scores import format_interval
from nncli.base.text import format_number, format_percent
from nncli.data.columns.parsing import parse_numbers
from nncli.data.splitting.holdout import group_numbers
from nncli.models.conformal.calibration import (
    calibration_folds,
    cross_regions,
    possible_levels,
)
from nncli.models.conformal.groups import OutOfFoldGroups
from nncli.models.conformal.predictor import guarantee
from nncli.models.conformal.uneven import uneven_rows
from nncli.nn.arrays import Floats
from nncli.targets.conformal import CalibrationRows, ConformalMethod, Interval, PredictionSets, Region
from nncli.targets.metrics.amounts import lorenz_curve
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.coverage import Coverage, CoverageScores
from nncli.targets.metrics.sorted_scores import Integers
from nncli.targets.views import (
    Amounts,
    IntegralTransform,
    Intervals,
    QuantileShare,
    QuantileShares,
    Residuals,
    SurvivalCurves,
    View,
)

MAX_TARGETS = 4
BARS = 24
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LIFT_GROUPS = 10
LARGEST = 1e300
"""Largest number that is drawn."""


def residuals(view: Residuals) -> Section:
    """Charts for each target."""
    parts = [part for of_all in view.of_all for part in _parts(of_all)]
    for j, name in enumerate(view.names[:MAX_TARGETS]):
        if len(view.names) > 1:
            parts.append(Heading(display(name)))
        # that of the first target is the picture of the report
        parts += _charts(view.actual[:, j], view.predicted[:, j], display(name, 30), is_drawn=j == 0)
        parts += [part for of_target in view.of_target(j) for part in _parts(of_target)]
    if len(view.names) > MAX_TARGETS:
        parts.append(Paragraph(f"The first {MAX_TARGETS} of {len(view.names):,} targets are shown."))
    return Section("residuals", "Residuals", tuple(parts), wide=True)


def survival(view: SurvivalCurves) -> Section:
    """The calibration of survival curves at a time."""
    predicted, observed, rows = view.calibration
    (time, event), horizon = (display(name, 30) for name in view.names), format_number(view.horizon)
    text = (
        f"Fifths of the rows by the predicted share without {event} at {time} {horizon}, and the share that is "
        "observed (Kaplan-Meier). Dotted line: perfect calibration."
    )
    cells = tuple(
        (format_percent(p), format_percent(o), f"{n:,.0f}")
        for p, o, n in zip(predicted.tolist(), observed.tolist(), rows.tolist(), strict=True)
    )
    table = TableBlock(f"Calibration at {horizon}", ("predicted", "observed", "rows"), cells, ())
    bins = [Bin(int(n), p, o, o, o) for p, o, n in zip(predicted, observed, rows, strict=True)]
    axis = Axis(f"predicted share without {event}", "observed", (0.0, 1.0), (-0.02, 1.02), square=True)
    sizes = np.sqrt(rows / rows.sum())
    figure = points(f"Calibration at {time} {horizon}", text, axis, bins, sizes, table)
    return Section("calibration", "Calibration", (Gallery((figure,)),))


@singledispatch
def _parts(view: View) -> tuple[Part, ...]:
    """What a section shows of a view; nothing of one that reports do not know."""
    return ()


@_parts.register
def _(view: QuantileShare) -> tuple[Part, ...]:
    below = format_percent(view.share)
    return (Paragraph(f"The model predicts the {view.level:g} quantile: {below} of the actual values are below it."),)


@_parts.register
def _(view: QuantileShares) -> tuple[Part, ...]:
    rows = tuple(
        (f"{level:g}", *(format_percent(float(share)) for share in view.shares[:MAX_TARGETS, k]))
        for k, level in enumerate(view.levels)
    )
    names = view.names[:MAX_TARGETS]
    titles = ("below",) if len(view.names) == 1 else tuple(f"below, {display(name, 30)}" for name in names)
    return (TableBlock("Share of the actual values that is below each predicted quantile", ("level", *titles), rows),)


@_parts.register
def _(view: IntegralTransform) -> tuple[Part, ...]:
    """The histogram of the probability integral transform."""
    shares, name = view.shares, display(view.name, 30)
    edges = np.linspace(0.0, 1.0, CDF_BARS + 1)
    heights, _ = np.histogram(shares[np.isfinite(shares)], edges)
    text = (
        "Rows by the share of their predicted distribution that is below the actual value (the probability integral "
        "transform). All bars are equally high if the distributions are right; a U says that they are too narrow, a "
        "hill that they are too wide."
    )
    rows = tuple((f"{low:.1f} to {low + 0.1:.1f}", f"{count:,}") for low, count in zip(edges, heights, strict=False))
    table = TableBlock(f"{name}: rows by probability integral transform", ("share below", "rows"), rows)
    axis = Axis("share of the predicted distribution below the actual value", "rows", (0.0, 1.0))
    return (Gallery((bars("Calibration of the distributions", text, axis, edges, heights.astype(np.float64), table),)),)


def _charts(y: Floats, predicted: Floats, name: str, *, is_drawn: bool) -> list[Part]:
    """Actual by predicted unless it `is_drawn` already, residuals, and their histogram, of finite numbers alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        residual = y - predicted
    in_range = np.isfinite(residual) & (np.abs(y) < LARGEST) & (np.abs(predicted) < LARGEST)
    if not in_range.any():
        return [Paragraph("No row has a finite residual.")]
    parts: list[Part] = []
    if not in_range.all():
        parts.append(Paragraph(f"{int((~in_range).sum()):,} rows without a finite residual are not drawn."))
    y, predicted, residual = y[in_range], predicted[in_range], residual[in_range]
    figures = [_residuals(predicted, residual, name), _histogram(residual, name)]
    if not is_drawn:
        figures.insert(0, _actual_by_predicted(y, predicted, name))
    return [*parts, Gallery(tuple(figures))]


@_parts.register
def _(view: Amounts) -> tuple[Part, ...]:
    """The Lorenz curve of counts or amounts, and their means by predicted rate beside those of the baseline."""
    y, m, baseline, e, name = view.actual, view.predicted, view.baseline, view.exposure, display(view.name, 30)
    w = np.ones(len(y)) if view.weights is None else view.weights
    exposure = np.ones(len(y)) if e is None else e
    if not (np.isfinite(m).all() and (w * y).sum() > 0.0):
        return ()
    per = "rows" if e is None else "exposure"
    (x, share), (x_best, best) = (lorenz_curve(y, score, w, exposure) for score in (m / exposure, y / exposure))
    text = (
        f"The share of {name} in the rows of the lowest predictions{'' if e is None else ' for their exposure'}. The "
        "further below the diagonal, the better the order of the rows; the dashed curve is that of the actual values."
    )
    at, at_best = evenly_spaced(len(x), MAX_POINTS), evenly_spaced(len(x_best), MAX_POINTS)
    curves = [
        Line("predicted order", x[at], share[at]),
        Line("best order", x_best[at_best], best[at_best], "thin", True),
    ]
    axis = Axis(f"share of the {per}", f"share of {name}", (0.0, 1.0), (0.0, 1.0), square=True)
    table = numeric_table(f"{name}: Lorenz curve", (f"share of the {per}", f"share of {name}"), (x, share))
    figures = [lines("Lorenz curve", text, axis, curves, table, diagonal=True)]
    order = np.argsort(m / baseline, kind="stable")
    total = np.cumsum((w * exposure)[order])
    tenth = np.minimum((total / total[-1] * LIFT_GROUPS - 1e-9).astype(np.int64), LIFT_GROUPS - 1)
    sizes, *sums = (np.bincount(tenth, (w * values)[order], LIFT_GROUPS) for values in (exposure, y, m, baseline))
    groups = np.flatnonzero(sizes > 0.0)
    numbers = np.asarray(groups + 1, np.float64)
    actual, predicted, constant = (np.asarray(values[groups] / sizes[groups], np.float64) for values in sums)
    text = (
        f"Rows in {len(groups)} groups by how much higher the prediction is than that of the baseline: the means of "
        "actual and predicted values should agree in each, and leave the baseline."
    )
    drawn = [
        Line("actual", numbers, actual),
        Line("predicted", numbers, predicted, "second"),
        Line("baseline", numbers, constant, "thin", True),
    ]
    unit = f"mean of {name}" if e is None else f"{name} per exposure"
    titles = ("group", "actual", "predicted", "baseline")
    table = numeric_table(f"{name}: double lift", titles, (numbers, actual, predicted, constant))
    figures.append(lines("Double lift", text, Axis("group", unit, integer=True), drawn, table, dots=True))
    return (Gallery(tuple(figures)),)


def _sampling_note(n: int) -> str:
    return f" {MAX_POINTS:,} of {n:,} rows, evenly spaced in the table." if n > MAX_POINTS else ""


def _actual_by_predicted(y: Floats, predicted: Floats, name: str) -> FigureBlock:
    text = f"Each dot is a row; on the dotted line the prediction is exact.{_sampling_note(len(y))}"
    order = np.argsort(y, kind="stable")[evenly_spaced(len(y), MAX_POINTS)]
    table = numeric_table(f"{name}: rows by actual value", ("actual", "predicted"), (y[order], predicted[order]))
    return scatter("Actual by predicted", text, Axis("predicted", "actual"), predicted, y, table)


def _residuals(predicted: Floats, residual: Floats, name: str) -> FigureBlock:
    text = f"Actual minus predicted. A visible pattern is a sign of underfitting.{_sampling_note(len(predicted))}"
    order = np.argsort(predicted, kind="stable")[evenly_spaced(len(predicted), MAX_POINTS)]
    table = numeric_table(
        f"{name}: rows by predicted value", ("predicted", "residual"), (predicted[order], residual[order])
    )
    return scatter("Residuals", text, Axis("predicted", "residual"), predicted, residual, table, level=0.0)


def _histogram(residual: Floats, name: str) -> FigureBlock:
    """The histogram of the 1st to the 99th percentile, whose outermost bars include all rows beyond."""
    low, high = np.quantile(residual, [0.01, 0.99]) if len(residual) > 100 else (residual.min(), residual.max())
    if not high > low:
        low, high = low - max(1e-9, abs(low) * 0.5), high + max(1e-9, abs(high) * 0.5)
    edges = np.linspace(low, high, BARS + 1)
    heights, _ = np.histogram(residual.clip(low, high), edges)
    values = np.quantile(residual, QUANTILES)
    rows = tuple((f"{q:.0%}", format_number(float(value))) for q, value in zip(QUANTILES, values, strict=True))
    table = TableBlock(f"{name}: quantiles of the residuals", ("quantile", "residual"), rows)
    text = "Number of rows by residual; the outermost bars include all rows beyond."
    axis = Axis("residual", "rows")
    return bars("Residual histogram", text, axis, edges, heights.astype(np.float64), table)


CDF_BARS = 10
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
LEVEL = 0.9
"""The level of the intervals that are drawn over a feature, and of the sets whose sizes are drawn."""
MIN_ROWS = 20
MAX_INTERVAL_TARGETS = 3
COLORS: tuple[Color, ...] = ("first", "second", "third")
BINS, MIN_BIN_ROWS = 20, 15
LARGEST_WIDTH = 1e300
"""Largest width that is drawn."""


FIGURES = {
    "intervals": ("mean_width", "interval_score"),
    "bounds": ("mean_bound", "events_before"),
    "sets": ("mean_size", "single", "empty"),
}
"""The figures that are shown of scores of a name; all of others."""
ADDED = {
    "intervals": "the bounds of prediction intervals",
    "bounds": "lower bounds of the times",
    "sets": "sets of classes",
}
"""What an option of `predict` adds."""
REMARKS = {
    "bounds": "Covered are the rows that were observed until their bound. Rows that were censored before it may have "
    "their event after it: so the share of the times that is covered is at least the coverage, and at most the share "
    "of the rows without an event before the bound."
}


def uncertainty(held_out: HeldOutPredictions, columns: Sequence[str]) -> Section | None:
    """Coverage against level, and intervals over the most important numeric one of the `columns`, or sizes of sets.

    None if no rows were held out, or too few.
    """
    method, cluster = held_out.head.uncertainty, group_numbers(held_out.table, held_out.config.data.group)
    regions = _cross_regions(held_out, cluster, LEVELS)
    if method is None or not regions:
        return None
    labeled = CalibrationRows(held_out.y, held_out.weights, cluster)
    of_levels = [region.coverage(held_out.predictions.target, labeled) for region in regions]
    names, levels = [*of_levels[0]], [region.level for region in regions]
    curves, tables, figures = list[tuple[str, list[float]]](), list[TableBlock](), list[FigureBlock]()
    for name in names[:MAX_INTERVAL_TARGETS]:
        scores = [of_level[name] for of_level in of_levels]
        values = [figure.value for of_level in scores for figure in of_level.figures.values()]
        if not np.isfinite(values).all() or max(of_level.coverage.size for of_level in scores) >= LARGEST_WIDTH:
            continue
        title = display(name, 30) if name is not None and len(names) > 1 else ""
        curves.append((title, [score.coverage.share for score in scores]))
        tables.append(_coverage_table(scores, title))
        if name == names[0]:
            at = levels.index(LEVEL)
            figures += _beside(regions[at], scores[at], held_out, columns)
    if not tables:
        return None
    (first, *others), kind = tables, next(iter(of_levels[0].values()))
    parts: tuple[Part, ...] = (
        *_uneven(held_out, method, cluster),
        *([Paragraph(REMARKS[kind.name])] if kind.name in REMARKS else []),
        ColumnsBlock((_coverage_figure(levels, curves, first), *figures, *others)),
        _method(held_out, method.option.replace("_", "-"), ADDED.get(kind.name, kind.title)),
    )
    return Section(kind.title.replace(" ", "-"), kind.title.capitalize(), parts, wide=True)


def headline_intervals(held_out: HeldOutPredictions) -> Intervals | None:
    """The intervals at LEVEL of the scored rows, each calibrated by the other folds; None where there are none."""
    regions = _cross_regions(held_out, group_numbers(held_out.table, held_out.config.data.group), [LEVEL])
    return regions[0].intervals if regions else None


def _cross_regions(held_out: HeldOutPredictions, cluster: Integers | None, levels: Sequence[float]) -> list[Region]:
    """The regions of the scored rows at those of the levels that are possible; none if LEVEL is not."""
    method = held_out.head.uncertainty
    if method is None or held_out.split != "validation" or len(held_out) < MIN_ROWS:
        return []
    folds = calibration_folds(held_out.oof_mask, len(held_out), cluster)
    possible = possible_levels(levels, folds)
    if LEVEL not in possible:
        return []
    rows = (held_out.predictions, held_out.y, folds)
    return [cross_regions(method, *rows, level, held_out.loss, held_out.signs) for level in possible]


@singledispatch
def _beside(
    region: Region, scores: CoverageScores, held_out: HeldOutPredictions, columns: Sequence[str]
) -> tuple[FigureBlock, ...]:
    """What is drawn of the regions at LEVEL beside their coverage, of the first target, which has these scores."""
    return ()


@_beside.register
def _(
    region: Interval, scores: CoverageScores, held_out: HeldOutPredictions, columns: Sequence[str]
) -> tuple[FigureBlock, ...]:
    first = display(held_out.predictions.target.names[0], 30)
    figure = _over_feature(held_out, columns, (region.lower[:, 0], region.upper[:, 0]), first)
    return () if figure is None else (figure,)


@_beside.register
def _(
    region: PredictionSets, scores: CoverageScores, held_out: HeldOutPredictions, columns: Sequence[str]
) -> tuple[FigureBlock, ...]:
    """The share of the rows by the number of classes in their sets."""
    parts = scores.parts["by_size"]
    rows = tuple((part.name, f"{part.rows:,}", *_shares(part)) for part in parts)
    table = TableBlock(f"Sets at {LEVEL:g} by size", ("size", "rows", "coverage", "95 % CI"), rows)
    heights = np.array([part.rows / scores.coverage.rows for part in parts], np.float64)
    edges = np.arange(len(heights) + 1, dtype=np.float64) - 0.5
    ticks = tuple((float(i), part.name) for i, part in enumerate(parts))
    axis = Axis("classes in the set", "share of the rows", ticks=ticks)
    text = f"The share of the held-out rows by the number of classes that cannot be excluded at the level {LEVEL:g}."
    return (bars("Sizes of prediction sets", text, axis, edges, heights, table),)


def _method(held_out: HeldOutPredictions, option: str, what: str) -> Details:
    """How the coverage is measured, and what is guaranteed."""
    groups = None if held_out.oof_mask is None else OutOfFoldGroups.of_mask(held_out.oof_mask)
    stated = guarantee(
        held_out.config,
        type(held_out.predictions.target),
        "split conformal" if groups is None else groups.method,
        LEVEL,
        len(held_out),
        1 if groups is None else len(groups),
    )
    return method(
        f"nncli predict RUN TABLE --{option} {LEVEL:g} adds {what} that cover about {100 * LEVEL:g} % of new rows. "
        "Here each held-out row is compared with its own, calibrated by the rows of the other folds. "
        + stated.sentence.replace("`", "")
    )


def _uneven(held_out: HeldOutPredictions, method: ConformalMethod, cluster: Integers | None) -> list[Notice]:
    """The group of rows that the intervals cover less or more often than the level, as `nncli predict` says."""
    predictions, parts = held_out.predictions, [np.arange(len(held_out))]
    fitted = method.fitted(LEVEL, predictions, held_out.loss)
    group = uneven_rows(LEVEL, fitted, predictions, held_out.y, parts, held_out.categories, cluster)
    kind = "out-of-fold" if held_out.is_out_of_fold else "validation"
    return [] if group is None else [Notice("warning", f"{group.note(predictions, kind)}.")]


def _coverage_figure(
    levels: Sequence[float], curves: Sequence[tuple[str, list[float]]], table: TableBlock
) -> FigureBlock:
    drawn = [Line(name, levels, shares, color) for (name, shares), color in zip(curves, COLORS, strict=False)]
    text = "The share of the held-out rows that are covered, by the level. On the dotted line both are the same."
    axis = Axis("level", "coverage", (0.0, 1.0), (0.0, 1.02), square=True)
    return lines("Coverage by level", text, axis, drawn, table, diagonal=True, dots=True)


def _coverage_table(scores: Sequence[CoverageScores], name: str) -> TableBlock:
    shown = FIGURES.get(scores[0].name, tuple(scores[0].figures))
    titles = ("level", "coverage", "95 % CI", *(scores[0].figures[figure].title for figure in shown))
    rows = list[tuple[str, ...]]()
    for score in scores:
        figures = [score.figures[figure] for figure in shown]
        cells = [(format_percent if figure.is_share else format_number)(figure.value) for figure in figures]
        rows.append((f"{score.level:g}", *_shares(score.coverage), *cells))
    what = f"coverage of {scores[0].title}"
    return TableBlock(f"{name}: {what}" if name else what.capitalize(), titles, tuple(rows))


def _over_feature(
    held_out: HeldOutPredictions, names: Sequence[str], bounds: tuple[Floats, Floats], target: str
) -> FigureBlock | None:
    """The mean prediction and the mean interval over the first numeric column of `names`, in bins."""
    for name in names:
        if name not in held_out.model.plain_number_columns or name not in held_out.table.names:
            continue
        x = parse_numbers(held_out.table.column(name), held_out.table.dialect_of(name)).to_numpy().astype(np.float64)
        bins = _bins(x)
        if len(bins) > 1:
            return _bins_figure(held_out, display(name, 30), x, bins, bounds, target)
    return None


def _bins(x: Floats) -> list[Integers]:
    """The positions of rows with similar numbers, in bins between quantiles; rows with equal numbers stay together."""
    finite = np.flatnonzero(np.isfinite(x))
    count = min(BINS, len(finite) // MIN_BIN_ROWS)
    if count < 2:
        return []
    edges = np.unique(np.quantile(x[finite], np.arange(1, count) / count))
    number = np.searchsorted(edges, x[finite], side="left")
    bins = [finite[number == i] for i in range(len(edges) + 1)]
    return [rows for rows in bins if len(rows) >= MIN_BIN_ROWS // 2]


def _bins_figure(
    held_out: HeldOutPredictions,
    name: str,
    x: Floats,
    bins: Sequence[Integers],
    bounds: tuple[Floats, Floats],
    target: str,
) -> FigureBlock:
    (lower, upper), y, center = bounds, held_out.y[:, 0], held_out.predictions.values[:, 0]
    means = np.array([[values[rows].mean() for values in (x, center, lower, upper)] for rows in bins]).T
    inside = [float(((lower[rows] <= y[rows]) & (y[rows] <= upper[rows])).mean()) for rows in bins]
    titles = (name, "prediction", "lower", "upper", "rows", "coverage")
    cells = tuple(
        (*map(format_number, means[:, i]), f"{len(rows):,}", format_percent(share))
        for i, (rows, share) in enumerate(zip(bins, inside, strict=True))
    )
    drawn = [
        Line("prediction", means[0], means[1]),
        Line(f"interval at {LEVEL:g}", means[0], means[2], "second", dashed=True),
        Line("", means[0], means[3], "second", dashed=True),
    ]
    text = f"The mean prediction and the mean interval of rows with similar {name}, the most important numeric column."
    table = TableBlock(f"{target}: intervals by {name}", titles, cells)
    return lines(f"Intervals over {name}", text, Axis(name, target), drawn, table)


def _shares(part: Coverage) -> tuple[str, str]:
    """The coverage and its confidence interval."""
    interval: ConfidenceInterval | None = part.interval
    return format_percent(part.share), format_interval(interval, format_percent)
