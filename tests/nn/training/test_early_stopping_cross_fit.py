"""Cross-fitted outputs: other rows choose the epoch of each row."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.training.early_stopping import MANY_ROWS, CrossFit, number_of_parts, part_numbers


def mean_of(values: np.ndarray, rows: np.ndarray) -> float:
    return float(values[rows].mean())


def observed(losses: np.ndarray, last_on_tie: bool = False) -> CrossFit:
    """The state after epochs with these losses (epochs, rows), whose outputs are the numbers of the epochs."""
    state = CrossFit.of(np.empty((losses.shape[1], 1)))
    assert state is not None
    for epoch, of_rows in enumerate(losses, 1):
        Z = np.full((losses.shape[1], 1), float(epoch))
        state.observe(epoch, Z, partial(mean_of, of_rows), min_delta=0.0, last_on_tie=last_on_tie)
    return state


@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 99))
def test_the_output_of_a_row_is_that_of_the_epoch_which_the_other_groups_choose(
    rows: int, epochs: int, seed: int
) -> None:
    losses = np.random.default_rng(seed).normal(size=(epochs, rows))
    state, number = observed(losses), part_numbers(rows)
    for row in range(rows):
        others = losses[:, number != number[row]].mean(axis=1)
        assert state.Z[row, 0] == 1 + others.argmin()
    assert state.epochs == tuple(1 + losses[:, number != part].mean(axis=1).argmin() for part in range(max(number) + 1))


def test_of_equal_epochs_the_first_or_the_last_is_chosen_as_in_the_training() -> None:
    losses = np.ones((4, 10))
    assert set(observed(losses).epochs) == {1}
    assert set(observed(losses, last_on_tie=True).epochs) == {4}


def test_a_single_row_has_no_others() -> None:
    assert CrossFit.of(np.empty((1, 1))) is None


@pytest.mark.parametrize(("rows", "parts"), [(2, 2), (3, 3), (5, 5), (999, 5), (MANY_ROWS, 2)])
def test_rows_are_dealt_evenly(rows: int, parts: int) -> None:
    assert number_of_parts(rows) == parts
    counts = np.bincount(part_numbers(rows))
    assert len(counts) == parts
    assert counts.max() - counts.min() <= 1


@pytest.mark.slow
def test_the_loss_of_pure_noise_is_not_flattered() -> None:
    """Every epoch's loss has the mean 1: the best of 100 epochs looks better, the cross-fitted outputs do not."""
    rng, chosen, cross_fitted = np.random.default_rng(0), [], []
    for _ in range(200):
        losses = rng.exponential(size=(100, 20))
        epochs = observed(losses).Z[:, 0].astype(int) - 1
        chosen.append(losses.mean(axis=1).min())
        cross_fitted.append(losses[epochs, np.arange(20)].mean())
    assert np.mean(chosen) < 0.6
    assert np.mean(cross_fitted) == pytest.approx(1.0, abs=4 * np.std(cross_fitted) / 200**0.5)
