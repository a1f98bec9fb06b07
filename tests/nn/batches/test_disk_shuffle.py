"""Batches of examples in a file are those of examples in memory: the same rows, in the same order, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from unittest.mock import Mock, patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import NncliError
from nncli.base.scratch import Scratch
from nncli.nn.batches.batches import Batch, Batches
from nncli.nn.batches.dataset import Dataset, DiskStorage
from nncli.nn.batches.disk_shuffle import DiskShuffle
from nncli.nn.batches.memmap import MatrixFile
from tests.nn.batches.test_batches import epoch, numbered, rng_of


def kept(examples: Dataset, scratch: Scratch) -> Dataset:
    """The same examples in files."""
    X, codes = MatrixFile.like(examples.X, scratch), MatrixFile.like(examples.codes, scratch)
    X.append(examples.X)
    codes.append(examples.codes)
    storage = DiskStorage(X.as_memmap(len(examples)), codes.as_memmap(len(examples)), scratch)
    return Dataset(storage.X.values, storage.codes.values, examples.y, examples.weights, storage)


@contextmanager
def filed(examples: Dataset, size: int, window: int = 2000, seed: int = 0) -> Iterator[Batches]:
    """Batches of the examples in files, with windows of so many bytes."""
    with ExitStack() as stack:
        stack.enter_context(patch("nncli.nn.batches.disk_shuffle.WINDOW_BYTES", window))
        scratch = stack.enter_context(Scratch())
        yield stack.enter_context(closing(Batches(kept(examples, scratch), size, rng_of(seed))))


def content(batch: Batch) -> list[bytes]:
    return [a.tobytes() for a in (batch.X, batch.codes, batch.y, batch.weights) if a is not None]


@pytest.mark.slow
@given(
    n=st.integers(1, 60),
    size=st.integers(1, 20),
    window=st.integers(1, 2000),
    weighted=st.booleans(),
    classes=st.booleans(),
    embeddings=st.integers(0, 2),
    epochs=st.integers(1, 4),
)
def test_every_epoch_is_the_one_that_memory_gives(
    n: int, size: int, window: int, weighted: bool, classes: bool, embeddings: int, epochs: int
) -> None:
    examples = numbered(n, weighted=weighted, classes=classes, embeddings=embeddings)
    with filed(examples, size, window) as batches:
        memory = Batches(examples, size, rng_of())
        for e in range(epochs):
            batches.shuffle(more=e % 2 == 0)
            assert [content(batch) for batch in loaded(batches)] == [content(batch) for batch in epoch(memory)]
            assert batches.order.tolist() == memory.order.tolist()
            assert batches.rng.bit_generator.state == memory.rng.bit_generator.state


def loaded(batches: Batches) -> list[Batch]:
    """The batches of the present epoch."""
    shuffle: Callable[[], None] = lambda: None  # noqa: E731
    with patch.object(batches, "shuffle", shuffle):
        return epoch(batches)


def windows_of(rows: int) -> int:
    return rows * (3 * 4 + 2 * 8)


def test_batches_may_be_taken_from_anywhere_and_reach_to_the_end_of_their_window() -> None:
    examples = numbered(50)
    with filed(examples, 4, windows_of(15)) as batches:
        batches.shuffle()
        assert [batches.batches_available(i) for i in range(batches.steps)] == [3, 2, 1] * 4 + [1]
        for i in (12, 0, 7, 6, 3):
            result = batches.pool.X[batches.pool_indices(i), 0].tolist()
            assert result == batches.order[4 * i : 4 * (i + batches.batches_available(i))].tolist()


def test_an_order_that_was_arranged_ahead_and_is_not_wanted_is_dropped() -> None:
    """As when a diverging training goes back."""
    examples = numbered(40)
    with filed(examples, 4, windows_of(8), seed=1) as batches:
        batches.shuffle(more=True)
        batches.rng.bit_generator.state = rng_of(2).bit_generator.state
        batches.shuffle(more=True)
        memory = Batches(examples, 4, rng_of(2))
        memory.shuffle()
        assert [content(batch) for batch in loaded(batches)] == [content(batch) for batch in loaded(memory)]


def test_a_pause_does_not_arrange_the_same_order_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Mock(side_effect=DiskShuffle.start_epoch)
    monkeypatch.setattr(DiskShuffle, "start_epoch", lambda self, stream, *, more: begun(self, stream, more=more))
    with filed(numbered(40), 4) as batches:
        before = batches.rng.bit_generator.state
        batches.shuffle()
        order, after = batches.order.tolist(), batches.rng.bit_generator.state
        batches.rng.bit_generator.state = before
        batches.shuffle()
        assert batches.order.tolist() == order
        assert batches.rng.bit_generator.state == after
        begun.assert_called_once()


def test_a_disk_that_is_full_is_told_when_the_epoch_begins() -> None:
    def full(self: MatrixFile, at: int, rows: object) -> None:
        raise NncliError("the disk is full")

    with filed(numbered(40), 4) as batches:
        with patch.object(MatrixFile, "write", full):
            batches.rng.random()
            with pytest.raises(NncliError, match="full"):
                batches.shuffle()
        batches.shuffle(more=True)
        assert sorted(row for batch in loaded(batches) for row in batch.X[:, 0].tolist()) == list(range(40))


def test_a_window_is_whole_batches_and_one_at_least() -> None:
    with filed(numbered(40), 7, 1) as batches:
        assert batches.pool.X.shape == (14, 3)
        assert np.array_equal([batches.batches_available(i) for i in range(batches.steps)], np.ones(6))
