"""Tests that `make test` runs in part, and `make test-thorough` as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import settings

IS_THOROUGH = settings.get_current_profile_name() == "thorough"
"""Whether `make test-thorough` runs."""

partly = pytest.mark.thorough
"""Marks a test that tries more when it is thorough."""


def every(n: int) -> int:
    """The step with which a test goes through its cases: `n`, or 1 when it is thorough."""
    return 1 if IS_THOROUGH else n


def in_turn(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each of the first with one of the second in turn; all combinations when it is thorough."""
    if IS_THOROUGH:
        return list(product(first, second))
    return [(value, second[i % len(second)]) for i, value in enumerate(first)]


def pairs_of(first: Sequence[Any], second: Sequence[Any], shortest: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Combinations of three values in which each pair of two values occurs; all combinations when it is thorough."""
    if IS_THOROUGH:
        return list(product(first, second, shortest))
    assert len(shortest) <= min(len(first), len(second)), "other pairs would be missing"
    return [(a, b, shortest[(i + j) % len(shortest)]) for i, a in enumerate(first) for j, b in enumerate(second)]
