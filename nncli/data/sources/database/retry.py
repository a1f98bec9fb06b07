"""Another try of what failed because a database could not be reached."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from nncli.data.sources.database.database import DatabaseConnectionError

T = TypeVar("T")

WAITS = [0.5, 2.0]
"""Seconds to wait before the second and the third try."""

logger = logging.getLogger(__name__)


def with_retries(attempt: Callable[[], T]) -> T:
    """The result of `attempt`, which is called again after a DatabaseConnectionError, up to three times in all.

    Raises:
        DatabaseConnectionError: the last try failed too.
    """
    for seconds in WAITS:
        try:
            return attempt()
        except DatabaseConnectionError as error:
            logger.info("%s; next try in %g s", error.message, seconds)
            sleep(seconds)
    return attempt()
