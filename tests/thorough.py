"""Tests that `make test` runs in part, and `make test-thorough` as a whole."""

from __future__ import annotations

import pytest
from hypothesis import settings

IS_THOROUGH = settings.get_current_profile_name() == "thorough"
"""Whether `make test-thorough` runs."""

partly = pytest.mark.thorough
"""Marks a test that tries more when it is thorough."""


def every(n: int) -> int:
    """The step with which a test goes through its cases: `n`, or 1 when it is thorough."""
    return 1 if IS_THOROUGH else n
