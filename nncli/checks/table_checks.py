"""A table looked at through the eyes of a training: all that can be said of it before one begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nncli.checks.column import Column, SplitTable
from nncli.checks.column_values import IdenticalColumns, group_like, id_like, missing_cells, uninformative
from nncli.checks.dataset_size import sizes
from nncli.checks.duplicates import DuplicateRows
from nncli.checks.findings import Finding, of_error, ordered
from nncli.checks.leakage import LeakageSample, target_leakage
from nncli.checks.outliers import outliers
from nncli.checks.target import classes, constant, unreachable
from nncli.config.schema import Config
from nncli.data.encoders.kinds import Kind
from nncli.data.profile import ColumnProfile, Label, profile_column
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.errors import ConfigError, DataError
from nncli.nn.losses import Loss
from nncli.pipeline.prepare.fit import infer_loss
from nncli.pipeline.prepare.load import load_labelled_rows
from nncli.pipeline.prepare.split import load_validation_file, split_indices
from nncli.training.state import RandomStreams

DOUBTFUL = "doubtful-numbers"


@dataclass(frozen=True)
class TableReport:
    """What was found of a table, errors first.

    `unusable` are features that a training would refuse, `empty` those that it would ignore; `trainable` says whether
    the rest could be trained on, as far as the table is concerned.
    """

    findings: tuple[Finding, ...]
    profiles: tuple[ColumnProfile, ...] = ()
    unusable: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    trainable: bool = False


def check_table(config: Config, tell: Callable[[str], None] = lambda line: None) -> TableReport:
    """Look at the table of a configuration, and at its validation rows; of an ensemble, at the rows as a whole.

    A column is looked at at a time, all of its rows but for giveaways, of which a sample is enough. What goes wrong is
    a finding, and whatever else can be looked at is. `tell` is told what is being done.

    Raises:
        UsageError, NncliError: a file's name says no format, or there is no room for a temporary file.
    """
    with Scratch() as scratch:
        return _TableChecker(config, scratch, tell).examination()


class _TableChecker:
    def __init__(self, config: Config, scratch: Scratch, tell: Callable[[str], None]) -> None:
        self._config, self._scratch, self._tell = config, scratch, tell
        self._found: list[Finding] = []
        self._targets: list[Column] = []
        self._loss: Loss | None = None
        self._sound = True

    def examination(self) -> TableReport:
        config = self._config
        self._tell("reading the table")
        try:
            table = load_labelled_rows(config, config.data.path, self._scratch)
        except (ConfigError, DataError) as error:
            return TableReport(of_error(error))
        sides = self._sides(table)
        profiles, unusable = self._columns(sides)
        features = [p for p in profiles if p.name not in unusable]
        self._found += missing_cells(features, sides.place) + uninformative(features, sides.place)
        if self._sound:
            self._found += sizes(config, sides)
        return TableReport(
            ordered(self._found),
            profiles,
            unusable,
            tuple(p.name for p in profiles if p.label is Label.EMPTY),
            trainable=self._sound,
        )

    def _sides(self, table: ColumnStore) -> SplitTable:
        """The rows on both sides, as far as they can be told apart, and what is to be said of the target."""
        config, names = self._config, self._config.data.target
        rows, none = np.arange(len(table)), np.empty(0, np.int64)
        sides = SplitTable(table, rows, table, none)
        try:
            self._loss, _ = infer_loss(config, table.columns(names))
            task = self._loss.task
            for name in names:
                self._add(constant(table, name, task))
            split = split_indices(config, table, task, RandomStreams.of(config.seed).split)
            sides = SplitTable(table, np.unique(split.training), table, split.validation)
            other = load_validation_file(config, table, self._scratch)
            if other is not None:
                sides = replace(sides, other=other, held=np.arange(len(other)))
            kind = Kind.CATEGORICAL if task == "classification" else Kind.NUMERIC
            self._targets = [Column.read(sides, name, kind) for name in names]
            for target in self._targets:
                self._add(outliers(target, sides, clipped=False, target=True))
            if task == "classification":
                self._found += classes(config, self._targets[0], sides.place)
            else:
                self._add(unreachable(config, self._loss, sides))
        except (ConfigError, DataError) as error:
            self._found += of_error(error)
            self._sound = False
        return sides

    def _add(self, finding: Finding | None) -> None:
        if finding is not None:
            self._found.append(finding)

    def _columns(self, sides: SplitTable) -> tuple[tuple[ColumnProfile, ...], tuple[str, ...]]:
        """The profiles of the features, and those which a training would refuse."""
        data, table = self._config.data, sides.table
        never = {*data.target, *data.drop, *data.row_columns}
        names = data.features or tuple(name for name in table.header.names if name not in never)
        self._tell(f"looking at {len(names):,} column{'' if len(names) == 1 else 's'}")
        profiles, unusable = [], []
        copies, twins, sampled = DuplicateRows(sides), IdenticalColumns(), LeakageSample.of(sides)
        for name in names:
            profile = profile_column(table.columns([name]), name)
            kind = data.columns.get(name, profile.kind)
            profiles.append(profile)
            if kind is Kind.EMPTY:
                continue
            try:
                if profile.error is not None and name not in data.columns:
                    raise profile.error
                column = Column.read(sides, name, kind)
            except DataError as error:
                self._found += [replace(f, code=DOUBTFUL) if f.place.row else f for f in of_error(error)]
                unusable.append(name)
                continue
            twins.add(column, copies.add(column))
            if profile.label is not Label.CONSTANT:
                self._look(profile, column, sides, sampled, alone=len(names) == 1)
        if self._targets:
            self._found += copies.findings(self._targets)
        nothing = [p.name for p in profiles if p.label in (Label.EMPTY, Label.CONSTANT)]
        self._found += twins.findings(sides.place, nothing)
        return tuple(profiles), tuple(unusable)

    def _look(
        self, profile: ColumnProfile, column: Column, sides: SplitTable, sampled: LeakageSample, *, alone: bool
    ) -> None:
        """What is to be said of one feature; the first thing that explains the others is enough."""
        config, encoding = self._config, self._config.encoding
        if not alone:
            given = [target_leakage(column, target, sampled, sides.place) for target in self._targets]
            self._found += filter(None, given)
        finding = id_like(profile, column, sides.place) or group_like(profile, config.data.row_columns, sides.place)
        clipped = encoding.clip == "smooth" or encoding.numeric == "quantile"
        self._add(finding or outliers(column, sides, clipped=clipped))
