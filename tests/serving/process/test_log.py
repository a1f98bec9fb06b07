"""Lines of the log: time, kind and one sentence, and never a failure."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from nncli.serving.process.log import ALWAYS, LOG, LOGGERS, log_native_text, log_to_stderr

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The loggers as they were."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_a_line_has_the_time_and_the_kind(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    LOG.info("listening on %s", "here")
    LOG.warning("careful")
    LOG.error("broken \x1b[31m")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert re.fullmatch(TIME + "listening on here", lines[0])
    assert re.fullmatch(TIME + "warning: careful", lines[1])
    assert re.fullmatch(TIME + r"error: broken [^\x1b]*", lines[2])


def test_every_line_is_json_if_it_is_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(as_json=True)
    LOG.log(ALWAYS, "listening on %s", "here")
    LOG.warning("care\x1b[31mful")
    try:
        raise ValueError("secret")
    except ValueError:
        LOG.exception("failed")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert all(list(line) == ["time", "level", "message"] for line in lines)
    assert lines[0]["message"] == "listening on here"
    assert "\x1b" not in lines[1]["message"]
    assert lines[2]["message"].startswith("failed\n")
    assert lines[2]["message"].endswith("ValueError")


def test_quiet_leaves_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(quiet=True)
    LOG.log(ALWAYS, "listening on %s", "here")
    assert re.fullmatch(TIME + "listening on here\n", capsys.readouterr().err)


def test_quiet_leaves_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(quiet=True)
    LOG.info("listening")
    LOG.warning("careful")
    assert capsys.readouterr().err.count("\n") == 1


def test_libraries_are_heard_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    logging.getLogger("uvicorn.error").info("details")
    logging.getLogger("asyncio").error("out of files")
    assert re.fullmatch(TIME + "error: out of files\n", capsys.readouterr().err)


def test_an_exception_has_its_type_and_traceback_but_not_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    try:
        raise ValueError("the cell secret\x1b[31m")
    except ValueError as error:
        LOG.error("a request failed", exc_info=error)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(TIME + "error: a request failed", lines[0])
    assert "test_log.py" in lines[1]
    assert lines[-1] == "ValueError"
    assert not any("\x1b" in line for line in lines)
    assert "secret" not in "".join(line for line in lines if "raise" not in line)


class Full(io.StringIO):
    """A stream of a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log_to_stderr()
    monkeypatch.setattr(sys, "stderr", Full())
    LOG.info("lost")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    LOG.info("lost, too")


def test_what_a_library_writes_to_stderr_is_logged_without_the_cells_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(as_json=True)
    log_native_text("\nthread '<unnamed>' (12) panicked at src/a.rs:3:5:\nthe cell is 'secret'\n")
    log_native_text("one\ntwo\n")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["warning"] * 3
    assert "src/a.rs:3:5" in lines[0]["message"]
    assert "secret" not in str(lines)
