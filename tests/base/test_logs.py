"""Stages of work, told to the log."""

from __future__ import annotations

import logging

import pytest

from nncli.base.logs import log_duration, log_info


def test_a_stage_tells_its_seconds_and_what_it_found(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nncli"), log_duration("reading t.csv") as told:
        told.details.append("3 rows")
    (said,) = caplog.messages
    assert said.startswith("reading t.csv: 0.0")
    assert " s, 3 rows" in said


def test_nothing_is_told_unasked_nor_of_a_stage_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    with log_duration("reading"):
        log_info("a line")
    with caplog.at_level(logging.INFO, "nncli"), pytest.raises(ValueError, match="broken"), log_duration("reading"):
        raise ValueError("broken")
    assert caplog.messages == []
