"""Factors of the groups: by hand, in their own stretch alone, and today's step where nothing is said."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from nncli.nn.optim import optimizers
from nncli.nn.optim.optimizers import BLOCK, AdamW, GroupOptions, Lion, Optimizer, OptimizerBase, Sgd, merge_groups
from nncli.nn.parameters import DECAYED, ParamGroup
from tests.unions import members, tag

TRAINED: list[ParamGroup] = [group for group in ParamGroup if group is not ParamGroup.STATISTIC]
EACH: dict[ParamGroup, slice] = {group: slice(3 * group, 3 * group + 3) for group in TRAINED}
"""Three numbers of each group."""


def built(cls: type[Any], **options: Any) -> OptimizerBase:
    optimizer: OptimizerBase = cls.model_validate(options)
    return optimizer


def moved(
    optimizer: OptimizerBase,
    groups: dict[ParamGroup, slice] = EACH,
    *,
    grads: float = 1.0,
    steps: int = 3,
    progress: float = 0.0,
    dtype: Any = np.float32,
) -> Any:
    """theta from ones, after some steps with gradients of any sign."""
    size = max(span.stop for span in groups.values())
    theta, grad, rng = np.ones(size, dtype), np.empty(size, dtype), np.random.default_rng(0)
    moments = optimizer.init_state(theta)
    step = optimizer.bind(theta, grad, moments, groups=groups, progress=np.array(progress))
    for t in range(1, steps + 1):
        grad[...] = grads * rng.normal(size=size)
        step(0.1, t)
    return theta


def test_factors_are_worked_by_hand() -> None:
    # lr 0.1, gradient 2: weights 1 - 0.1 · 2; scales move by 6 times that, biases not at all
    optimizer = built(
        Sgd, param_groups={"scale": {"learning_rate_multiplier": 6.0}, "bias": {"learning_rate_multiplier": 0.0}}
    )
    theta, grad = np.ones(3), np.full(3, 2.0)
    groups = {ParamGroup.WEIGHT: slice(0, 1), ParamGroup.BIAS: slice(1, 2), ParamGroup.SCALE: slice(2, 3)}
    moments = optimizer.init_state(theta)
    optimizer.bind(theta, grad, moments, groups=groups, progress=np.zeros(()))(0.1, 1)
    np.testing.assert_allclose(theta, [0.8, 1.0, -0.2], rtol=1e-15)


@pytest.mark.parametrize("cls", [AdamW, Lion], ids=tag)
@pytest.mark.parametrize(("t", "share"), [(0.0, 1.0), (0.4, 1.0), (0.75, 0.5), (1.0, 0.0)])
def test_decay_is_relative_to_the_rate_of_all_and_follows_its_schedule(cls: type[Any], t: float, share: float) -> None:
    # without a gradient: 1 - 0.1 · decay · 0.02 · share, whatever the rate of the group
    factors = {
        "scale": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
        "bias": {"learning_rate_multiplier": 0.1},
        "alpha": {"learning_rate_multiplier": 0.1, "weight_decay_multiplier": 0.01},
    }
    optimizer = built(cls, param_groups=factors, weight_decay=0.02, decay_schedule="flat_cosine")
    theta = moved(optimizer, grads=0.0, steps=1, progress=t, dtype=np.float64)
    decays = [1.0, 1.0, 0.0, 0.0, 36.0, 0.01]
    np.testing.assert_allclose(theta, np.repeat([1.0 - 0.002 * d * share for d in decays], 3), rtol=1e-14)


@pytest.mark.parametrize("cls", [AdamW, Lion], ids=tag)
def test_progress_is_read_anew_by_every_step(cls: type[Any]) -> None:
    optimizer = built(cls, weight_decay=0.5, decay_schedule="flat_cosine")
    theta, grad, progress = np.ones(1), np.zeros(1), np.zeros(())
    moments = optimizer.init_state(theta)
    step = optimizer.bind(theta, grad, moments, groups={ParamGroup.WEIGHT: slice(0, 1)}, progress=progress)
    step(0.1, 1)
    assert theta[0] == pytest.approx(0.95)
    progress.fill(0.75)
    step(0.1, 2)
    assert theta[0] == pytest.approx(0.95 * 0.975)


@pytest.mark.parametrize("group", TRAINED, ids=lambda group: group.name)
@pytest.mark.parametrize("cls", members(Optimizer), ids=tag)
def test_a_rate_moves_its_own_group_alone(cls: type[Any], group: ParamGroup) -> None:
    plain, changed = (
        moved(cls()),
        moved(built(cls, param_groups={group.name.lower(): {"learning_rate_multiplier": 3.0}})),
    )
    for each, span in EACH.items():
        assert (plain[span].tobytes() != changed[span].tobytes()) == (each is group)


@pytest.mark.parametrize("cls", members(Optimizer), ids=tag)
def test_a_groups_rate_is_that_of_a_training_with_so_much_more(cls: type[Any]) -> None:
    biases: dict[ParamGroup, slice] = {ParamGroup.BIAS: slice(0, 5)}
    fast, slow = (
        moved(o, biases, steps=1) for o in (built(cls, param_groups={"bias": {"learning_rate_multiplier": 4.0}}), cls())
    )
    np.testing.assert_allclose(fast - 1.0, 4.0 * (slow - 1.0), rtol=1e-5)


@pytest.mark.parametrize("cls", members(Optimizer), ids=tag)
def test_factors_of_the_defaults_change_no_bit(cls: type[Any]) -> None:
    factors: dict[str, Any] = {group.name.lower(): {"learning_rate_multiplier": 1.0} for group in TRAINED}
    if cls.decays:
        factors |= {group.name.lower(): {"weight_decay_multiplier": float(group in DECAYED)} for group in TRAINED}
    assert moved(cls()).tobytes() == moved(built(cls, param_groups=factors)).tobytes()


def test_neighbors_with_the_same_factors_share_a_stretch() -> None:
    tenth = GroupOptions(learning_rate_multiplier=0.1, weight_decay_multiplier=0.0)
    result = list(merge_groups({"numeric": tenth, "bias": tenth}, EACH))
    assert result == [
        (slice(0, 6), 1.0, 1.0),
        (slice(6, 12), 0.1, 0.0),
        (slice(12, 18), 1.0, 0.0),
    ]
    assert list(merge_groups({}, EACH)) == [(slice(0, 6), 1.0, 1.0), (slice(6, 18), 1.0, 0.0)]


@pytest.mark.parametrize("cls", members(Optimizer), ids=tag)
def test_the_edges_of_blocks_do_not_show(cls: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = built(
        cls, param_groups={"scale": {"learning_rate_multiplier": 6.0}, "bias": {"learning_rate_multiplier": 0.1}}
    )
    whole = moved(optimizer)
    monkeypatch.setattr(optimizers, "BLOCK", 2)
    assert moved(optimizer).tobytes() == whole.tobytes()


@pytest.mark.parametrize("cls", [AdamW, Lion], ids=tag)
def test_a_step_with_groups_allocates_nothing(cls: type[Any]) -> None:
    factors = {
        "scale": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
        "bias": {"learning_rate_multiplier": 0.1},
        "alpha": {"learning_rate_multiplier": 0.1, "weight_decay_multiplier": 0.01},
    }
    optimizer = built(cls, param_groups=factors, weight_decay=0.02, decay_schedule="flat_cosine")
    theta, grad, progress = np.ones(3 * BLOCK, np.float32), np.ones(3 * BLOCK, np.float32), np.array(0.7)
    groups = {
        ParamGroup.WEIGHT: slice(0, BLOCK + 7),
        ParamGroup.BIAS: slice(BLOCK + 7, 2 * BLOCK),
        ParamGroup.SCALE: slice(2 * BLOCK, 3 * BLOCK),
    }
    step = optimizer.bind(theta, grad, optimizer.init_state(theta), groups=groups, progress=progress)
    step(1e-3, 1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for t in range(2, 22):
            step(1e-3, t)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 4096


# --- how they are written


def read(value: Any) -> OptimizerBase:
    optimizer: OptimizerBase = TypeAdapter(Optimizer).validate_python(value)
    return optimizer


def test_groups_are_written_by_name_and_survive_a_round_trip() -> None:
    optimizer = read(
        {
            "type": "adamw",
            "param_groups": {
                "scale": {"learning_rate_multiplier": 6.0, "weight_decay_multiplier": 36.0},
                "bias": {"learning_rate_multiplier": 0.1},
            },
        }
    )
    assert optimizer.param_groups == {
        "scale": GroupOptions(learning_rate_multiplier=6.0, weight_decay_multiplier=36.0),
        "bias": GroupOptions(learning_rate_multiplier=0.1),
    }
    assert read(optimizer.model_dump(mode="json")) == optimizer
    assert read("adamw").param_groups == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "adamw", "param_groups": {"scales": {"learning_rate_multiplier": 6.0}}},
        {"type": "adamw", "param_groups": {"statistic": {"learning_rate_multiplier": 6.0}}},
        {"type": "adamw", "param_groups": {"scale": {"learning_rate_multiplier": -1.0}}},
        {"type": "adamw", "param_groups": {"scale": {"speed": 1.0}}},
        {"type": "adamw", "param_groups": {"scale": 6.0}},
        {"type": "adamw", "decay_schedule": "cosine"},
        {"type": "adam", "decay_schedule": "constant"},
        {"type": "adam", "param_groups": {"scale": {"weight_decay_multiplier": 0.0}}},
    ],
)
def test_what_are_no_groups_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        read(wrong)
