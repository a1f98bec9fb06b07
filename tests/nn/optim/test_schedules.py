"""Learning-rate schedules: each formula at hand-picked steps, the ends, the plateau, and what holds for all of them."""

from __future__ import annotations

import math
from itertools import pairwise
from math import cos, inf, nan, pi
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nncli.nn.layers.layer import annealing_factor
from nncli.nn.optim.schedules import (
    ConstantRate,
    CosineRate,
    CoslogRate,
    ExponentialRate,
    FlatCosineRate,
    OneCycleRate,
    PlateauState,
    ReduceOnPlateau,
    Schedule,
    ScheduleBase,
    StepRate,
    TrainingLength,
)
from tests.unions import members, tag

START = PlateauState()


def rates(schedule: ScheduleBase, horizon: TrainingLength) -> list[float]:
    return [schedule.rate(step, horizon, START) for step in range(horizon.steps)]


# --- formulas -------------------------------------------------------------------------------------------------------


def test_constant_is_constant() -> None:
    assert rates(ConstantRate(peak=0.3), TrainingLength(2, 3)) == [0.3] * 6


def test_step_falls_by_its_factor_every_few_epochs() -> None:
    # two steps an epoch, every 2 epochs: steps 0-3, 4-7, 8-11
    result = rates(StepRate(peak=0.8, factor=0.5, every=2), TrainingLength(6, 2))
    assert result == [0.8] * 4 + [0.4] * 4 + [0.2] * 4


def test_exponential_glides_by_its_factor_an_epoch() -> None:
    result = rates(ExponentialRate(peak=1.0, decay=0.25), TrainingLength(2, 2))
    assert result == pytest.approx([1.0, 0.5, 0.25, 0.125])


def test_cosine_falls_along_half_a_cosine() -> None:
    # 4 steps: parts 0, 1/4, 1/2, 3/4 of the way from 1 to 0.2
    result = rates(CosineRate(peak=1.0, final=0.2), TrainingLength(4, 1))
    r = 0.5 / math.sqrt(2.0)
    assert result == pytest.approx([1.0, 0.2 + 0.8 * (0.5 + r), 0.6, 0.2 + 0.8 * (0.5 - r)])


def test_cosine_reaches_final_at_the_horizon_and_stays_there() -> None:
    schedule, horizon = CosineRate(peak=1.0, final=0.2), TrainingLength(5, 2)
    assert schedule.rate(10, horizon, START) == pytest.approx(0.2)
    assert schedule.rate(99, horizon, START) == pytest.approx(0.2)


def test_cosine_begins_where_the_warm_up_ends() -> None:
    # 2 steps of warm-up, 4 of cosine
    result = rates(CosineRate(peak=1.0, warmup_steps=2), TrainingLength(6, 1))
    assert result[:3] == [0.5, 1.0, 1.0]
    assert result[2:] == pytest.approx(rates(CosineRate(peak=1.0), TrainingLength(4, 1)))


def test_one_cycle_rises_to_its_peak_and_falls_to_its_end() -> None:
    # 11 steps, the last is 10: part = step / 10; up to 0.3 from 1/4, down from there to 1/100
    result = rates(OneCycleRate(peak=1.0, pct_start=0.3, start_divisor=4.0, end_divisor=100.0), TrainingLength(11, 1))
    assert result[0] == 0.25
    assert result[1] == pytest.approx(0.25 + 0.75 * (1.0 - cos(pi / 3.0)) / 2.0)
    assert result[3] == 1.0
    assert result[10] == pytest.approx(0.01)
    assert result[:4] == sorted(result[:4])
    assert result[3:] == sorted(result[3:], reverse=True)


@given(
    peak=st.floats(1e-6, 10.0),
    pct_start=st.floats(0.05, 0.95),
    start=st.floats(1.5, 1e3),
    end=st.floats(1.5, 1e5),
    steps=st.integers(1, 500),
)
def test_one_cycle_has_one_peak_and_keeps_between_its_ends(
    peak: float, pct_start: float, start: float, end: float, steps: int
) -> None:
    schedule = OneCycleRate(peak=peak, pct_start=pct_start, start_divisor=start, end_divisor=end)
    result = rates(schedule, TrainingLength(1, steps))
    top = result.index(max(result))
    tiny = 1e-12 * peak
    assert min(result) >= min(peak / start, peak / end) - tiny
    assert max(result) <= peak + tiny
    assert all(a <= b + tiny for a, b in pairwise(result[: top + 1]))
    assert all(a >= b - tiny for a, b in pairwise(result[top:]))
    if steps > 1:
        assert abs(top / (steps - 1) - pct_start) <= 1.0 / (steps - 1)


