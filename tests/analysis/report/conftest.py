"""Reports that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.api.report import ReportFiles, report
from tests.analysis.report.support import hostile_run


@pytest.fixture(scope="session")
def penguins_report(penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """The report of a classification."""
    return report(penguins, tmp_path_factory.mktemp("report") / "r.html")


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """The report of a run with hostile names."""
    return report(hostile_run(tmp_path_factory.mktemp("hostile")))
