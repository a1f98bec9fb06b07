"""Polluted CSV files are read right or refused, never read wrong; benchmarks/pollution.py makes them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollution import CHANGES, COMBINATIONS, outcome, pollute, read_tables

TABLES = read_tables(None)
FIXED = [*((name,) for name in CHANGES), *COMBINATIONS]


@given(st.sampled_from(sorted(TABLES)), st.sets(st.sampled_from(sorted(CHANGES)), max_size=4), st.integers(0, 1 << 32))
def test_no_polluted_table_is_read_wrong(name: str, changes: set[str], seed: int) -> None:
    rng = random.Random(seed)
    table = pollute(TABLES[name], tuple(changes), rng)
    result, reason = outcome(table, table.data(rng))
    assert result != "wrong", reason
    if not changes:
        assert result == "right", reason


@pytest.mark.parametrize("name", sorted(TABLES))
def test_most_polluted_tables_are_read_without_an_option(name: str) -> None:
    counts: Counter[str] = Counter()
    for seed, changes in enumerate(FIXED):
        rng = random.Random(seed)
        table = pollute(TABLES[name], changes, rng)
        counts[outcome(table, table.data(rng))[0]] += 1
    assert counts["wrong"] == 0
    assert counts["right"] >= 0.7 * counts.total()