def test_flat_cosine_holds_for_half_and_falls_along_half_a_cosine() -> None:
    # 8 steps: t = 0, 1/8 ... 7/8; from 1/2 on the parts 0, 1/4, 1/2, 3/4 of the way from 1 to 0.2
    result = rates(FlatCosineRate(peak=1.0, final=0.2), TrainingLength(4, 2))
    r = 0.5 / math.sqrt(2.0)
    assert result == pytest.approx([1.0] * 5 + [0.2 + 0.8 * (0.5 + r), 0.6, 0.2 + 0.8 * (0.5 - r)])
    assert result[:5] == [1.0] * 5
    assert FlatCosineRate(peak=1.0, final=0.2).rate(99, TrainingLength(4, 2), START) == pytest.approx(0.2)


def test_coslog_waves_are_each_twice_as_long_as_the_last() -> None:
    # with 4 cycles it is zero at t = 0, 1/15, 3/15, 7/15, 1, and at its peak where 1 + 15 t is 2^(n + 1/2)
    schedule, horizon = CoslogRate(peak=0.5), TrainingLength(1, 15_000)
    for n in range(4):
        start, top = (2.0**n - 1.0) / 15.0, (2.0 ** (n + 0.5) - 1.0) / 15.0
        assert schedule.rate(round(start * 15_000), horizon, START) < 1e-5
        assert schedule.rate(round(top * 15_000), horizon, START) == pytest.approx(0.5, rel=1e-5)
    assert schedule.rate(14_999, horizon, START) < 1e-5


def test_coslog_of_one_cycle_is_worked_by_hand() -> None:
    # 2 steps: t = 1/4, 3/4; log2 1.25 = 0.321928, log2 1.75 = 0.807355
    result = rates(CoslogRate(peak=2.0, cycles=1), TrainingLength(1, 2))
    assert result == pytest.approx([1.0 - cos(2.0 * pi * 0.321928), 1.0 - cos(2.0 * pi * 0.807355)], rel=1e-5)


def test_coslog_with_a_first_cycle_begins_with_the_same_rates_however_long_the_training_is() -> None:
    schedule = CoslogRate(peak=0.5, first_cycle=2.0)
    short, long = rates(schedule, TrainingLength(6, 5)), rates(schedule, TrainingLength(30, 5))
    assert short == long[:30]
    assert rates(CoslogRate(peak=0.5, cycles=2), TrainingLength(6, 5)) == pytest.approx(short)
    assert rates(CoslogRate(peak=0.5, cycles=4), TrainingLength(30, 5)) == pytest.approx(long)


def test_the_progress_of_coslog_is_that_of_its_cycle() -> None:
    # cycles of 2, 4 and 8 epochs of 5 steps: 10, 20 and 40 steps
    schedule, length = CoslogRate(peak=0.5, first_cycle=2.0), TrainingLength(14, 5)
    result = [schedule.progress(step, length) for step in (0, 5, 10, 20, 30, 50, 69)]
    assert result == pytest.approx([0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 39 / 40], abs=1e-12)
    assert FlatCosineRate(peak=0.5).progress(7, length) == 0.1


def test_snapshots_are_taken_at_the_ends_of_cycles_and_of_the_training() -> None:
    assert CoslogRate(peak=0.5, first_cycle=17.0).snapshot_epochs(119) == (17, 51, 119)
    assert CoslogRate(peak=0.5, first_cycle=17.0).snapshot_epochs(60) == (17, 51, 60)
    assert CoslogRate(peak=0.5, cycles=4).snapshot_epochs(256) == (17, 51, 119, 256)
    assert CoslogRate(peak=0.5, cycles=4).snapshot_epochs(1) == (1,)


@pytest.mark.parametrize(
    ("t", "share"), [(0.0, 1.0), (0.25, 1.0), (0.5, 1.0), (0.625, 0.853553), (0.75, 0.5), (0.875, 0.146447), (1.0, 0.0)]
)
def test_what_flat_cosine_leaves_is_worked_by_hand(t: float, share: float) -> None:
    assert annealing_factor("flat_cosine", t) == pytest.approx(share, rel=1e-5, abs=1e-15)
    assert annealing_factor("constant", t) == 1.0


@given(t=st.floats(0.0, 2.0))
def test_what_is_left_is_a_share_and_never_grows(t: float) -> None:
    assert 0.0 <= annealing_factor("flat_cosine", t + 0.01) <= annealing_factor("flat_cosine", t) <= 1.0


def test_warm_up_climbs_in_equal_stairs() -> None:
    result = rates(ConstantRate(peak=1.0, warmup_steps=4), TrainingLength(6, 1))
    assert result == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("cls", members(Schedule), ids=tag)
