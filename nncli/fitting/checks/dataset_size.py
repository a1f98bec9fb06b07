"""Checks of the number of rows: for a batch, and for reliable scores."""

from __future__ import annotations

from nncli.base.errors import Location
from nncli.base.findings import Finding, FindingCode
from nncli.config.schema import Config
from nncli.fitting.checks.column import SplitTable, count

MIN_VALIDATION_ROWS = 30
"""Below this the standard error of an accuracy of one half is above 9 %."""


def check_sizes(config: Config, split: SplitTable) -> list[Finding]:
    """A batch larger than the training set; few or no validation rows."""
    findings, rows, validation = [], len(split.training), len(split.validation)
    if isinstance(config.batch_size, int) and config.batch_size > rows:
        message = f"batch_size {config.batch_size:,} exceeds the {count(rows, 'training row', 'training rows')}"
        hint = "Set batch_size: full for one step per epoch, or a smaller number for more steps."
        findings.append(Finding("warning", FindingCode.BATCH_SIZE, Location(key="batch_size"), message, hint))
    if config.is_ensemble and config.bagging_mode != "seeds":
        validation += rows  # each row is a validation row of some member
    location = Location(key="validation")
    if not validation:
        message = "there are no validation rows, so the score on new rows is unknown"
        hint = "Set validation: 0.2, or score the run with nncli evaluate on a test table."
        findings.append(Finding("note", FindingCode.NO_VALIDATION, location, message, hint))
    elif validation < MIN_VALIDATION_ROWS:
        message = f"only {count(validation, 'validation row', 'validation rows')}: scores on so few are mostly chance"
        hint = "Add rows, increase validation, or use nncli cross-validate, which scores every row."
        findings.append(Finding("warning", FindingCode.FEW_VALIDATION_ROWS, location, message, hint))
    return findings
