"""Scripts set the limit of cells for their process; the tests give it back."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _limit_of_cells() -> Iterator[None]:
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)
