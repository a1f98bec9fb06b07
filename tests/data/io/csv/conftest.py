"""Other tests may have changed the limit of cells of the process; these need the usual one."""

from __future__ import annotations

import csv

import pytest


@pytest.fixture(autouse=True)
def _usual_limit_of_cells() -> None:
    csv.field_size_limit(131_072)
