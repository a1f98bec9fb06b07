"""Checks of a table: its columns, its target and its split into training and validation rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nncli.checks.column import Column, SplitTable
from nncli.checks.column_values import IdenticalColumns, group_like, id_like, missing_cells, uninformative
from nncli.checks.dataset_size import check_sizes
from nncli.checks.duplicates import DuplicateRows
from nncli.checks.findings import Finding, FindingCode, of_error, ordered
from nncli.checks.leakage import LeakageSample, target_leakage
from nncli.checks.outliers import check_outliers
from nncli.checks.target import check_classes, check_constant, check_reachable
from nncli.config.schema import Config
from nncli.data.encoders.kinds import Kind
from nncli.data.profile import ColumnProfile, Label, profile_column
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.errors import ConfigError, DataError
from nncli.nn.losses import Loss
from nncli.pipeline.prepare.fit import infer_loss
from nncli.pipeline.prepare.load import load_labeled_rows
from nncli.pipeline.prepare.split import load_validation_file, split_indices
from nncli.spec import Task
from nncli.training.state import RandomStreams


@dataclass(frozen=True)
class TableReport:
    """The findings of a table, errors first.

    A training would refuse the features `unusable` and ignore the features `empty`. `trainable` says whether a training
    on the rest could start.
    """

    findings: tuple[Finding, ...]
    profiles: tuple[ColumnProfile, ...] = ()
    unusable: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    trainable: bool = False


def check_table(config: Config, on_stage: Callable[[str], None] = lambda line: None) -> TableReport:
    """Check the table of a configuration and its validation rows; the whole table for an ensemble.

    Columns are read one at a time with all their rows; target leakage is checked on a sample. Errors become findings,
    and the rest is still checked. `on_stage` is called with the name of each stage.

    Raises:
        UsageError, NncliError: a file name has no known format, or there is no space for temporary files.
    """
    with Scratch() as scratch:
        return _TableChecker(config, scratch, on_stage).check()


class _TableChecker:
    """Collects the findings of one table."""

    def __init__(self, config: Config, scratch: Scratch, on_stage: Callable[[str], None]) -> None:
        self._config, self._scratch, self._on_stage = config, scratch, on_stage
        self._findings: list[Finding] = []
        self._targets: list[Column] = []
        self._loss: Loss | None = None
        self._trainable = True

    def check(self) -> TableReport:
        """Read the table and run all checks."""
        config = self._config
        self._on_stage("reading the table")
        try:
            table = load_labeled_rows(config, config.data.path, self._scratch)
        except (ConfigError, DataError) as error:
            return TableReport(of_error(error))
        split = self._split(table)
        profiles, unusable = self._check_columns(split)
        usable = [p for p in profiles if p.name not in unusable]
        self._findings += missing_cells(usable, split.location) + uninformative(usable, split.location)
        if self._trainable:
            self._findings += check_sizes(config, split)
        empty = tuple(p.name for p in profiles if p.label is Label.EMPTY)
        return TableReport(ordered(self._findings), profiles, unusable, empty, trainable=self._trainable)

    def _split(self, table: ColumnStore) -> SplitTable:
        """Split the table and check the target; if that fails, all rows are training rows."""
        config, names = self._config, self._config.data.target
        split = SplitTable(table, np.arange(len(table)), table, np.empty(0, np.int64))
        try:
            self._loss, _ = infer_loss(config, table.columns(names))
            task = self._loss.task
            for name in names:
                self._add(check_constant(table, name, task))
            rows = split_indices(config, table, task, RandomStreams.of(config.seed).split)
            split = SplitTable(table, np.unique(rows.training), table, rows.validation)
            validation = load_validation_file(config, table, self._scratch)
            if validation is not None:
                split = replace(split, validation_table=validation, validation=np.arange(len(validation)))
            self._check_targets(split, task)
        except (ConfigError, DataError) as error:
            self._findings += of_error(error)
            self._trainable = False
        return split

    def _check_targets(self, split: SplitTable, task: Task) -> None:
        kind = Kind.CATEGORICAL if task == "classification" else Kind.NUMERIC
        self._targets = [Column.read(split, name, kind) for name in self._config.data.target]
        for target in self._targets:
            self._add(check_outliers(target, split, clipped=False, target=True))
        if task == "classification":
            self._findings += check_classes(self._config, self._targets[0], split.location)
        elif self._loss is not None:
            self._add(check_reachable(self._config, self._loss, split))

    def _add(self, finding: Finding | None) -> None:
        if finding is not None:
            self._findings.append(finding)

    def _check_columns(self, split: SplitTable) -> tuple[tuple[ColumnProfile, ...], tuple[str, ...]]:
        """Check the features; returns their profiles, and the names of those that a training would refuse."""
        data, table = self._config.data, split.table
        names = data.features or tuple(name for name in table.header.names if name not in data.excluded)
        self._on_stage(f"checking {len(names):,} column{'' if len(names) == 1 else 's'}")
        profiles, unusable = [], []
        duplicate_rows, identical_columns = DuplicateRows(split), IdenticalColumns()
        sample = LeakageSample.of(split)
        for name in names:
            profile = profile_column(table.columns([name]), name)
            profiles.append(profile)
            if data.columns.get(name, profile.kind) is Kind.EMPTY:
                continue
            column = self._read(profile, split)
            if column is None:
                unusable.append(name)
                continue
            identical_columns.add(column, duplicate_rows.add(column))
            if profile.label is not Label.CONSTANT:
                self._check_feature(profile, column, split, sample, only_feature=len(names) == 1)
        if self._targets:
            self._findings += duplicate_rows.findings(self._targets)
        ignored = [p.name for p in profiles if p.label in (Label.EMPTY, Label.CONSTANT)]
        self._findings += identical_columns.findings(split.location, ignored)
        return tuple(profiles), tuple(unusable)

    def _read(self, profile: ColumnProfile, split: SplitTable) -> Column | None:
        """The column of a profile; None, and findings, if it cannot be read."""
        columns = self._config.data.columns
        try:
            if profile.error is not None and profile.name not in columns:
                raise profile.error
            return Column.read(split, profile.name, columns.get(profile.name, profile.kind))
        except DataError as error:
            code = FindingCode.AMBIGUOUS_NUMBERS
            self._findings += [replace(f, code=code) if f.location.row else f for f in of_error(error)]
            return None

    def _check_feature(
        self, profile: ColumnProfile, column: Column, split: SplitTable, sample: LeakageSample, *, only_feature: bool
    ) -> None:
        """Check one feature for leakage, and for the first of: id-like, group-like, outliers."""
        config, encoding = self._config, self._config.encoding
        if not only_feature:
            leaks = [target_leakage(column, target, sample, split.location) for target in self._targets]
            self._findings += filter(None, leaks)
        finding = id_like(profile, column, split.location) or group_like(
            profile, config.data.row_columns, split.location
        )
        clipped = encoding.clip == "smooth" or encoding.numeric == "quantile"
        self._add(finding or check_outliers(column, split, clipped=clipped))
