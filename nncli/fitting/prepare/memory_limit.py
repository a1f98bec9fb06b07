"""The memory that encoded rows may take before they are kept in a file."""

from __future__ import annotations

from nncli.base.memory import free_memory
from nncli.config.schema import Config, bytes_of

AUTO_SHARE = 0.5
"""Share of the free memory that `memory_limit: auto` allows."""


def memory_limit(config: Config) -> float:
    """The memory limit in bytes. It does not affect the result of the training."""
    limit = bytes_of(config.memory_limit)
    return AUTO_SHARE * free_memory() if limit is None else limit
