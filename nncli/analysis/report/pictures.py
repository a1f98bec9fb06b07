"""The picture of the predictions at the head of a report: one for each view of a target."""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle

from nncli.analysis.report.charts import (
    FIRST,
    INK,
    MAX_POINTS,
    MAX_ROWS,
    MAX_TICK_LENGTH,
    MISS,
    PICTURE_HEIGHT,
    PICTURE_WIDTH,
    SECOND,
    SHADE,
    SOFT,
    Axis,
    Color,
    ErrorBar,
    Line,
    add_legend,
    draw,
    evenly_spaced,
    lines,
    name_ticks,
    plain_numbers,
    ranges,
)
from nncli.analysis.report.page import FigureBlock, TableBlock, display
from nncli.base.text import format_number, format_percent
from nncli.nn.arrays import Floats
from nncli.targets.views import ActualByPredicted, Confusions, LabelRates, Separation, SurvivalCurves, View

LARGEST = 1e300
"""Largest number that is drawn."""
BANDS = 30
"""Groups of rows with similar predictions, by whose mean interval the band is drawn."""
MIN_BAND_ROWS = 10
BINS = 25
MAX_COUNTED, MAX_COLORED = 12, 40
"""Most classes whose cells have numbers, and whose matrix is drawn."""
MAX_SHOWN_TIMES = 13
"""Times of curves that a table has."""
MAX_PAIRS = 20
"""Pairs of classes that are drawn where there are too many for a matrix."""


@singledispatch
def picture(view: View) -> FigureBlock | None:
    """The picture of a view; None if nothing of it can be drawn."""
    raise NotImplementedError(type(view).__name__)


@picture.register
def _(view: ActualByPredicted) -> FigureBlock | None:
    """Dots of the actual by the predicted numbers, the line where both are equal, and the band of the intervals."""
    actual, predicted, intervals = view.actual, view.predicted, view.intervals
    with np.errstate(over="ignore", invalid="ignore"):
        drawn = np.flatnonzero((np.abs(actual) < LARGEST) & (np.abs(predicted) < LARGEST))
        if intervals is not None:
            bounded = np.abs(intervals.lower) + np.abs(intervals.upper) < LARGEST
            intervals = intervals if bounded[drawn].all() else None
    if not len(drawn):
        return None
    at = drawn[evenly_spaced(len(drawn), MAX_POINTS)]
    outside = np.zeros(len(actual), np.bool_)
    if intervals is not None:
        outside = (actual < intervals.lower) | (actual > intervals.upper)

    def paint(drawing: Drawing, axes: Axes) -> None:
        size, alpha = (4.5, 0.7) if len(at) < 300 else (3.2, 0.5)
        x, y = np.concatenate([predicted[at], actual[at]]).min(), np.concatenate([predicted[at], actual[at]]).max()
        axes.plot([x, y], [x, y], color=SOFT, linestyle=":", linewidth=1.2, label="actual = predicted", zorder=1)
        if intervals is not None:
            bands = _bands(predicted[drawn], intervals.lower[drawn], intervals.upper[drawn])
            name = f"{100 * intervals.level:.4g} % interval"
            axes.fill_between(*bands, color=FIRST, alpha=0.16, linewidth=0, label=name, zorder=0)
        for is_drawn, color, side in ((~outside, FIRST, "inside"), (outside, SECOND, "outside")):
            rows, share = at[is_drawn[at]], format_percent(float(is_drawn[drawn].mean()))
            if len(rows):
                name = "_" if intervals is None else f"rows {side}: {share}"
                axes.plot(predicted[rows], actual[rows], "o", color=color, ms=size, alpha=alpha, mew=0, label=name)
        axes.set_xlabel("predicted")
        axes.set_ylabel("actual")
        plain_numbers(axes)
        add_legend(drawing, axes)

    text = "Each dot is a row; on the dotted line the prediction is exact."
    order = at[np.argsort(actual[at], kind="stable")][evenly_spaced(len(at), MAX_ROWS)]
    columns, titles = [actual, predicted], ["actual", "predicted"]
    if intervals is not None:
        columns, titles = [*columns, intervals.lower, intervals.upper], [*titles, "lower", "upper"]
        share = format_percent(float(outside[drawn].mean()))
        text += (
            f" {share} of the rows are outside their {100 * intervals.level:.4g} % interval; the band is the mean one."
        )
    if len(at) < len(actual):
        text += f" {len(at):,} of {len(actual):,} rows are drawn."
    rows = tuple(tuple(format_number(float(column[i])) for column in columns) for i in order)
    note = (
        f"{len(order)} of {len(actual):,} rows, evenly spaced by the actual value." if len(order) < len(actual) else ""
    )
    name = display(view.name, 30)
    table = TableBlock(f"{name}: rows by actual value", tuple(titles), rows, (), note)
    return FigureBlock(draw(paint, PICTURE_WIDTH, PICTURE_HEIGHT), f"Actual by predicted {name}", text, table)