def test_warm_up_may_be_longer_than_the_training(cls: type[Any]) -> None:
    result = rates(build(cls, warmup_steps=100), TrainingLength(3, 1))
    assert all(0.0 < rate <= 0.03 for rate in result)


def test_warm_up_multiplies_whatever_the_schedule_says() -> None:
    plain, warm = StepRate(peak=1.0, every=1), StepRate(peak=1.0, every=1, warmup_steps=4)
    horizon = TrainingLength(4, 2)
    for step in range(8):
        ramp = min(1.0, (step + 1) / 4)
        assert warm.rate(step, horizon, START) == pytest.approx(ramp * plain.rate(step, horizon, START))


# --- the plateau ----------------------------------------------------------------------------------------------------


def observed(schedule: ReduceOnPlateau, values: list[float]) -> list[float]:
    """The rate of the epoch that follows each value."""
    plateau, result = START, []
    for value in values:
        plateau = schedule.observe(plateau, value)
        result.append(schedule.rate(0, TrainingLength(100, 1), plateau))
    return result


@pytest.mark.parametrize("patience", [1, 2, 3, 4])
def test_the_plateau_waits_exactly_its_patience_each_time(patience: int) -> None:
    plateau, factors = START, []
    for _ in range(1 + 2 * patience):
        plateau = ReduceOnPlateau(peak=1.0, factor=0.5, patience=patience).observe(plateau, 1.0)
        factors.append(plateau.factor)
    assert factors == [1.0] * patience + [0.5] * patience + [0.25]


def test_the_rate_falls_after_patience_epochs_without_a_better_value() -> None:
    # 5, 4 get better; 4, 4 do not: after the second of them the rate falls, and so again after two more
    schedule = ReduceOnPlateau(peak=1.0, factor=0.1, patience=2)
    result = observed(schedule, [5.0, 4.0, 4.0, 4.0, 9.0, 9.0, 3.0, 3.0])
    assert result == pytest.approx([1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.01])


def test_a_better_value_starts_the_wait_anew() -> None:
    schedule = ReduceOnPlateau(peak=1.0, factor=0.5, patience=2)
    assert observed(schedule, [5.0, 6.0, 4.0, 5.0, 3.0, 4.0]) == [1.0] * 6


def test_a_gain_below_min_delta_is_none() -> None:
    schedule = ReduceOnPlateau(peak=1.0, factor=0.5, patience=1, min_delta=0.5)
    assert observed(schedule, [5.0, 4.6, 4.4]) == [1.0, 0.5, 0.5]  # 4.6 is no gain, 4.4 is one on 5


def test_the_rate_never_falls_below_final() -> None:
    schedule = ReduceOnPlateau(peak=1.0, factor=0.1, patience=1, final=0.03)
    assert observed(schedule, [1.0] * 5) == pytest.approx([1.0, 0.1, 0.03, 0.03, 0.03])


def test_no_number_counts_as_no_gain() -> None:
    schedule = ReduceOnPlateau(peak=1.0, factor=0.5, patience=2)
    assert observed(schedule, [nan, nan, inf, inf]) == [1.0, 0.5, 0.5, 0.25]


def test_observing_makes_a_new_plateau_and_changes_none() -> None:
    schedule, before = ReduceOnPlateau(peak=1.0, patience=1), PlateauState(best=2.0, waited=0, factor=0.5)
    assert schedule.observe(before, 3.0) == PlateauState(best=2.0, waited=0, factor=0.25)
    assert before == PlateauState(best=2.0, waited=0, factor=0.5)


@pytest.mark.parametrize("cls", [c for c in members(Schedule) if c is not ReduceOnPlateau], ids=tag)
def test_all_others_never_look_at_the_results(cls: type[Any]) -> None:
    schedule: ScheduleBase = build(cls)
    assert schedule.observe(START, 3.0) is START


# --- all of them ----------------------------------------------------------------------------------------------------


def build(cls: type[Any], **options: Any) -> Any:
    return cls(peak=1.0, **options)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[ScheduleBase, float, float]:
    """A schedule with the bounds of its rate."""
    high = draw(st.floats(1e-6, 10.0))
    low = draw(st.floats(0.0, 1.0)) * high
    shrink = draw(st.floats(0.05, 0.99))
    every: list[tuple[ScheduleBase, float]] = [
        (ConstantRate(peak=high), high),
        (StepRate(peak=high, factor=shrink, every=draw(st.integers(1, 5))), 0.0),
        (ExponentialRate(peak=high, decay=shrink), 0.0),
        (CosineRate(peak=high, final=low), low),
        (FlatCosineRate(peak=high, final=low), low),
        (CoslogRate(peak=high, cycles=draw(st.integers(1, 6))), 0.0),
        (OneCycleRate(peak=high), high / 10_000.0),
        (ReduceOnPlateau(peak=high, factor=shrink, patience=draw(st.integers(1, 3)), final=low), low),
    ]
    assert {type(schedule) for schedule, _ in every} == set(members(Schedule))
    schedule, bound = draw(st.sampled_from(every))
    return schedule, bound, high


