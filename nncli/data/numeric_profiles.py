"""Profiles of many columns of finite numbers at once.

For a table of thousands of columns and few rows, ten calls of Polars for each would take most of the time.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.column_profile import MAX_TOP_VALUES, ColumnProfile
from nncli.data.columns.parsing import read_text
from nncli.data.encoders.kinds import Kind
from nncli.data.store.dense_columns import DenseColumns
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Mask

HISTOGRAM_BARS = 20
HISTOGRAM_ENDS = (0.01, 0.99)
"""Quantiles between which the bars of a histogram lie; the outermost ones include all numbers beyond."""


def profile_numbers(dense: DenseColumns) -> list[ColumnProfile]:
    """The kinds and statistics of columns of finite numbers, at least one row; without label and recommendation."""
    if not len(dense.names):
        return []
    X = np.sort(dense.values, axis=1)
    rows = X.shape[1]
    is_first = np.ones(X.shape, np.bool_)
    np.not_equal(X[:, 1:], X[:, :-1], out=is_first[:, 1:])
    distinct = is_first.sum(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        means = dense.values.mean(axis=1)
        medians = (X[:, (rows - 1) // 2] + X[:, rows // 2]) / 2.0
    statistics = zip(
        dense.names,
        distinct.tolist(),
        _top_values(X, is_first, distinct.tolist()),
        X[:, 0].tolist(),
        X[:, -1].tolist(),
        means.tolist(),
        medians.tolist(),
        _histograms(X),
        strict=True,
    )
    return [
        ColumnProfile(
            name,
            Kind.NUMERIC,
            Kind.NUMERIC,
            rows,
            0,
            distinct=n,
            top_values=top,
            lowest=lowest,
            highest=highest,
            mean=mean,
            median=median,
            histogram=histogram,
        )
        for name, n, top, lowest, highest, mean, median, histogram in statistics
    ]


def _top_values(X: Floats, is_first: Mask, distinct: list[int]) -> list[tuple[tuple[str, int], ...]]:
    """The most frequent values of each column of X (columns, rows), sorted, with their counts; of equals the lowest."""
    rows, values, counts = X.shape[1], [], []
    for x, first, n in zip(X, is_first, distinct, strict=True):
        if n == rows:
            values.append(x[:MAX_TOP_VALUES])
            counts.append(np.ones(min(rows, MAX_TOP_VALUES), np.int64))
            continue
        starts = np.flatnonzero(first)
        lengths = np.diff(starts, append=rows)
        order = np.argsort(-lengths, kind="stable")[:MAX_TOP_VALUES]
        values.append(x[starts[order]])
        counts.append(lengths[order])
    texts = read_text(Table(pl.DataFrame({"value": np.concatenate(values)}), ""), "value").to_list()
    pairs = list(zip(texts, np.concatenate(counts).tolist(), strict=True))
    ends = np.cumsum([len(part) for part in counts]).tolist()
    return [tuple(pairs[end - len(part) : end]) for end, part in zip(ends, counts, strict=True)]


def _histograms(X: Floats) -> list[tuple[int, ...]]:
    """The histogram of each column of X (columns, rows), sorted."""
    first, last = X[:, 0], X[:, -1]
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(X, HISTOGRAM_ENDS, axis=1)
        is_flat = ~(low < high)
        low, high = np.where(is_flat, first, low)[:, None], np.where(is_flat, last, high)[:, None]
        span = high - low
        place = (X.clip(low, high) - low) / np.where(span > 0.0, span, 1.0) * HISTOGRAM_BARS
        few = (last - first < HISTOGRAM_BARS) & (np.floor(X) == X).all(axis=1)
    alone = few | ~((span[:, 0] > 0.0) & np.isfinite(span[:, 0]))
    place[alone] = 0.0
    bars = np.clip(place, 0, HISTOGRAM_BARS - 1).astype(np.int64) + HISTOGRAM_BARS * np.arange(len(X))[:, None]
    counts = np.bincount(bars.reshape(-1), minlength=HISTOGRAM_BARS * len(X)).reshape(len(X), HISTOGRAM_BARS).tolist()
    return [
        histogram_of(x) if is_alone else tuple(count)
        for x, is_alone, count in zip(X, alone.tolist(), counts, strict=True)
    ]


def histogram_of(x: Floats) -> tuple[int, ...]:
    """The number of values in each of at most HISTOGRAM_BARS bars of equal width; one for each of few integers."""
    if not len(x):
        return ()
    values, counts = np.unique(x, return_counts=True)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(x, HISTOGRAM_ENDS)
        if not low < high:
            low, high = values[0], values[-1]
        width, span = values[-1] - values[0], high - low
    if width < HISTOGRAM_BARS and (values == np.floor(values)).all():
        bars = np.zeros(int(width) + 1, np.int64)
        bars[(values - values[0]).astype(np.int64)] = counts
        return tuple(bars.tolist())
    if not 0 < span < np.inf:
        return (len(x),)
    place = np.clip((x.clip(low, high) - low) / span * HISTOGRAM_BARS, 0, HISTOGRAM_BARS - 1).astype(np.int64)
    return tuple(np.bincount(place, minlength=HISTOGRAM_BARS).tolist())
