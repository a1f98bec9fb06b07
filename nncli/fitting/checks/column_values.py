"""Checks of single columns: missing, empty, constant, duplicate, id-like and group-like ones, outliers, target leakage.

A feature leaks the target if it alone predicts that of validation rows nearly perfectly. Each row is predicted by the
most frequent class, or the mean, of the three training rows with the nearest numbers or of all training rows with the
same category, so that a single copy of the row is outvoted. Large tables are sampled with a fixed seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Advice, Location, SetKey
from nncli.base.findings import Finding, FindingCode, Level
from nncli.base.median import median
from nncli.base.text import join_quoted, quote, yaml_quote
from nncli.config.yaml.writer import dump_scalar
from nncli.data.columns.parsing import leave_out
from nncli.data.encoders.categorical import MIN_COUNT
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key
from nncli.fitting.checks.column import (
    MAX_NAMES,
    SplitColumn,
    SplitTable,
    column_finding,
    count,
    draw,
    dropping,
    percentage,
)
from nncli.fitting.checks.notes import uninformative_column
from nncli.nn.arrays import Floats, RowIndices

NEARLY_EMPTY = 0.95
"""Fraction of missing cells from which a column is nearly empty."""
MIN_DISTINCT = 50
"""Fewest rows or values from which a column is called id-like or group-like."""


def missing_cells(profiles: Sequence[ColumnProfile], location: Location) -> list[Finding]:
    """Columns with missing cells and their fractions."""
    incomplete = sorted((p for p in profiles if 0 < p.missing < p.rows), key=lambda p: -p.missing / p.rows)
    findings = []
    nearly_empty = [p for p in incomplete if p.missing >= NEARLY_EMPTY * p.rows]
    if nearly_empty:
        names = [p.name for p in nearly_empty]
        message = f"nearly empty: {_shares(nearly_empty)} of the cells are missing"
        hint: str = Advice(f"If the remaining values matter little, drop {_them(names)}: ", *dropping(names).parts, ".")
        findings.append(column_finding("note", FindingCode.NEARLY_EMPTY_COLUMN, location, names, message, hint))
    rest = incomplete[len(nearly_empty) :]
    if rest:
        message = f"{len(rest):,} of {count(len(profiles), 'column', 'columns')} with missing cells: {_shares(rest)}"
        hint = (
            "No action needed: a missing number becomes the median with an indicator, a missing category is a category."
        )
        names = [p.name for p in rest]
        findings.append(column_finding("note", FindingCode.MISSING_VALUES, location, names, message, hint))
    return findings


def _shares(profiles: Sequence[ColumnProfile]) -> str:
    shown = [f"{quote(p.name)} {percentage(p.missing, p.rows)}" for p in profiles[:MAX_NAMES]]
    more = [f"{len(profiles) - MAX_NAMES:,} more"] if len(profiles) > MAX_NAMES else []
    return ", ".join([*shown, *more])


def uninformative(profiles: Sequence[ColumnProfile], location: Location) -> list[Finding]:
    """Columns without a value, and columns with the same value in every row."""
    empty = [p.name for p in profiles if p.label is Label.EMPTY]
    constant = [p.name for p in profiles if p.label is Label.CONSTANT]
    findings = []
    if empty:
        message = f"{join_quoted(empty)} {_has(empty)} no value in any row and will be ignored"
        hint = Advice("No action needed; to drop it explicitly: ", *dropping(empty).parts, ".")
        findings.append(column_finding("note", FindingCode.EMPTY_COLUMN, location, empty, message, hint))
    if constant:
        message = (
            f"{join_quoted(constant)} {_has(constant)} the same value in every row, so nothing can be learned from it"
        )
        hint = Advice(f"Drop {_them(constant)}: ", *dropping(constant).parts, ".")
        findings.append(column_finding("note", FindingCode.CONSTANT_COLUMN, location, constant, message, hint))
    return findings


def id_like(profile: ColumnProfile, column: SplitColumn, location: Location) -> Finding | None:
    """A column whose values identify rows."""
    name = quote(profile.name)
    needs_repeats = column.kind.encoder.needs_repeats
    hint = Advice("If so, drop it: ", leave_out(profile.name), ".")
    if needs_repeats and len(column.training) > 1 and not _has_frequent_value(column):
        return uninformative_column(column.kind.encoder, profile.name, location)
    if profile.label is Label.ID and profile.is_unique:
        message = f"{name} has a different value in every row; is it an id or a row number?"
    elif profile.label is Label.ID or (needs_repeats and profile.present >= MIN_DISTINCT and profile.is_nearly_unique):
        message = (
            f"{name} has {profile.distinct:,} different values in {profile.present:,} rows; "
            "is it an id, a name or free text?"
        )
    else:
        return None
    return column_finding("warning", FindingCode.ID_LIKE_COLUMN, location, [profile.name], message, hint)


def _has_frequent_value(column: SplitColumn) -> bool:
    counts = column.training.drop_nulls().value_counts(name="rows")["rows"]
    return counts.is_empty() or bool((counts >= MIN_COUNT).any())


def group_like(profile: ColumnProfile, row_columns: Sequence[str], location: Location) -> Finding | None:
    """A column named like a key whose values repeat, so that rows may belong together.

    `row_columns` are the columns by which rows are already grouped, ordered or weighted.
    """
    repeats = 2 * profile.distinct <= profile.present
    if row_columns or not repeats or profile.distinct < MIN_DISTINCT or not is_named_like_a_key(profile.name):
        return None
    message = (
        f"{quote(profile.name)} is named like a key, and each of its {profile.distinct:,} values occurs in "
        f"{profile.present / profile.distinct:.2g} rows on average; do these rows belong together?"
    )
    option = SetKey("data.group", dump_scalar(profile.name))
    hint = Advice("If so, ", option, ": each group is then either in training or in validation.")
    return column_finding("note", FindingCode.GROUP_LIKE_COLUMN, location, [profile.name], message, hint)


class IdenticalColumns:
    """Columns that are equal in every row, found by a digest of each column."""

    def __init__(self) -> None:
        self._names: dict[int, list[str]] = defaultdict(list)

    def add(self, column: SplitColumn, digests: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        """Add a column with the digests (rows,) of its cells."""
        with np.errstate(over="ignore"):
            weights = np.arange(1, len(digests) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            self._names[hash((int((digests ^ weights).sum()), int((digests * weights).sum())))].append(column.name)

    def findings(self, location: Location, ignored: Sequence[str]) -> list[Finding]:
        """A finding for each set of equal columns, without the `ignored` ones."""
        findings = []
        for names in self._names.values():
            first, *rest = [name for name in names if name not in ignored] or [""]
            if rest:
                message = (
                    f"{join_quoted(rest)} {'is' if len(rest) == 1 else 'are'} equal to {quote(first)} in every row"
                )
                hint = Advice(f"Drop {_them(rest)}: ", *dropping(rest).parts, ".")
                findings.append(column_finding("note", FindingCode.DUPLICATE_COLUMN, location, rest, message, hint))
        return findings


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


MIN_SCALES = 10.0
"""Robust scales from the median: in a normal distribution not one number in 10^23 lies so far out."""
MIN_GAP = 5.0
"""Ratio of the distances of an outlier and of the next number: long tails, as of incomes, have no such gap."""
MIN_ROWS = 20
"""Fewest numbers of a column, or rows from which is predicted and that are predicted, that are checked."""
MAX_OUTLIERS, MAX_OUTLIER_FRACTION = 3, 1e-3
"""Most outliers of a column, by number or by fraction: more of them are a cluster."""
SENTINELS = frozenset(sign * 10.0**k - sign for k in range(2, 8) for sign in (1.0, -1.0))
"""99, 999, -99 …: common placeholders for a missing number."""
NORMAL_IQR = 1.349
"""Interquartile range of the standard normal distribution."""


@dataclass(frozen=True)
class Outliers:
    """Outliers of a column: the `positions` (n,) of their rows, the farthest first.

    `value` is that of the farthest one, `scales` its distance from the `median` in robust scales.
    """

    positions: npt.NDArray[np.int64]
    scales: float
    median: float
    value: float


def outliers_of(x: npt.NDArray[np.float64]) -> Outliers | None:
    """The outliers of x (rows,), in which NaN is missing.

    The robust scale is the interquartile range, or the mean distance if more than half of the rows are equal.
    """
    present = np.flatnonzero(np.isfinite(x))
    if len(present) < MIN_ROWS:
        return None
    values = x[present]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest float
        center = median(values)
        distance = np.abs(values - center)
        q25, q75 = np.quantile(values, (0.25, 0.75))
        n = max(MAX_OUTLIERS, int(MAX_OUTLIER_FRACTION * len(values)))
        order = np.argpartition(distance, len(distance) - n - 1)[-n - 1 :]
        order = order[np.argsort(-distance[order], kind="stable")]
        d = distance[order]
        scale = (q75 - q25) / NORMAL_IQR or float(distance[distance <= d[-1]].mean())
        if not (np.isfinite(scale) and scale > 0.0):
            return None
        scales = d / scale
        gaps = np.flatnonzero((scales[:-1] > MIN_SCALES) & (d[:-1] >= MIN_GAP * d[1:]))
    if not len(gaps):
        return None
    farthest = order[: gaps[-1] + 1]
    return Outliers(present[farthest], float(scales[0]), float(center), float(values[farthest[0]]))


def sentinel_values(x: npt.NDArray[np.float64]) -> tuple[float, int] | None:
    """The minimum or maximum of x (rows,) and its count, if it may be a sentinel of missing numbers."""
    values = x[np.isfinite(x)]
    if len(values) < MIN_ROWS:
        return None
    for end, others in ((values.min(), np.minimum), (values.max(), np.maximum)):
        rest = values[values != end]
        if float(end) not in SENTINELS or len(rest) < MIN_ROWS:
            continue
        n, extent = len(values) - len(rest), float(rest.max()) - float(rest.min())
        gap = abs(float(end) - float(others.reduce(rest)))
        if n > 1 and extent > 0.0 and gap > 0.5 * extent:
            return float(end), n
    return None


def check_outliers(column: SplitColumn, split: SplitTable, *, clipped: bool, target: bool = False) -> Finding | None:
    """A finding of sentinel values, or else of outliers; only a note for features that are `clipped`."""
    if not column.numeric:
        return None
    cells, rows = column.training, split.training
    if split.validation_table is split.table:
        cells, rows = pl.concat([cells, column.validation]), np.concatenate([rows, split.validation])
    x = (cells.fill_null(np.nan) if cells.has_nulls() else cells).to_numpy()
    level: Level = "note" if clipped and not target else "warning"
    location = Location(source=split.location.source, column=column.name)
    sentinel = sentinel_values(x)
    if sentinel is not None:
        value, n = sentinel
        message = (
            f"{quote(column.name)} is {value:.0f} in {count(n, 'row', 'rows')}, far from all other values; "
            "does it stand for a missing value?"
        )
        decimal = split.table.header.dialect_of(column.name).decimal
        spellings = ", ".join(yaml_quote(text) for text in (f"{value:.0f}", f"{value:.0f}{decimal}0"))
        hint = Advice("If so, ", SetKey("data.missing_values", f"[{spellings}]"), ", or empty these cells.")
        return Finding("note" if clipped else "warning", FindingCode.SENTINEL_VALUE, location, message, hint)
    outliers = outliers_of(x)
    if outliers is None:
        return None
    header, numbers = split.table.header, [split.row_number(int(rows[i])) for i in outliers.positions]
    rows_named = [header.row_name(number) for number in numbers]
    mend, limit = "correct or empty the cell", SetKey("encoding.numeric", "quantile")
    if target:
        mend, limit = "correct the cell or remove the row", SetKey("loss", "huber")
    hint = Advice(f"If it is an error, {mend}; if it is right, ", limit, " limits its effect.")
    location = header.location_of(numbers[0], column.name)
    return Finding(level, FindingCode.OUTLIER, location, _message(column.name, outliers, rows_named), hint)


def _message(name: str, outliers: Outliers, rows: Sequence[str]) -> str:
    """The farthest outlier, and the `rows` of all."""
    message = (
        f"{quote(name)} is {outliers.value:.6g} in row {rows[0]}, {outliers.scales:,.0f} "
        f"robust scales from the median ({outliers.median:.6g})"
    )
    if len(rows) == 1:
        return message
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    others = ", ".join(rows[1:5])
    return f"{message}; {'rows' if len(rows) > 2 else 'row'} {others}{more} too"


MAX_FITTED, MAX_SCORED = 40_000, 10_000
"""Sampled rows from which is predicted, and which are predicted."""
MIN_BASELINE_ERRORS = 10
"""Fewest errors of the baseline, the most frequent class."""
MIN_ERROR_REDUCTION = 0.98
"""Fraction of the baseline's errors that the column must avoid; with MIN_ROWS errors or more, all but one suffice."""
NEAREST = 3
"""Training rows that a number is predicted from, and the fewest rows of a category."""
MIN_RANK_CORRELATION, MIN_R2 = 0.999, 0.995
"""Rank correlation and R² from which a column leaks a numeric target."""


