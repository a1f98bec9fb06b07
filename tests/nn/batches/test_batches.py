"""Batches: every row once an epoch, in an order that follows from the generator's state alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nncli.nn.batches.batches import Batch, Batches
from nncli.nn.batches.dataset import Dataset


def numbered(
    n: int, *, weighted: bool = True, classes: bool = False, embeddings: int = 2, dtype: Any = np.float32
) -> Dataset:
    """Rows that carry their number in every array."""
    i = np.arange(n)
    return Dataset(
        X=np.stack([i, 2 * i, -i], axis=1).astype(dtype),
        codes=np.stack([i + k for k in range(embeddings)], axis=1) if embeddings else np.empty((n, 0), np.int64),
        y=i.copy() if classes else (10.0 * i)[:, None].astype(dtype),
        weights=(1.0 + i).astype(dtype) if weighted else None,
    )


def buffer(examples: Dataset, rows: int) -> Batch:
    """A batch full of what should be overwritten."""

    def spoiled(a: NDArray[Any]) -> NDArray[Any]:
        return np.full((rows, *a.shape[1:]), -77, a.dtype)

    w = examples.weights
    return Batch(spoiled(examples.X), spoiled(examples.codes), spoiled(examples.y), None if w is None else spoiled(w))


def epoch(batches: Batches) -> list[Batch]:
    """All batches of a new epoch, each in buffers of its own."""
    batches.shuffle()
    loaded = []
    for i in range(batches.steps):
        batch = buffer(batches.dataset, batches.rows(i))
        batches.load(i, batch)
        loaded.append(batch)
    return loaded


def order_of(loaded: list[Batch]) -> list[int]:
    return [int(v) for batch in loaded for v in batch.X[:, 0]]


def rng_of(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(n=st.integers(1, 60), size=st.integers(1, 80), seed=st.integers(0, 999), epochs=st.integers(1, 3))
def test_every_epoch_is_a_permutation_of_the_rows(n: int, size: int, seed: int, epochs: int) -> None:
    batches = Batches(numbered(n), size, rng_of(seed))
    for _ in range(epochs):
        assert sorted(order_of(epoch(batches))) == list(range(n))


@given(n=st.integers(1, 60), size=st.integers(1, 80))
def test_all_batches_are_full_but_the_last_and_their_sizes_are_announced(n: int, size: int) -> None:
    batches = Batches(numbered(n), size, rng_of())
    result = [len(batch) for batch in epoch(batches)]
    full = min(n, size)
    assert result[:-1] == [full] * (len(result) - 1)
    assert 1 <= result[-1] <= full
    assert sum(result) == n
    assert set(batches.sizes()) == set(result)
    assert len(batches.sizes()) == len(set(result))


def test_seven_rows_by_three() -> None:
    batches = Batches(numbered(7), 3, rng_of())
    assert batches.steps == 3
    assert [batches.rows(i) for i in range(3)] == [3, 3, 1]
    assert batches.sizes() == (3, 1)


def test_a_batch_larger_than_the_table_is_the_table() -> None:
    batches = Batches(numbered(5), 1000, rng_of())
    assert (batches.steps, batches.sizes(), batches.batch_size) == (1, (5,), 5)
    assert sorted(order_of(epoch(batches))) == list(range(5))


def test_one_row() -> None:
    batches = Batches(numbered(1), 32, rng_of())
    assert order_of(epoch(batches)) == [0]


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("embeddings", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_arrays_are_gathered_from_the_same_rows(weighted: bool, classes: bool, embeddings: int, dtype: Any) -> None:
    examples = numbered(11, weighted=weighted, classes=classes, embeddings=embeddings, dtype=dtype)
    for batch in epoch(Batches(examples, 4, rng_of())):
        rows = batch.X[:, 0].astype(int)
        np.testing.assert_array_equal(batch.X, examples.X[rows])
        np.testing.assert_array_equal(batch.codes, examples.codes[rows])
        np.testing.assert_array_equal(batch.y, examples.y[rows])
        if examples.weights is None:
            assert batch.weights is None
        else:
            np.testing.assert_array_equal(batch.weights, examples.weights[rows])


def test_the_examples_are_left_as_they_were() -> None:
    examples, untouched = numbered(9), numbered(9)
    epoch(Batches(examples, 4, rng_of()))
    np.testing.assert_array_equal(examples.X, untouched.X)
    np.testing.assert_array_equal(examples.y, untouched.y)
    np.testing.assert_array_equal(examples.codes, untouched.codes)


@given(n=st.integers(1, 40), size=st.integers(1, 50), before=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_order_follows_from_the_state_of_the_generator_at_the_start_of_the_epoch(
    n: int, size: int, before: int
) -> None:
    rng = rng_of(5)
    used = Batches(numbered(n), size, rng)
    for _ in range(before):
        epoch(used)
    state = rng.bit_generator.state
    expected = order_of(epoch(used))
    resumed = rng_of(99)
    resumed.bit_generator.state = state
    assert order_of(epoch(Batches(numbered(n), size, resumed))) == expected


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    orders = {tuple(order_of(epoch(Batches(numbered(30), size, rng_of(3))))) for size in (1, 7, 30, 99)}
    assert len(orders) == 1


def test_epochs_and_seeds_differ() -> None:
    batches = Batches(numbered(40), 8, rng_of(1))
    orders = [order_of(epoch(batches)) for _ in range(3)] + [order_of(epoch(Batches(numbered(40), 8, rng_of(2))))]
    assert len({tuple(order) for order in orders}) == 4


def test_every_row_is_as_likely_to_come_first() -> None:
    batches, counts = Batches(numbered(5), 5, rng_of(0)), np.zeros(5)
    for _ in range(2000):
        counts[order_of(epoch(batches))[0]] += 1
    assert float(np.abs(counts - 400.0).max()) < 4.5 * (2000 * 0.2 * 0.8) ** 0.5


def test_a_batch_may_be_loaded_again_and_out_of_turn() -> None:
    batches = Batches(numbered(10), 4, rng_of())
    batches.shuffle()
    first, again = (buffer(batches.dataset, 4) for _ in range(2))
    batches.load(0, first)
    batches.load(1, again)
    batches.load(0, again)
    np.testing.assert_array_equal(first.X, again.X)


def test_shuffling_is_the_only_draw() -> None:
    rng = rng_of()
    batches = Batches(numbered(10), 4, rng)
    batches.shuffle()
    state = rng.bit_generator.state
    for i in range(batches.steps):
        batches.load(i, buffer(batches.dataset, batches.rows(i)))
    assert rng.bit_generator.state == state
