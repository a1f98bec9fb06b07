"""What is printed of the events of trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.base.findings import FindingCode, note
from nncli.cli.printer import Printer
from nncli.cli.shared_arguments import DisplayOptions
from nncli.fitting.train.events import Finished, MembersProgress, MembersStarted, Progress

KNOWN, NEW = note(FindingCode.TABLE_READING, "known"), note(FindingCode.TABLE_READING, "new")
STARTED = MembersStarted(Path("run"), 2, 2, (KNOWN,))


def said(capsys: pytest.CaptureFixture[str], *events: Any) -> list[str]:
    """The lines on stderr for events."""
    printer = Printer(DisplayOptions(), "train")
    assert printer.follow((event for event in events), Finished) is None
    return capsys.readouterr().err.splitlines()


def test_findings_of_a_member_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    member = Progress(epoch=2, epochs=10, findings=(KNOWN, NEW))
    lines = said(capsys, STARTED, MembersProgress((member,)), MembersProgress((member,)))
    assert [line for line in lines if line.startswith("note")] == ["note: known", "note: new"]
