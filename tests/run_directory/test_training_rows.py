"""Training rows are recognized exactly, or by an estimate; new rows that equal them by chance raise no alarm."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.hashing import Hashes, hash_exact_numbers
from nncli.run_directory import training_rows
from nncli.run_directory.training_rows import MAX_HASHES, RowMatches, TrainingRows, siphash

SMALL = st.lists(st.integers(0, 30), max_size=60)


def hashed(values: object) -> Hashes:
    return hash_exact_numbers(np.array(values, np.float64))


def matches(training: object, table: object) -> RowMatches:
    return TrainingRows.of([hashed(training)]).match(hashed(table))


@given(SMALL, SMALL)
def test_the_rows_are_counted_as_a_set_counts_them(training: list[int], table: list[int]) -> None:
    result = matches(training, table)
    assert result.trained_rows == result.matched == sum(row in set(training) for row in table)
    assert result.rows == result.sampled == len(table)


@given(SMALL, SMALL)
def test_the_matches_of_two_parts_add_up(training: list[int], table: list[int]) -> None:
    record, half = TrainingRows.of([hashed(training)]), len(table) // 2
    assert record.match(hashed(table[:half])) + record.match(hashed(table[half:])) == record.match(hashed(table))


@given(SMALL, st.integers(1, 7), st.integers(1, 10))
def test_the_record_depends_neither_on_the_order_of_the_rows_nor_on_blocks(
    rows: list[int], size: int, most: int
) -> None:
    blocks = [hashed(rows[start : start + size]) for start in range(0, len(rows), size)]
    with patch.object(training_rows, "MAX_HASHES", most):
        records = [TrainingRows.of(order) for order in (blocks, reversed(blocks), [hashed(rows)])]
    for record in records:
        assert record.hashes.tolist() == sorted(set(hashed(rows).tolist()))[:most]
        assert (record.limit, record.rows, record.single_rows) == (
            records[0].limit,
            records[0].rows,
            records[0].single_rows,
        )


def test_the_record_of_many_rows_is_bounded_and_estimates_the_share() -> None:
    rows = np.arange(600_000)
    record = TrainingRows.of(np.array_split(hashed(rows), 10))
    assert len(record.hashes) == MAX_HASHES
    assert len(record.to_bytes()) < 8 * MAX_HASHES + 1000
    result = record.match(hashed(np.arange(500_000, 900_000)))
    assert result.trained_rows == pytest.approx(100_000, rel=0.02)
    assert result.are_optimistic
    assert str(result.warning).startswith("about ")
    assert not record.match(hashed(-rows[1:])).trained_rows


def test_a_row_among_training_rows_is_no_proof_and_all_rows_are() -> None:
    rows = np.arange(344)
    assert matches(rows, rows).are_optimistic
    assert matches(rows, rows).warning is not None
    assert matches(rows, np.arange(300, 400)).are_optimistic
    assert not matches(rows, np.arange(343, 443)).are_optimistic
    assert matches(rows, np.arange(344, 400)).warning is None
    assert not matches(rows, []).are_optimistic


@pytest.mark.slow
@pytest.mark.parametrize("values", [2, 10, 100, 1_000, 10_000, 10**6])
@pytest.mark.parametrize("n", [20, 150, 1_000])
def test_new_rows_that_equal_training_rows_by_chance_raise_no_alarm(values: int, n: int) -> None:
    rng, alarms = np.random.default_rng(values + n), 0
    for _ in range(100):
        training = np.floor(values * rng.random(n) ** 2)  # some values are more common than others
        alarms += matches(training, np.floor(values * rng.random(10_000) ** 2)).are_optimistic
    assert alarms <= 1


@pytest.mark.parametrize("values", [400, 10_000])
def test_the_training_table_is_recognized_also_where_many_rows_recur(values: int) -> None:
    rng = np.random.default_rng(values)
    training = rng.integers(values, size=500)
    result = matches(training, training)
    assert result.are_optimistic
    assert result.json() == {"rows": 500, "by_chance": result.rows_by_chance, "optimistic": True}


def test_the_rows_expected_by_chance_are_close_to_those_that_match() -> None:
    rng = np.random.default_rng(0)
    training, table = rng.integers(2_000, size=2_000), rng.integers(2_000, size=2_000)
    result = matches(training, table)
    assert result.trained_rows == pytest.approx(result.rows_by_chance, abs=100)


@given(SMALL)
def test_the_file_holds_the_record(rows: list[int]) -> None:
    record = TrainingRows.of([hashed(rows)])
    again = TrainingRows.from_bytes(record.to_bytes())
    assert again.hashes.tolist() == record.hashes.tolist()
    assert (again.limit, again.rows, again.single_rows) == (record.limit, record.rows, record.single_rows)


def test_another_file_is_refused() -> None:
    record = TrainingRows.of([hashed([1, 2, 2])])
    unordered = TrainingRows(record.hashes[::-1], record.limit, 3, 1)
    too_few = TrainingRows(record.hashes, record.limit, 1, 1)
    for content in (b"", b"x" * 100, unordered.to_bytes(), too_few.to_bytes()):
        with pytest.raises(ValueError, match="training rows"):
            TrainingRows.from_bytes(content)


def test_the_union_of_folds_has_the_rows_of_all_of_them() -> None:
    rows = hashed(np.arange(90) % 80)
    folds = [np.delete(rows, np.s_[i::3]) for i in range(3)]
    whole, union = TrainingRows.of([rows]), TrainingRows.union([TrainingRows.of([fold]) for fold in folds])
    assert union.hashes.tolist() == whole.hashes.tolist()
    assert union.match(rows).matched == 90
    assert union.chance == pytest.approx(whole.chance, abs=0.15)
    assert TrainingRows.from_bytes(union.to_bytes()).rows == union.rows


def test_keyed_hashes_match_the_same_rows_and_are_siphash() -> None:
    message = np.frombuffer(bytes(range(8)), np.uint64)
    assert siphash(message, bytes(range(16))).tolist() == [0x93F5F5799A932462]  # the vector of the reference code
    plain = TrainingRows.of([np.array([5, 9, 9, 12], np.uint64)])
    keyed = plain.keyed(bytes(16))
    rows = np.array([9, 12, 13], np.uint64)
    assert keyed.match(rows) == plain.match(rows)
    assert not set(keyed.hashes.tolist()) & set(plain.hashes.tolist())
    assert TrainingRows.from_bytes(keyed.to_bytes()).key == b""
    assert TrainingRows.from_bytes(plain.to_bytes()).key is None
