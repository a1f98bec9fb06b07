"""Options grouped by purpose."""

from __future__ import annotations

import pytest

from nncli.cli.completion import PANELS
from tests.cli.support import Cli


@pytest.mark.parametrize("command", ["train", "cross-validate", "tune", "explain", "predict", "init"])
def test_headings_come_in_order_each_once(nncli: Cli, command: str) -> None:
    lines = nncli(command, "--help").check().out.splitlines()
    headings = [line.rstrip(":") for line in lines if line.rstrip(":") in PANELS]
    assert headings == [panel for panel in PANELS if panel in headings]
    assert len(headings) >= 3
