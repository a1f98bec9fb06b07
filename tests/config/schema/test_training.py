"""Intervals between checkpoints and amounts of memory are read with their units."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from nncli.config.schema.training import Checkpoint, EarlyStopping, MemoryAmount, bytes_of


@pytest.mark.parametrize(
    ("every", "unit", "amount"),
    [("1 epoch", "epoch", 1), ("500 steps", "step", 500), ("2.5 s", "s", 2.5), (" 3epochs ", "epoch", 3)],
)
def test_an_interval_is_known_in_its_own_unit_only(
    every: str, unit: Literal["epoch", "step", "s"], amount: float
) -> None:
    checkpoint = Checkpoint(every=every)
    assert checkpoint.interval(unit) == amount
    units: list[Literal["epoch", "step", "s"]] = ["epoch", "step", "s"]
    assert [checkpoint.interval(other) for other in units if other != unit] == [None, None]


@pytest.mark.parametrize("every", ["60", "0 epochs", "2.5 epochs", "2 hours", "", 60, None, True])
def test_an_invalid_interval_is_answered_with_an_example(every: object) -> None:
    with pytest.raises(ValidationError, match="60 s"):
        Checkpoint.model_validate({"every": every})


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("auto", None), ("500 MiB", 500 * 2**20), ("1.5GB", 1.5e9), ("0 B", 0.0), (" 2 TiB ", 2 * 2**40)],
)
def test_an_amount_of_memory_is_converted_to_bytes(amount: str, expected: float | None) -> None:
    assert bytes_of(amount) == expected
    assert TypeAdapter[str](MemoryAmount).validate_python(amount) == amount


@pytest.mark.parametrize("amount", ["", "500", "MiB", "-1 GB", "1 mb", "half", 500, None])
def test_an_invalid_amount_is_answered_with_an_example(amount: object) -> None:
    with pytest.raises(ValidationError, match="500 MiB"):
        TypeAdapter[str](MemoryAmount).validate_python(amount)


def test_early_stopping_waits_for_at_least_one_epoch() -> None:
    assert EarlyStopping() == EarlyStopping(patience=20, min_delta=0)
    with pytest.raises(ValidationError):
        EarlyStopping(patience=0)