def _bands(
    x: np.ndarray[tuple[int], np.dtype[np.float64]],
    lower: np.ndarray[tuple[int], np.dtype[np.float64]],
    upper: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[list[float], list[float], list[float]]:
    """The mean ends of the intervals of groups of rows with similar predictions x, from the lowest to the highest."""
    groups = np.array_split(np.argsort(x, kind="stable"), max(1, min(BANDS, len(x) // MIN_BAND_ROWS)))
    means = [[float(values[rows].mean()) for rows in groups] for values in (x, lower, upper)]
    middle = np.array(means[0])
    ends = (float(x.min()), float(x.max()))
    # to the outermost rows, as wide as in the groups that they are in
    low, high = ([ends[0] + values[0] - middle[0], *values, ends[1] + values[-1] - middle[-1]] for values in means[1:])
    return [ends[0], *means[0], ends[1]], low, high


@picture.register
def _(view: Separation) -> FigureBlock | None:
    """The distributions of the probability of one class, of its rows and of the others, and the threshold."""
    if not len(view.probability) or not view.weights.sum() > 0:
        return None
    edges = np.linspace(0.0, 1.0, BINS + 1)
    names = [display(label, 24) for label in view.labels]
    masks = (~view.is_positive, view.is_positive)
    counts = [np.histogram(view.probability[rows], edges, weights=view.weights[rows])[0] for rows in masks]
    shares = [heights / max(heights.sum(), 1e-300) for heights in counts]

    def paint(drawing: Drawing, axes: Axes) -> None:
        for name, share, rows, color in zip(names, shares, masks, (SECOND, FIRST), strict=True):
            label = f"{name} ({int(rows.sum()):,} rows)"
            axes.stairs(share, edges, fill=True, color=color, alpha=0.4, linewidth=0, label=label)
            axes.stairs(share, edges, color=color, linewidth=1.4, baseline=None)
        label = f"threshold {format_number(view.threshold)}"
        axes.axvline(view.threshold, color=INK, linestyle="--", linewidth=1.4, label=label)
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel(f"predicted probability of {names[1]}")
        axes.set_ylabel("share of the rows of the class")
        plain_numbers(axes, y=False)
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
        add_legend(drawing, axes, 3)

    predicted = view.probability >= view.threshold
    detected, alarms = (
        format_percent(float(np.average(predicted[rows], weights=view.weights[rows])))
        if view.weights[rows].sum() > 0
        else "–"
        for rows in reversed(masks)
    )
    text = (
        f"The rows of each class by the predicted probability of {names[1]}. From the threshold on, a row is predicted "
        f"as {names[1]}: {detected} of the rows of {names[1]} are, and {alarms} of the others."
    )
    rows = tuple(
        (f"{low:.2f}–{high:.2f}", *(f"{heights[i]:,.6g}" for heights in counts))
        for i, (low, high) in enumerate(pairwise(edges))
    )
    titles = ("probability", *(f"rows of {name}" for name in names))
    table = TableBlock(f"Rows by the probability of {names[1]}", titles, rows, ())
    return FigureBlock(draw(paint, PICTURE_WIDTH, PICTURE_HEIGHT), f"Predicted probability of {names[1]}", text, table)


@picture.register
def confusion_matrix(view: Confusions, width: float = PICTURE_WIDTH) -> FigureBlock | None:
    """The matrix as a heat map, or, of many classes, the pairs that are confused most often."""
    counts, K = view.counts, len(view.labels)
    names = [display(label, MAX_TICK_LENGTH) for label in view.labels]
    support = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(support > 0, support, 1.0)
    if K > MAX_COLORED:
        return _confused_pairs(counts, shares, names)

    def paint(drawing: Drawing, axes: Axes) -> None:
        for (i, j), share in np.ndenumerate(shares):
            if share > 0:
                # errors are few: the root makes them visible
                color, alpha = (SHADE, share) if i == j else (MISS, share ** (1 / 3))
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=color, alpha=alpha, linewidth=0))
            if K <= 4 or (share > 0 and K <= MAX_COUNTED):
                size = 12 if K <= 4 else 9 if K <= 8 else 8
                color = INK if share > 0 else SOFT
                text = (
                    f"{row_count(float(counts[i, j]))}\n{format_percent(share)}"
                    if K <= 8 and share > 0
                    else row_count(float(counts[i, j]))
                )
                axes.text(j, i, text, ha="center", va="center", color=color, fontsize=size)
        axes.set_xlim(-0.5, K - 0.5)
        axes.set_ylim(K - 0.5, -0.5)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("actual class")
        small = 5 if K > 20 else 7 if K > MAX_COUNTED else 9 if K > 6 else 10
        name_ticks(axes, range(K), names, small)
        axes.set_yticks(range(K), names, fontsize=small)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)

    rows = tuple(
        (name, *(f"{row_count(n)} ({format_percent(share)})" for n, share in zip(*of_class, strict=True)))
        for name, *of_class in zip(names, counts, shares, strict=True)
    )
    titles = ("actual class", *(f"predicted {name}" for name in names))
    text = "Rows by actual and predicted class, and their share of the actual class. Blue is right, orange is wrong."
    table = TableBlock("Rows by actual class and predicted class", titles, rows)
    height = width * (PICTURE_HEIGHT / PICTURE_WIDTH if K <= 6 else 0.9)
    return FigureBlock(draw(paint, width, height), "Confusion matrix", text, table)


@picture.register
def _(view: LabelRates) -> FigureBlock | None:
    """The F1 of each label; of many, of those with the lowest."""
    scores = sorted(zip(view.scores, view.thresholds, strict=True), key=lambda pair: -pair[0].f1)
    drawn = scores[-MAX_COLORED:]
    rows = tuple(
        (
            display(score.label, 40),
            *(row_count(n) for n in (score.support, score.predicted)),
            format_number(threshold),
            *map(format_number, (score.precision, score.recall, score.f1)),
        )
        for score, threshold in scores
    )
    titles = ("label", "rows", "predicted", "threshold", "precision", "recall", "F1")
    table = TableBlock("Scores of each label", titles, rows)
    bars = [ErrorBar(display(score.label, MAX_TICK_LENGTH), score.f1) for score, _ in drawn]
    text = "F1 of each label, the harmonic mean of its precision and its recall."
    if len(drawn) < len(scores):
        text += f" The {len(drawn)} labels with the lowest are drawn, of {len(scores):,}."
    ends = (0.0, 1.0)
    return ranges("F1 by label", text, "F1", bars, table, 0.0, ends, from_level=True, width=PICTURE_WIDTH)


def _confused_pairs(counts: np.ndarray, shares: np.ndarray, names: list[str]) -> FigureBlock | None:
    wrong = counts * (1 - np.eye(len(counts)))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    pairs = [(i, j) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j] > 0]
    if not pairs:
        return None
    drawn = [ErrorBar(f"{names[i][:12]} as {names[j][:12]}", float(wrong[i, j])) for i, j in pairs]
    rows = tuple((names[i], names[j], row_count(wrong[i, j]), format_percent(shares[i, j])) for i, j in pairs)
    table = TableBlock(
        "Most confused classes", ("actual class", "predicted class", "rows", "of the actual class"), rows, (0, 1)
    )
    text = (
        f"The pairs of classes that are confused most often: the matrix of {len(names):,} classes is too large to show."
    )
    return ranges("Most confused classes", text, "rows", drawn, table, 0.0, from_level=True, width=PICTURE_WIDTH)