@dataclass(frozen=True)
class LeakageSample:
    """Positions of the `fitted` training rows, and of the `scored` rows.

    Validation rows are scored, or training rows apart from the fitted ones if there are too few (`within_training`).
    """

    fitted: RowIndices
    scored: RowIndices
    within_training: bool

    @classmethod
    def of(cls, split: SplitTable) -> LeakageSample:
        """A sample of the rows of a split."""
        rng = np.random.default_rng(0)
        rows, validation = len(split.training), len(split.validation)
        if validation >= MIN_ROWS:
            return cls(
                draw(np.arange(rows), MAX_FITTED, rng),
                draw(np.arange(validation), MAX_SCORED, rng),
                within_training=False,
            )
        order = rng.permutation(rows)
        cut = rows * 7 // 10
        return cls(
            draw(np.sort(order[:cut]), MAX_FITTED, rng),
            draw(np.sort(order[cut:]), MAX_SCORED, rng),
            within_training=True,
        )

    def of_column(self, column: SplitColumn) -> tuple[pl.Series, pl.Series]:
        """The fitted and the scored cells of a column."""
        scored = column.training if self.within_training else column.validation
        return column.training.gather(self.fitted), scored.gather(self.scored)


def target_leakage(
    column: SplitColumn, target: SplitColumn, sample: LeakageSample, location: Location
) -> Finding | None:
    """A finding if the `column` leaks the `target`."""
    x, x_scored = sample.of_column(column)
    y, y_scored = sample.of_column(target)
    if y.has_nulls() or y_scored.has_nulls():  # a target that is missing
        x, x_scored = x.filter(y.is_not_null()), x_scored.filter(y_scored.is_not_null())
        y, y_scored = y.drop_nulls(), y_scored.drop_nulls()
    if min(len(y), len(y_scored)) < MIN_ROWS:
        return None
    if target.numeric:
        evidence = _number_leak(x, y.to_numpy(), x_scored, y_scored.to_numpy())
    else:
        evidence = _class_leak(x, y, x_scored, y_scored)
    if evidence is None:
        return None
    message = f"this column alone predicts {quote(target.name)}: {evidence}; is it known before the target?"
    hint = Advice("If it is not known for new rows, drop it: ", leave_out(column.name), ".")
    return column_finding("warning", FindingCode.TARGET_LEAKAGE, location, [column.name], message, hint)


