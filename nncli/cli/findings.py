"""Findings on stderr, a line for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nncli.cli.console import echo_err

if TYPE_CHECKING:
    from nncli.base.findings import Finding

MAX_OF_A_CODE = 3
"""Findings of one code that are printed; `nncli check` lists all."""


class FindingPrinter:
    """Prints each finding once; with `quiet` only warnings."""

    def __init__(self, quiet: bool, shown: Iterable[Finding] = ()) -> None:
        self._quiet = quiet
        self._shown = {finding.line for finding in shown}

    def show(self, findings: Iterable[Finding]) -> None:
        """Print the findings that have not been printed."""
        counts: Counter[tuple[str, str]] = Counter()
        for finding in sorted(findings, key=lambda finding: finding.level != "note"):  # warnings last
            if finding.line in self._shown or (self._quiet and finding.level == "note"):
                continue
            self._shown.add(finding.line)
            counts[finding.level, finding.code.value] += 1
            if counts[finding.level, finding.code.value] <= MAX_OF_A_CODE:
                echo_err(f"{finding.level}: {finding.line}")
        for (level, code), n in counts.items():
            if n > MAX_OF_A_CODE:
                echo_err(f"{level}: {n - MAX_OF_A_CODE:,} more of the kind {code}; nncli check lists all")