def row_count(n: float) -> str:
    """A number of rows, or a sum of weights."""
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.1f}"


RISKS: tuple[tuple[str, Color], ...] = (("lowest", "first"), ("middle", "second"), ("highest", "third"))


@picture.register
def _(view: SurvivalCurves) -> FigureBlock | None:
    """The Kaplan-Meier curves of thirds of the rows by predicted risk, and the mean predicted curves."""
    time, event = (display(name, 30) for name in view.names)
    drawn, columns = list[Line](), list[Floats]()
    for (risk, color), observed, predicted in zip(RISKS, view.observed, view.predicted, strict=False):
        steps = np.repeat(view.times, 2)[1:], np.repeat(observed, 2)[:-1]
        drawn += [Line(f"{risk} risk", *steps, color), Line("predicted", view.times, predicted, color, dashed=True)]
        columns += [observed, predicted]
    shown = evenly_spaced(len(view.times), MAX_SHOWN_TIMES)
    rows = tuple(
        (format_number(float(view.times[k])), *(format_percent(float(curve[k])) for curve in columns)) for k in shown
    )
    titles = (time, *(f"{risk} risk, {kind}" for risk, _ in RISKS for kind in ("observed", "predicted")))
    text = (
        f"The Kaplan-Meier curves of thirds of the rows by their predicted risk of {event}, and dashed the mean of the "
        "predicted curves. The further apart the thirds, the more the model tells; the closer each pair, the better it "
        "is calibrated."
    )
    table = TableBlock(f"Share of rows without {event} by predicted risk", titles[: len(columns) + 1], rows, ())
    axis = Axis(time, f"share without {event}", (0.0, float(view.times[-1])), (0.0, 1.02))
    return lines(f"{event} by predicted risk", text, axis, drawn, table)
