"""All checks of the rows of a table: its features, its target, and its split into training and validation rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Advice, DataError, Location, RunCommand, SetKey
from nncli.base.findings import Finding, FindingCode, Level, note, of_error, ordered
from nncli.base.text import join_quoted, quote
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.writer import dump_scalar
from nncli.data.columns.parsing import leave_out
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.numeric import columns_at_once
from nncli.data.profile import ColumnProfile, Label, profile
from nncli.fitting.checks.column import SplitColumn, SplitTable, count, percentage
from nncli.fitting.checks.column_values import (
    IdenticalColumns,
    LeakageSample,
    check_outliers,
    group_like,
    id_like,
    missing_cells,
    target_leakage,
    uninformative,
)
from nncli.fitting.checks.notes import dates_as_categories
from nncli.fitting.checks.target import (
    amount_like,
    check_classes,
    check_constant,
    check_labels,
    check_rows_of_classes,
)
from nncli.targets.target import TargetKind, kind_of

MAX_TRAINING, MAX_VALIDATION = 40_000, 10_000
"""Rows whose features are checked before a training; larger tables are sampled."""
MAX_LEAKING = 20
"""Targets that a feature is compared with."""
MAX_FEATURES = 200
"""Features that are checked before a training, spread evenly over the table: each takes some milliseconds."""


@dataclass(frozen=True)
class CheckScope:
    """What is checked of a table: whether only a part of its `rows`, and at most how many features."""

    rows: bool = False
    max_features: int = sys.maxsize


WHOLE = CheckScope()


@dataclass(frozen=True)
class FeatureReport:
    """The findings of the features with their profiles; a training would refuse the features `unusable`."""

    findings: tuple[Finding, ...]
    profiles: tuple[ColumnProfile, ...]
    unusable: tuple[str, ...]

    @property
    def empty(self) -> tuple[str, ...]:
        """The features without a value, which a training ignores."""
        return tuple(profile.name for profile in self.profiles if profile.label is Label.EMPTY)


def training_warnings(config: Config, split: SplitTable, kind: TargetKind) -> tuple[Finding, ...]:
    """What a training says about its rows: the warnings of `nncli check`, possible groups, and the positive class.

    A large or wide table is checked on a sample.

    Raises:
        DataError: the target cannot be read, or has too many classes of few rows.
    """
    targets = read_targets(config, split, kind)
    findings = [*check_targets(config, split, targets, kind), *check_sizes(config, split)]
    sample = split.sample(MAX_TRAINING, MAX_VALIDATION)
    sampled_targets = targets if sample is split else read_targets(config, sample, kind)
    part = CheckScope(rows=sample is not split, max_features=MAX_FEATURES)
    findings += check_features(config, sample, sampled_targets, part).findings
    notes = (FindingCode.GROUP_LIKE_COLUMN, FindingCode.POSITIVE_CLASS)
    return ordered(finding for finding in findings if finding.level == "warning" or finding.code in notes)


def read_targets(config: Config, split: SplitTable, kind: TargetKind) -> list[SplitColumn]:
    """The target columns: classes as text, or numbers; of several labels a column of yes and no for each, and
    of a time to an event a number and a column of yes and no.

    Raises:
        DataError: a target cannot be read.
    """
    names = config.data.target
    joined = kind.joined_cells(lambda: [split.table.columns(names), split.validation_table.columns(names)], names)
    if joined:
        return [
            SplitColumn(name, of_column, training[split.training], validation[split.validation])
            for name, (of_column, (training, validation)) in joined.items()
        ]
    return [
        SplitColumn.read(split, name, of_target.cell_kind or ColumnType.NUMERIC)
        for name, of_target in target_kinds(config, kind)
    ]


def target_kinds(config: Config, kind: TargetKind) -> list[tuple[str, TargetKind]]:
    """Each target with its kind."""
    kinds = [kind_of(loss) for loss in (() if config.loss is None else config.loss.parts)]
    return list(zip(config.data.target, kinds or [kind] * len(config.data.target), strict=True))


def check_targets(config: Config, split: SplitTable, targets: list[SplitColumn], kind: TargetKind) -> list[Finding]:
    """Constant targets, outliers, and rare or imbalanced classes; a single class is an error of the target's fit.

    Raises:
        DataError: there are too many classes of few rows.
    """
    findings: list[Finding | None] = []
    kinds = {name: of_target.cell_kind for name, of_target in target_kinds(config, kind)}
    for name, of_cells in kinds.items():
        match of_cells:
            case ColumnType.CATEGORICAL:
                check_rows_of_classes(split.table, name)
            case ColumnType.NUMERIC:
                findings.append(check_constant(split.table, name, of_cells))
    findings += [check_outliers(target, split, clipped=False, target=True) for target in targets]
    findings += check_labels(kind.label_columns(targets), split.location)
    for target in targets:
        match kinds.get(target.name):
            case ColumnType.CATEGORICAL:
                findings += check_classes(config, target, split.location)
            case ColumnType.NUMERIC:
                findings.append(amount_like(config, target, split.location))
    return [*filter(None, findings)]


def check_features(
    config: Config, split: SplitTable, targets: list[SplitColumn], part: CheckScope = WHOLE
) -> FeatureReport:
    """Check the features, one at a time; without `targets` neither duplicates nor leakage are looked for.

    Of a `part` of the rows ids are not looked for, and of a part of the columns no duplicates of rows.
    """
    return _FeatureChecker(config, split, targets, part).check()


class _FeatureChecker:
    """Collects the findings of the features of one table."""

    def __init__(self, config: Config, split: SplitTable, targets: list[SplitColumn], part: CheckScope) -> None:
        self._config, self._split, self._targets, self._part = config, split, targets, part
        self._sample = LeakageSample.of(split)
        self._findings: list[Finding] = []

    def check(self) -> FeatureReport:
        """Check all features."""
        split, all_names = self._split, feature_names(self._config, self._split)
        names = all_names[:: -(-len(all_names) // self._part.max_features)] if all_names else ()
        profiles, unusable = profile(split.table, names), list[str]()
        duplicate_rows, identical_columns = DuplicateRows(split, self._groups()), IdenticalColumns()
        for of_column, column in self._read_all(profiles):
            if column is None:
                unusable.append(of_column.name)
                continue
            identical_columns.add(column, duplicate_rows.add(column))
            if of_column.label is not Label.CONSTANT:
                self._check_feature(of_column, column, only_feature=len(names) == 1)
        if self._targets and len(names) == len(all_names):
            if (exposure := self._config.data.exposure) is not None:
                duplicate_rows.add(SplitColumn.read(split, exposure, ColumnType.NUMERIC))
            self._findings += duplicate_rows.findings(self._targets)
        ignored = [p.name for p in profiles if p.label in (Label.EMPTY, Label.CONSTANT)]
        self._findings += identical_columns.findings(split.location, ignored)
        usable = [p for p in profiles if p.name not in unusable]
        self._findings += missing_cells(usable, split.location) + uninformative(usable, split.location)
        return FeatureReport(tuple(self._findings), profiles, tuple(unusable))

    def _groups(self) -> npt.NDArray[np.int64] | None:
        """The number of the group of each training and then each validation row, by which folds are made; or None."""
        config, split = self._config, self._split
        if not config.is_ensemble or config.bagging_mode == "seeds":
            return None
        if config.data.group is None:
            return np.arange(len(split.training) + len(split.validation))
        column = SplitColumn.read(split, config.data.group, ColumnType.CATEGORICAL)
        return np.unique(pl.concat([column.training, column.validation]).fill_null(""), return_inverse=True)[1]

    def _read_all(self, profiles: Sequence[ColumnProfile]) -> Iterator[tuple[ColumnProfile, SplitColumn | None]]:
        """The columns of profiles but for the empty ones, those of numbers without missing cells many at a time."""
        rows, columns = len(self._split.table), self._config.data.columns
        at_once = columns_at_once(rows)
        for start in range(0, len(profiles), at_once):
            part = profiles[start : start + at_once]
            kinds = {summary.name: columns.get(summary.name, summary.kind) for summary in part}
            readable = {summary.name for summary in part if summary.error is None or summary.name in columns}
            numeric = [name for name, kind in kinds.items() if kind is ColumnType.NUMERIC and name in readable]
            dense = SplitColumn.read_dense(self._split, numeric) if rows and len(numeric) > 1 else {}
            for summary in part:
                if kinds[summary.name] is not ColumnType.EMPTY:
                    yield summary, dense.get(summary.name) or self._read(summary)

    def _read(self, profile: ColumnProfile) -> SplitColumn | None:
        """The column of a profile; None, and findings, if it cannot be read."""
        columns = self._config.data.columns
        try:
            if profile.error is not None and profile.name not in columns:
                raise profile.error
            return SplitColumn.read(self._split, profile.name, columns.get(profile.name, profile.kind))
        except DataError as error:
            code = FindingCode.AMBIGUOUS_NUMBERS
            self._findings += [replace(f, code=code) if f.location.row else f for f in of_error(error)]
            return None

    def _check_feature(self, profile: ColumnProfile, column: SplitColumn, *, only_feature: bool) -> None:
        """Check one feature for leakage and ambiguous dates, and for the first of: id-like, group-like, outliers."""
        config, split = self._config, self._split
        if not only_feature:
            leaks = [
                target_leakage(column, target, self._sample, split.location) for target in self._targets[:MAX_LEAKING]
            ]
            self._findings += filter(None, leaks)
        if profile.date_doubt is not None and profile.name not in config.data.columns:
            self._add(dates_as_categories(profile.name, profile.date_doubt, split.location))
        finding = None if self._part.rows else id_like(profile, column, split.location)
        finding = finding or group_like(profile, config.data.row_columns, split.location)
        encoding = config.encoding
        clipped = encoding.clip == "smooth" or encoding.numeric == "quantile"
        self._add(finding or check_outliers(column, split, clipped=clipped))

    def _add(self, finding: Finding | None) -> None:
        if finding is not None:
            self._findings.append(finding)


def feature_names(config: Config, split: SplitTable) -> tuple[str, ...]:
    """The configured features, or all columns of the table that are nothing else."""
    data = config.data
    return data.features or tuple(name for name in split.table.header.names if name not in data.excluded)


def time_feature(config: Config, features: Iterable[str], dates: Iterable[str] = ()) -> Finding | None:
    """A note if the column by which rows are split in time is also a feature without being listed as one.

    If it is one of the `dates`, the note says what becomes of those after the training rows.
    """
    time = config.data.time
    if time is None or config.data.features is not None or time not in features:
        return None
    message = (
        f"rows are split in time by {quote(time)}, which is also a feature; the latest are scored and not trained on"
    )
    hint = Advice("To leave the column out, ", leave_out(time))
    if time in dates and config.encoding.out_of_range_dates == "nearest_year":
        message += ". New dates are read as the same day of an earlier year, which suits a season and misses a trend"
        hint = Advice(
            "If the target grows or falls over time, compare the validation score with that of ",
            SetKey("encoding.out_of_range_dates", "extrapolate"),
            *(", and without the column: ", leave_out(time)),
        )
    hint = Advice(
        *hint.parts, ". For the final model ", SetKey("validation", "0.05"), ", so that few rows are left out"
    )
    return note(FindingCode.TIME_FEATURE, message, column=time, hint=hint)


def groups_in_time(config: Config) -> Finding | None:
    """A note if rows with groups are split in time, which divides the groups."""
    time, group = config.data.time, config.data.group
    if time is None or group is None or config.validation == 0.0 or isinstance(config.validation, ValidationFile):
        return None
    message = (
        f"rows are split in time by {quote(time)}, across all groups of {quote(group)}, which is a feature unless it "
        "is dropped. Intervals and tests count each group as one unit"
    )
    hint = "To score groups that are not trained on, remove data.time."
    return note(FindingCode.GROUPS_SPLIT_IN_TIME, message, column=group, hint=hint)


def random_split(config: Config, dates: Sequence[str]) -> Finding | None:
    """A note if rows are split at random although the columns `dates` hold dates."""
    validation, data = config.validation, config.data
    unsplit = validation == 0.0 and config.bagging_mode == "seeds"
    if (
        not dates
        or data.time is not None
        or data.group is not None
        or unsplit
        or isinstance(validation, ValidationFile)
    ):
        return None
    message = (
        f"rows are split at random, so the scores are for dates among those of training ({join_quoted(dates)}); "
        "later dates are usually predicted worse"
    )
    return note(
        FindingCode.RANDOM_SPLIT,
        message,
        hint=Advice("To score the latest rows, ", SetKey("data.time", dump_scalar(dates[0]))),
    )


MIN_VALIDATION_ROWS = 30
"""Below this the standard error of an accuracy of one half is above 9 %."""


def check_sizes(config: Config, split: SplitTable) -> list[Finding]:
    """A batch larger than the training set; few or no validation rows."""
    findings, rows, validation = list[Finding](), len(split.training), len(split.validation)
    hint: str
    if isinstance(config.batch_size, int) and config.batch_size > rows:
        message = f"batch_size {config.batch_size:,} exceeds the {count(rows, 'training row', 'training rows')}"
        hint = Advice(
            "Use ", SetKey("batch_size", "full"), " for one step per epoch, or a smaller number for more steps."
        )
        findings.append(Finding("warning", FindingCode.BATCH_SIZE, Location(key="batch_size"), message, hint))
    if config.is_ensemble and config.bagging_mode != "seeds":
        validation += rows  # each row is a validation row of some member
    location = Location(key="validation")
    if not validation:
        message = "there are no validation rows, so the score on new rows is unknown"
        hint = Advice(
            *("Use ", SetKey("validation", "0.2"), ", or score the run on a test table: "),
            *(RunCommand("evaluate", ("RUN", "TABLE")), "."),
        )
        findings.append(Finding("note", FindingCode.NO_VALIDATION, location, message, hint))
    elif validation < MIN_VALIDATION_ROWS:
        message = f"only {count(validation, 'validation row', 'validation rows')}: scores on so few are mostly chance"
        hint = "Add rows, increase validation, or use nncli cross-validate, which scores every row."
        findings.append(Finding("warning", FindingCode.FEW_VALIDATION_ROWS, location, message, hint))
    return findings


Digests = npt.NDArray[np.uint64]
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MAX_OVERLAP = 0.01
"""Fraction of duplicates in the validation rows from which they are a warning."""


class DuplicateRows:
    """64-bit digests of the features and the target of every row, built column by column.

    Among a million different rows, two share a digest with a probability of 3e-8. With the `groups` (training rows,
    then validation rows) of folds every row is out of fold: it is compared with all rows of other groups.
    """

    def __init__(self, split: SplitTable, groups: npt.NDArray[np.int64] | None = None) -> None:
        self._split, self._groups = split, groups
        self._training = np.zeros(len(split.training), np.uint64)
        self._validation = np.zeros(len(split.validation), np.uint64)

    def add(self, column: SplitColumn) -> Digests:
        """Add a feature and return the digests of its training cells (rows,)."""
        both, n = _digests(pl.concat([column.training, column.validation])), len(column.training)
        self._training = _mixed(self._training, both[:n])
        self._validation = _mixed(self._validation, both[n:])
        return both[:n]

    def findings(self, targets: list[SplitColumn]) -> list[Finding]:
        """The findings, once all features are added."""
        training, validation = self._training, self._validation
        for target in targets:
            training = _mixed(training, _digests(target.training))
            validation = _mixed(validation, _digests(target.validation))
        compared, scored, kind = training, validation, "validation"
        same_features, same_rows = np.isin(self._validation, self._training), np.isin(validation, training)
        if (groups := self._groups) is not None:
            compared = scored = np.concatenate([training, validation])
            features, kind = np.concatenate([self._training, self._validation]), "out-of-fold"
            same_features, same_rows = _in_several(groups, features), _in_several(groups, scored)
        n_duplicates = len(training) - len(np.unique(training))
        findings = []
        if same_rows.any():
            first, n = int(np.argmax(same_rows)), int(same_rows.sum())
            equal = np.flatnonzero(compared == scored[first])
            if groups is None:
                rows = self._split.validation_row(first), self._split.training_row(int(equal[0]))
            else:
                rows = self._row(first), self._row(int(equal[groups[equal] != groups[first]][0]))
            others = "training rows" if groups is None else "others"
            message = (
                f"{count(n, f'{kind} row is', f'{kind} rows are')} equal to {others}, target included "
                f"({percentage(n, len(scored))}; for example row {rows[0]} and row {rows[1]}): if they are copies, "
                f"{kind} scores are too optimistic"
            )
            hint = "Remove copies; keep different cases with equal values."
            level: Level = "warning" if n >= MAX_OVERLAP * len(scored) else "note"
            findings.append(Finding(level, FindingCode.TRAIN_VALIDATION_OVERLAP, self._split.location, message, hint))
        elif n_duplicates:
            message = f"{count(n_duplicates, 'training row is', 'training rows are')} equal to an earlier one"
            hint = "If they are copies, remove them; if they are different cases with equal values, keep them."
            findings.append(Finding("note", FindingCode.DUPLICATE_ROWS, self._split.location, message, hint))
        if not same_rows.any() and same_features.any():
            n, other = int(same_features.sum()), "a training row" if groups is None else "another"
            message = (
                f"{count(n, f'{kind} row has', f'{kind} rows have')} the features of {other} and another "
                f"target ({percentage(n, len(scored))}): a model predicts the same for both"
            )
            hint = "Check whether a column is missing, or whether a case was entered twice."
            findings.append(Finding("note", FindingCode.CONFLICTING_TARGETS, self._split.location, message, hint))
        return findings

    def _row(self, i: int) -> str:
        """What messages call row `i` of the training and then the validation rows."""
        n = len(self._training)
        return self._split.training_row(i) if i < n else self._split.validation_row(i - n)


def _in_several(groups: npt.NDArray[np.int64], rows: Digests) -> npt.NDArray[np.bool_]:
    """Which rows are equal to a row of another group."""
    _, index = np.unique(rows, return_inverse=True)
    lowest, highest = np.full(len(index), groups.max(initial=0)), np.zeros(len(index), groups.dtype)
    np.minimum.at(lowest, index, groups)
    np.maximum.at(highest, index, groups)
    return np.asarray(lowest[index] < highest[index])


def _digests(cells: pl.Series) -> Digests:
    digests: Digests = cells.hash().to_numpy()
    return digests


def _mixed(rows: Digests, more: Digests) -> Digests:
    """Digests of the rows with one more column."""
    with np.errstate(over="ignore"):
        mixed: Digests = ((rows ^ (rows >> np.uint64(29))) * MULTIPLIER) ^ more
    return mixed
