"""What a configuration leaves to the table: rows of a batch, epochs, the peak of the rate."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.config.schema import Config, ValidationFile
from nncli.fitting.prepare.auto_values import (
    BATCHES,
    DEFAULT_CYCLES,
    HELD_OUT_ROWS,
    MAX_BATCH,
    MAX_CYCLES,
    MAX_EMBEDDED,
    MAX_FEATURES,
    MAX_FIRST_CYCLE,
    MAX_ROW_VISITS,
    MIN_CYCLES,
    MIN_MEMBERS,
    WEIGHT_DECAY,
    WEIGHT_DECAY_OF_WIDE_TABLES,
    batch_rows,
    counted_rows,
    epochs_of,
    epochs_of_cycles,
    likely_epochs,
    max_cycles,
    max_features_of,
    resolve_embedding,
    resolve_layers,
    resolve_members,
    resolve_optimizer,
    schedule_of,
)
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Residual
from nncli.nn.losses import CrossEntropyLoss, HingeLoss, MSELoss
from nncli.nn.numeric_embeddings import Periodic, PiecewiseLinear
from nncli.nn.optim.optimizers import AdamW, Sgd
from nncli.nn.optim.schedules import ConstantRate, CoslogRate
from nncli.targets.metrics.temperature_scaling import MANY_CLASSES


def config(**keys: Any) -> Config:
    return Config.model_validate(
        {"data": {"path": "t.csv", "target": "y"}, "batch_size": "auto", "epochs": "auto", **keys}
    )


@pytest.mark.parametrize(("rows", "epochs"), [(10_000, 126), (50_000, 31), (75_000, 31), (1_000_000, 3)])
def test_a_taught_network_has_as_many_cycles_as_are_practical(rows: int, epochs: int) -> None:
    assert epochs_of(config(teacher={"path": "run"}), rows) == epochs


def test_batches_grow_with_the_table() -> None:
    at_the_edges = [batch_rows(config(), rows) for most, _ in BATCHES for rows in (most, most + 1)]
    assert at_the_edges == sorted(at_the_edges)
    assert batch_rows(config(), 10) == BATCHES[0][1]
    assert batch_rows(config(), 10**9) == MAX_BATCH


def test_explicit_values_are_kept() -> None:
    explicit = config(batch_size=7, epochs=3, learning_rate=0.5)
    assert batch_rows(explicit, 10**6) == 7
    assert epochs_of(explicit, 10**6) == 3
    assert schedule_of(explicit, MSELoss(), 100) == ConstantRate(peak=0.5)
    assert batch_rows(config(batch_size="full"), 12_345) == 12_345


@given(st.integers(1, 10**8))
def test_the_number_of_steps_is_bounded(rows: int) -> None:
    cycles = max_cycles(config(), rows)
    epochs = epochs_of_cycles(rows, cycles)
    assert MIN_CYCLES <= cycles <= MAX_CYCLES
    assert 3 <= epochs <= MAX_FIRST_CYCLE * (2**MAX_CYCLES - 1)
    assert epochs * rows <= MAX_ROW_VISITS or cycles == MIN_CYCLES
    assert epochs_of(config(), rows) == epochs_of_cycles(rows, min(DEFAULT_CYCLES, cycles))


@pytest.mark.parametrize(("cycles", "most"), [(4, 5), (MAX_CYCLES, MAX_CYCLES)])
def test_several_targets_may_be_trained_for_a_cycle_more(cycles: int, most: int) -> None:
    schedule = {"type": "coslog", "cycles": cycles}
    data = {"path": "t.csv", "target": ["y", "z"]}
    of_several = config(data=data, loss={"y": "mse", "z": "cross_entropy"}, learning_rate=schedule)
    assert max_cycles(of_several, 100) == most
    assert max_cycles(config(learning_rate=schedule), 100) == cycles


@given(st.integers(1, 10**7), st.integers(1, 20_000))
def test_rows_of_many_classes_count_in_proportion_and_those_of_few_as_they_are(rows: int, classes: int) -> None:
    counted = counted_rows(rows, classes)
    assert counted == rows if classes <= MANY_CLASSES else counted == rows * classes // MANY_CLASSES
    assert epochs_of(config(), counted) <= epochs_of(config(), rows)


def test_a_training_with_a_first_cycle_is_likely_to_have_further_ones() -> None:
    assert likely_epochs(CoslogRate(peak=0.1, first_cycle=4.0), 12) == 124
    assert likely_epochs(CoslogRate(peak=0.1, first_cycle=4.0), 252) == 252
    assert likely_epochs(ConstantRate(peak=0.1), 12) == 12


@pytest.mark.parametrize(("loss", "peak"), [(MSELoss(), 0.12), (CrossEntropyLoss(), 0.04), (HingeLoss(), 0.04)])
def test_the_automatic_learning_rate_depends_on_the_task(loss: Any, peak: float) -> None:
    open_peak = config(learning_rate={"type": "coslog"})
    assert schedule_of(open_peak, loss, 100) == CoslogRate(peak=peak)
    assert schedule_of(config(learning_rate={"type": "coslog", "peak": 0.3}), loss, 100) == CoslogRate(peak=0.3)


@pytest.mark.parametrize(
    ("epochs", "rows", "length"),
    [("auto", 100, 4.0), ("auto", 10_000, 2.0), (30, 100, 2.0), (126, 100, 2.0), (126, 10**7, 2.0), (3, 100, 1.0)],
)
def test_the_first_cycle_depends_on_the_rows_or_divides_the_configured_epochs(
    epochs: Any, rows: int, length: float
) -> None:
    learning_rate = {"type": "coslog", "peak": 0.1, "first_cycle": "auto", "cycles": 6}
    schedule = schedule_of(config(learning_rate=learning_rate, epochs=epochs), MSELoss(), rows)
    assert schedule == CoslogRate(peak=0.1, first_cycle=length, cycles=6)


def test_automatic_units_grow_with_the_table_also_inside_residuals() -> None:
    left_open = {"type": "dense", "units": "auto"}
    layers = config(layers=[left_open, 7, {"type": "residual", "layers": [left_open, 7]}]).layers
    for rows, width, units in (
        (1, 10, 128),
        (2_000, 10, 128),
        (2_001, 10, 192),
        (6_001, MAX_EMBEDDED, 256),
        (6_001, MAX_EMBEDDED + 1, 128),  # a wide input
    ):
        first, explicit, inside = resolve_layers(layers, rows, width)
        assert isinstance(first, Dense)
        assert isinstance(inside, Residual)
        assert first.units == units
        assert explicit == Dense(units=7)
        assert [layer.units for layer in inside.layers if isinstance(layer, Dense)] == [units, 7]


def test_unresolved_units_have_no_width() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        Dense(units="auto").out_features(3)


def test_more_inputs_than_rows_are_decayed_more() -> None:
    def decay(rows: int, width: int, weight_decay: float | str = "auto") -> object:
        optimizer = config(optimizer={"type": "adamw", "weight_decay": weight_decay}).optimizer
        resolved = resolve_optimizer(optimizer, rows, width)
        assert isinstance(resolved, AdamW)
        return resolved.strength

    assert decay(300, MAX_EMBEDDED + 1) == decay(MAX_EMBEDDED, MAX_EMBEDDED + 1) == WEIGHT_DECAY_OF_WIDE_TABLES
    assert decay(300, MAX_EMBEDDED) == decay(MAX_EMBEDDED + 1, MAX_EMBEDDED + 1) == WEIGHT_DECAY
    assert decay(300, 10_000, 0.5) == 0.5
    assert resolve_optimizer(Sgd(), 300, 10_000) == Sgd()
    with pytest.raises(ValueError, match="not resolved"):
        AdamW(weight_decay="auto").strength  # noqa: B018 - asked for its ValueError


def test_many_numeric_columns_are_not_embedded() -> None:
    left_open = PiecewiseLinear(width="auto")
    assert resolve_embedding(left_open, MAX_EMBEDDED) is not None
    assert resolve_embedding(left_open, MAX_EMBEDDED + 1) is None


def test_large_tables_have_fewer_members() -> None:
    left_open = config(members="auto")
    assert [resolve_members(left_open, rows).members for rows in (10, 20_000, 20_001, 200_000)] == [8, 8, 4, 4]
    assert resolve_members(left_open, 200_000).bagging_mode == "folds"


def test_members_of_a_very_large_table_hold_out_a_fixed_number_of_rows() -> None:
    many = resolve_members(config(members="auto"), 1_000_000)
    assert (many.members, many.bagging_mode, many.validation) == (MIN_MEMBERS, "seeds", HELD_OUT_ROWS / 1_000_000)
    folds = resolve_members(config(members="auto", bagging="folds", validation=0.3), 1_000_000)
    assert (folds.members, folds.bagging, folds.validation) == (MIN_MEMBERS, "folds", 0.3)
    of_file = resolve_members(config(members="auto", validation={"path": "v.csv"}), 1_000_000)
    assert (of_file.members, of_file.validation) == (MIN_MEMBERS, ValidationFile(path="v.csv"))


@pytest.mark.parametrize("members", [1, 20])
def test_a_written_number_of_members_is_kept(members: int) -> None:
    written = config(members=members)
    assert resolve_members(written, 10**6) is written
    assert (written.n_members, written.is_ensemble) == (members, members > 1)


def test_an_unresolved_number_of_members_is_an_ensemble_of_unknown_size() -> None:
    left_open = config(members="auto")
    assert left_open.is_ensemble
    with pytest.raises(ValueError, match="not resolved"):
        left_open.n_members  # noqa: B018 - asked for its ValueError


def test_only_an_automatic_number_of_features_is_resolved() -> None:
    for value, limit in (("auto", MAX_FEATURES), (7, 7), (None, None)):
        assert max_features_of(config(encoding={"max_features": value})) == limit
    assert max_features_of(config()) is None


def test_embeddings_are_as_wide_as_the_number_of_columns_allows() -> None:
    widths = {columns: resolve_embedding(PiecewiseLinear(width="auto"), columns) for columns in (0, 1, 16, 32, 64, 500)}
    assert [e.width for e in widths.values() if isinstance(e, PiecewiseLinear)] == [16, 16, 16, 8, 4, 4]
    for explicit in (None, Periodic(), PiecewiseLinear(width=3)):
        assert resolve_embedding(explicit, 5) == explicit
        assert resolve_embedding(explicit, MAX_EMBEDDED + 1) == explicit
    with pytest.raises(ValueError, match="not resolved"):
        PiecewiseLinear(width="auto").out_features  # noqa: B018 - asked for its ValueError
