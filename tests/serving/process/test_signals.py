"""What a signal does while the server loads and while it serves, and that the handlers of before come back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from nncli.serving.process import signals
from nncli.serving.process.signals import STOP_SIGNALS, signals_while_loading, signals_while_serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGHUP)]


def calls_after(*numbers: int, between: Callable[[], object] = lambda: None) -> list[str]:
    """What a server does that receives signals, with `between` called after each."""
    calls: list[str] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        with signals_while_serving(loop, lambda: calls.append("stop"), lambda: calls.append("reload")):
            for number in numbers:
                signal.raise_signal(number)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                between()

    asyncio.run(serve())
    return calls


def test_sigterm_while_loading_ends_the_process_and_sighup_does_not() -> None:
    before = handlers()
    with signals_while_loading():
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(SystemExit) as raised:
            signal.raise_signal(signal.SIGTERM)
    assert raised.value.code == 128 + signal.SIGTERM
    assert handlers() == before


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_stops_once_and_another_one_soon_after_belongs_to_it(number: int) -> None:
    before = handlers()
    assert set(calls_after(number, number)) == {"stop"}
    assert handlers() == before


@pytest.mark.parametrize("second", STOP_SIGNALS)
def test_a_later_one_ends_the_process_at_once(second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(signals, "SECONDS_OF_ONE_STOP", -1.0)
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(os, "write", lambda file, text: len(text))
    calls_after(signal.SIGTERM, second)
    assert codes == [128 + second]


def test_every_sighup_reloads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls_after(signal.SIGHUP, signal.SIGHUP) == ["reload", "reload"]


def test_sighup_of_a_terminal_that_was_closed_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, True, False])  # at the start, and at each signal
    monkeypatch.setattr(signals, "_has_terminal", lambda: next(answers))
    assert calls_after(signal.SIGHUP, signal.SIGHUP) == ["reload", "stop"]
