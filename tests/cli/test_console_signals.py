"""Stop requests by signals."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from nncli.cli.console import SecondSignalError, StoppedError, asked_to_stop


def test_the_first_signal_is_a_request_and_the_second_an_exception() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_stop() as request:
        assert not request()
        signal.raise_signal(signal.SIGTERM)
        assert request()
        assert request.number == signal.SIGTERM
        with pytest.raises(SecondSignalError) as raised:
            signal.raise_signal(signal.SIGINT)
    assert raised.value.number == signal.SIGINT
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_signal_is_answered_at_once_and_the_second_says_how_to_resume() -> None:
    answers, waits = [], []

    def answer() -> Callable[[], object]:
        answers.append(1)
        return lambda: waits.append(1)

    with asked_to_stop("nncli train --resume run", answer) as request:
        signal.raise_signal(signal.SIGINT)
        assert (answers, waits) == ([1], [])
        assert request()
        assert waits == [1]
        with pytest.raises(SecondSignalError) as raised:
            signal.raise_signal(signal.SIGINT)
    assert answers == [1]
    assert "nncli train --resume run" in raised.value.hint


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with asked_to_stop() as request:
            signal.raise_signal(signal.SIGTERM)
            assert not request()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_exit_code_is_that_of_shells() -> None:
    assert (StoppedError("stopped").code, StoppedError("stopped", number=15).code) == (130, 143)
