"""The checks of a whole table for `nncli check` and reports, without a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nncli.base.errors import ConfigError, DataError
from nncli.base.findings import Finding, of_error, ordered
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.profile import ColumnProfile
from nncli.fitting.checks.column import SplitColumn, SplitTable
from nncli.fitting.checks.notes import table_reading
from nncli.fitting.checks.rows import (
    check_features,
    check_sizes,
    check_targets,
    feature_names,
    read_targets,
    target_kinds,
)
from nncli.fitting.checks.target import check_constant
from nncli.fitting.prepare.auto_values import resolve_members
from nncli.fitting.prepare.fit import infer_loss, with_losses
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.fitting.prepare.validation import split_table
from nncli.nn.training.state import RandomStreams
from nncli.targets.target import kind_of


@dataclass(frozen=True)
class TableReport:
    """The findings of a table, errors first.

    A training would refuse the features `unusable` and ignore the features `empty`. `trainable` says whether a training
    on the rest could start. The table has so many `rows` with a target.
    """

    findings: tuple[Finding, ...]
    profiles: tuple[ColumnProfile, ...] = ()
    unusable: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    trainable: bool = False
    rows: int = 0


def check_table(config: Config, on_stage: Callable[[str], None] = lambda line: None) -> TableReport:
    """Check the table of a configuration and its validation rows; the whole table for an ensemble.

    Columns are read one at a time with all their rows; target leakage is checked on a sample. Errors become findings,
    and the rest is still checked. `on_stage` is called with the name of each stage.

    Raises:
        UsageError, NncliError: a file name has no known format, or there is no space for temporary files.
    """
    with Scratch() as scratch:
        on_stage("reading the table")
        try:
            table = load_labeled_rows(config, config.data, scratch)
        except (ConfigError, DataError) as error:
            return TableReport(of_error(error))
        config = resolve_members(config, len(table))
        split, targets = SplitTable(table, np.arange(len(table)), table, np.empty(0, np.int64)), list[SplitColumn]()
        try:
            loss = infer_loss(config, table.columns(config.data.target))[0]
            config, kind = with_losses(config, loss), kind_of(loss)
            for name, of_target in target_kinds(config, kind):
                check_constant(table, name, of_target.cell_kind)  # raises a clearer error than the split
            split = split_table(config, table, kind, RandomStreams.of(config.seed).split, scratch)
            split = replace(split, training=np.unique(split.training))
            targets = read_targets(config, split, kind)
            problems, trainable = tuple(check_targets(config, split, targets, kind)), True
        except (ConfigError, DataError) as error:
            problems, trainable = of_error(error), False
        n = len(feature_names(config, split))
        on_stage(f"checking {n:,} column{'' if n == 1 else 's'}")
        features = check_features(config, split, targets)
        read = table_reading(replace(table.header, notes=()))  # the invalid cells
        findings = ordered([*problems, *read, *features.findings, *(check_sizes(config, split) if trainable else [])])
        return TableReport(findings, features.profiles, features.unusable, features.empty, trainable, len(table))