def _class_leak(x: pl.Series, y: pl.Series, x_scored: pl.Series, y_scored: pl.Series) -> str | None:
    """The accuracy as text if it is high enough; y are class labels."""
    ranks = pl.concat([y, y_scored]).rank("dense").to_numpy().astype(np.int64) - 1
    fitted, truth = ranks[: len(y)], ranks[len(y) :]
    classes = int(ranks.max()) + 1
    majority = int(np.bincount(fitted).argmax())
    baseline_errors = int((truth != majority).sum())
    if baseline_errors < MIN_BASELINE_ERRORS:
        return None

    def most_frequent(groups: RowIndices, count: int) -> RowIndices:
        pairs, rows = np.unique(groups * classes + fitted, return_counts=True)
        votes = np.full(count, majority)
        order = np.argsort(rows, kind="stable")  # the most frequent is written last
        votes[pairs[order] // classes] = pairs[order] % classes
        return votes

    groups, scored_groups, count = _groups(x, x_scored)
    votes = most_frequent(groups, count)
    votes[np.bincount(groups, minlength=count) < NEAREST] = majority
    predicted = votes[scored_groups]
    present_scored, near = _nearest(x, x_scored)
    if len(near):
        labels = fitted[near]
        agreeing = (labels[:, :, None] == labels[:, None, :]).sum(axis=2).argmax(axis=1)
        predicted[present_scored] = labels[np.arange(len(labels)), agreeing]
    right = int((predicted == truth).sum())
    allowed = max(int((1.0 - MIN_ERROR_REDUCTION) * baseline_errors), int(baseline_errors >= MIN_ROWS))
    if len(truth) - right > allowed:
        return None
    return f"accuracy {percentage(right, len(truth))} on held-out rows"


def _number_leak(x: pl.Series, y: Floats, x_scored: pl.Series, truth: Floats) -> str | None:
    """The rank correlation or R² as text if it is high enough."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    if not np.isfinite(spread) or spread <= 0.0:
        return None
    present = x.is_not_null().to_numpy()
    if x.dtype == pl.Float64 and present.sum() >= MIN_ROWS and present.mean() > 0.5:
        correlation = _rank_correlation(x.drop_nulls(), pl.Series(y[present]))
        if abs(correlation) >= MIN_RANK_CORRELATION:
            return f"rank correlation {correlation:.4f}"
    groups, scored_groups, count = _groups(x, x_scored)
    rows = np.bincount(groups, minlength=count)
    means = np.divide(np.bincount(groups, y, count), rows, out=np.full(count, y.mean()), where=rows >= NEAREST)
    predicted = means[scored_groups]
    present_scored, near = _nearest(x, x_scored)
    if len(near):
        predicted[present_scored] = y[near].mean(axis=1)
    r2 = 1.0 - float(((truth - predicted) ** 2).sum()) / spread
    return f"R² {r2:.5f} on held-out rows" if r2 >= MIN_R2 else None


def _groups(x: pl.Series, x_scored: pl.Series) -> tuple[RowIndices, RowIndices, int]:
    """The category index of each fitted and scored row, 0 for missing, and the number of categories.

    All present numbers are one category, since they are predicted from their nearest neighbors.
    """
    both = pl.concat([x, x_scored])
    codes = both.is_not_null() if both.dtype == pl.Float64 else both.rank("dense")
    groups = codes.cast(pl.Int64).fill_null(0).to_numpy()
    return groups[: len(x)], groups[len(x) :], int(groups.max()) + 1


def _nearest(x: pl.Series, x_scored: pl.Series) -> tuple[npt.NDArray[np.bool_], RowIndices]:
    """Which scored rows have a number, and for each of them the positions of its NEAREST fitted rows.

    The positions are empty for categories, and if there are too few fitted numbers.
    """
    present_scored = x_scored.is_not_null().to_numpy()
    present = np.flatnonzero(x.is_not_null().to_numpy())
    if x.dtype != pl.Float64 or len(present) < NEAREST:
        return present_scored, np.empty((0, NEAREST), np.int64)
    values, queries = x.drop_nulls().to_numpy(), x_scored.drop_nulls().to_numpy()
    order = np.argsort(values, kind="stable")
    ends = [np.searchsorted(values[order], queries, side) for side in ("left", "right")]
    first = ((ends[0] + ends[1]) // 2 - NEAREST // 2).clip(0, len(present) - NEAREST)
    return present_scored, present[order[first[:, None] + np.arange(NEAREST)]]


def _rank_correlation(x: pl.Series, y: pl.Series) -> float:
    """Spearman's rank correlation; 0 if x or y is constant."""
    a, b = (values.rank("average").to_numpy() for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0.0 else 0.0
