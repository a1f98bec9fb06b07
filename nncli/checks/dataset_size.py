"""How many rows there are, for a batch and for a score that can be trusted."""

from __future__ import annotations

from nncli.checks.column import SplitTable, have
from nncli.checks.findings import Finding
from nncli.config.schema import Config
from nncli.errors import Location

FEW = 30
"""Rows held out below which a score is a matter of chance: of a share of a half it says ±9 % at best."""


def sizes(config: Config, sides: SplitTable) -> list[Finding]:
    """A batch larger than the training rows; few rows held out, or none."""
    findings, rows, held = [], len(sides.training), len(sides.held)
    if isinstance(config.batch_size, int) and config.batch_size > rows:
        message = f"a batch of {config.batch_size:,} is more than the {have(rows, 'training row', 'training rows')}"
        mend = "Set batch_size: full if each step is to see all rows, or a smaller number for more steps an epoch."
        findings.append(Finding("warning", "large-batch", Location(key="batch_size"), message, mend))
    if config.members > 1 and config.bagging_mode != "seeds":
        held = len(sides.training) + len(sides.held)  # each row is held out by some member
    if not held:
        message = "no rows are held out, so nothing will tell how good the network is on rows it never saw"
        mend = "Set validation: 0.2, or score the run with nncli evaluate on a table kept apart."
        findings.append(Finding("note", "no-validation", Location(key="validation"), message, mend))
    elif held < FEW:
        message = f"only {have(held, 'row is', 'rows are')} held out: scores on so few are largely chance"
        mend = "Add rows, hold out a larger share, or judge by nncli cross-validate, which scores every row."
        findings.append(Finding("warning", "few-validation-rows", Location(key="validation"), message, mend))
    return findings