@given(
    case=schedules(),
    epochs=st.integers(1, 20),
    steps=st.integers(1, 9),
    warmup_steps=st.integers(0, 12),
    values=st.lists(st.floats(0.0, 1.0), min_size=20, max_size=20),
)
def test_the_rate_is_positive_finite_and_within_its_bounds(
    case: tuple[ScheduleBase, float, float], epochs: int, steps: int, warmup_steps: int, values: list[float]
) -> None:
    schedule, low, high = case
    horizon, plateau = TrainingLength(epochs, steps), START
    warm = schedule.model_copy(update={"warmup_steps": warmup_steps})
    for epoch in range(epochs):
        for step in range(epoch * steps, (epoch + 1) * steps):
            rate = warm.rate(step, horizon, plateau)
            assert math.isfinite(rate)
            assert 0.0 < rate <= high * (1.0 + 1e-12)
            if step >= warmup_steps:
                assert rate >= low * (1.0 - 1e-12)
        plateau = schedule.observe(plateau, values[epoch])


@pytest.mark.parametrize("cls", members(Schedule), ids=tag)
def test_a_horizon_of_one_step_has_a_rate(cls: type[Any]) -> None:
    (rate,) = rates(build(cls), TrainingLength(1, 1))
    first = {"one_cycle": 0.04, "coslog": (1.0 - cos(2.0 * pi * 0.0875)) / 2.0}  # at t = 1/2: log2 8.5 = 3.0875
    assert rate == pytest.approx(first.get(tag(cls), 1.0), rel=1e-3)


@pytest.mark.parametrize("cls", members(Schedule), ids=tag)
def test_the_rate_is_a_function_of_its_arguments_alone(cls: type[Any]) -> None:
    schedule, horizon = build(cls, warmup_steps=2), TrainingLength(3, 4)
    forwards = rates(schedule, horizon)
    backwards = [schedule.rate(step, horizon, START) for step in reversed(range(horizon.steps))]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("cls", [StepRate, ExponentialRate, CosineRate])
def test_the_batch_size_changes_the_steps_and_not_the_rate_at_the_start_of_an_epoch(cls: type[Any]) -> None:
    schedule = build(cls)
    for epoch in range(12):
        few, many = (schedule.rate(epoch * n, TrainingLength(12, n), START) for n in (3, 30))
        assert few == pytest.approx(many, rel=1e-12)


# --- how a schedule is written --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        (0.1, ConstantRate(peak=0.1)),
        (1, ConstantRate(peak=1.0)),
        ({"type": "cosine", "peak": 0.1, "warmup_steps": 5}, CosineRate(peak=0.1, final=0.0, warmup_steps=5)),
        ({"type": "one_cycle", "peak": 0.1}, OneCycleRate(peak=0.1)),
        ("coslog", CoslogRate()),
    ],
)
def test_a_number_is_a_constant_rate_and_a_name_a_schedule_with_its_defaults(text: Any, schedule: ScheduleBase) -> None:
    assert TypeAdapter(Schedule).validate_python(text) == schedule


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -0.1,
        True,
        inf,
        nan,
        "0.1",
        {"type": "cosine"},
        {"type": "step", "peak": 0.1, "factor": 1.0},
        {"type": "step", "peak": 0.1, "every": 0},
        {"type": "exponential", "peak": 0.1, "decay": 0.0},
        {"type": "one_cycle", "initial": 0.1},
        {"type": "one_cycle", "peak": 0.1, "pct_start": 1.0},
        {"type": "flat_cosine", "initial": 0.1},
        {"type": "flat_cosine", "peak": 0.1, "final": 0.2},
        {"type": "coslog", "peak": 0.1, "cycles": 0},
        {"type": "constant", "peak": 0.1, "warmup_steps": -1},
        {"type": "constant", "peak": 0.1, "warmup_steps": 1.0},
        {"type": "reduce_on_plateau", "peak": 0.1, "patience": 0},
    ],
)
def test_what_is_no_schedule_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Schedule).validate_python(wrong)


@pytest.mark.parametrize("schedule", [CosineRate, ReduceOnPlateau])
def test_a_final_rate_above_the_first_is_refused(schedule: type[CosineRate] | type[ReduceOnPlateau]) -> None:
    with pytest.raises(ValueError, match="must not be above"):
        schedule(peak=0.01, final=0.1)


def test_a_divisor_below_one_would_put_the_peak_below_the_ends_and_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        OneCycleRate(peak=0.1, start_divisor=0.5)
