"""How much memory encoded rows may take before they are kept in a file."""

from __future__ import annotations

from nncli.config.schema import Config, bytes_of
from nncli.utils.memory import free_memory

SHARE = 0.5
"""Of the memory that is free, with `memory_limit: auto`."""


def memory_limit(config: Config) -> float:
    """The limit in bytes. Which way it is met changes not a bit of what is trained."""
    wanted = bytes_of(config.memory_limit)
    return SHARE * free_memory() if wanted is None else wanted
