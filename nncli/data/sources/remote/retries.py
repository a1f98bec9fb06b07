"""Waiting between attempts to reach a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from nncli.base.errors import DataError, Location
from nncli.base.logs import log_info
from nncli.data.sources.remote.remote_file import TransientError

T = TypeVar("T")

SECONDS = 30.0
"""Longest time without a new byte."""
SECONDS_TO_CONNECT = 5.0
"""Longest time without a connection, which a wrong address has as well."""
FIRST_DELAY = 0.5
"""Seconds before the second attempt; doubled before each further one."""
SECONDS_OF_SILENCE = 20.0
"""Time after which a connection without a byte counts as lost."""


@dataclass
class Retries:
    """Waits after each failed attempt, longer each time, until the time is over. `name` is that of messages."""

    name: str
    _start: float = field(default_factory=time.monotonic)
    _attempts: int = 0

    def progress(self) -> None:
        """Begin anew, after bytes have arrived that are further than any before."""
        self._start, self._attempts = time.monotonic(), 0

    def wait(self, error: TransientError) -> None:
        """Wait before the next attempt.

        Raises:
            DataError: the time is over.
        """
        delay = FIRST_DELAY * 2.0**self._attempts
        self._attempts += 1
        limit = SECONDS_TO_CONNECT if error.is_refused else SECONDS
        if time.monotonic() - self._start + delay > limit:
            raise DataError(
                f"{error}, in {self._attempts:,} attempts" if self._attempts > 1 else str(error),
                location=Location(source=self.name),
                hint="Check the address and the connection, or try again later.",
            ) from None
        log_info(f"{self.name}: {error}; attempt {self._attempts + 1} in {delay:g} s")
        time.sleep(delay)


def retried(name: str, request: Callable[[], T]) -> T:
    """The answer to a request, which is repeated while the server cannot be reached.

    Raises:
        DataError: the time is over.
    """
    waiting = Retries(name)
    while True:
        try:
            return request()
        except TransientError as error:
            waiting.wait(error)
