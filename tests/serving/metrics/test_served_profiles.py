"""Profiles of served rows: exact for few rows, a sample of many, of bounded memory, and never in the way of answers."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest

from nncli.data.table import Table
from nncli.serving.metrics import served_profiles
from nncli.serving.metrics.served_profiles import MAX_ROWS, ServedProfiles
from nncli.serving.models.served_model import ServedModel
from tests.serving.trained import ROWS, TARGETS, table_of

FEATURES = table_of().drop(TARGETS)
TABLE = Table(FEATURES, "rows")


@pytest.fixture
def profiles() -> Iterator[ServedProfiles]:
    """Profiles of no rows."""
    profiles = ServedProfiles()
    yield profiles
    profiles.close()


def rows_of(profiles: ServedProfiles, model: ServedModel) -> int:
    profile = profiles.profile(model)
    assert profile is not None
    return profile.rows


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["number", "quantiles", "numbers", "two", "many"])
def test_rows_added_one_by_one_have_the_profile_of_the_table(
    models: Mapping[str, ServedModel], profiles: ServedProfiles, name: str
) -> None:
    model = models[name]
    for k in range(0, 20):
        profiles.add(model, TABLE.part(k, k + 1))
    profiles.add(model, TABLE.part(20, ROWS))
    other = ServedProfiles()
    other.add(model, TABLE)
    first, all_at_once = profiles.profile(model), other.profile(model)
    other.close()
    assert first is not None
    assert all_at_once is not None
    assert first.to_json() == all_at_once.to_json()
    assert first.rows == ROWS
    histograms = profiles.current()[name].histograms
    assert {int(counts.sum()) for counts in histograms} == {ROWS}
    assert len(histograms) == (2 if name == "numbers" else 1)


def test_many_rows_are_sampled(
    models: Mapping[str, ServedModel], profiles: ServedProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServedProfiles, "_work", lambda _: None)  # the thread would make room
    large = Table(pl.concat([FEATURES] * 50), "rows")
    assert len(large) > MAX_ROWS
    profiles.add(models["number"], large)
    profiles.add(models["number"], TABLE)  # there is no room left
    profiles.add(models["two"], TABLE)  # but for another model there is
    assert rows_of(profiles, models["number"]) == MAX_ROWS
    assert rows_of(profiles, models["two"]) == ROWS


def test_long_cells_are_bounded_in_bytes(models: Mapping[str, ServedModel], profiles: ServedProfiles) -> None:
    long = Table(FEATURES.head(1).with_columns(note=pl.lit("x" * (served_profiles.MAX_BYTES // 3))), "rows")
    for _ in range(10):
        profiles.add(models["number"], long)
    assert rows_of(profiles, models["number"]) == 2


@pytest.mark.slow
def test_a_thread_profiles_what_waits(
    models: Mapping[str, ServedModel], profiles: ServedProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_profiles, "SECONDS", 0.05)
    monkeypatch.setattr(served_profiles, "LEAST_PAUSE", 0.0)
    for expected in (ROWS, 2 * ROWS):
        profiles.add(models["number"], TABLE)
        wait_for(lambda: "number" in profiles.current())
        wait_for(lambda: profiles.current()["number"].profile.rows == expected)  # noqa: B023 - waited for here


def test_threads_lose_no_row(models: Mapping[str, ServedModel], profiles: ServedProfiles) -> None:
    model = models["number"]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(profiles.add, model, TABLE.part(0, 5)) for _ in range(200)]:
            done.result()
        taken = [done.result() for done in [pool.submit(profiles.profile, model, take=True) for _ in range(4)]]
    assert sum(profile.rows for profile in taken if profile is not None) == 1_000
    assert rows_of(profiles, model) == 0


def test_the_next_version_of_a_model_has_a_profile_of_its_own(
    models: Mapping[str, ServedModel], profiles: ServedProfiles
) -> None:
    old, new = models["two"], replace(models["many"], name="two")
    profiles.add(old, TABLE)
    assert rows_of(profiles, old) == ROWS
    assert rows_of(profiles, new) == 0
    profiles.add(new, TABLE.part(0, 7))
    assert rows_of(profiles, new) == 7
    assert rows_of(profiles, old) == 0


def test_the_same_run_loaded_again_goes_on(models: Mapping[str, ServedModel], profiles: ServedProfiles) -> None:
    profiles.add(models["two"], TABLE)
    again = ServedModel.load("two", models["two"].run.path)
    profiles.add(again, TABLE)
    assert rows_of(profiles, again) == 2 * ROWS


def test_true_values_that_cannot_be_read_are_left_out(
    models: Mapping[str, ServedModel], profiles: ServedProfiles
) -> None:
    rows = FEATURES.with_columns(y=pl.lit("unknown"), two=pl.lit("perhaps"))
    for name in ("number", "two"):
        profiles.add(models[name], Table(rows, "rows"))
        assert rows_of(profiles, models[name]) == ROWS


def test_a_fault_is_logged_and_ends_nothing(
    models: Mapping[str, ServedModel], profiles: ServedProfiles, caplog: pytest.LogCaptureFixture
) -> None:
    profiles.add(models["number"], Table(FEATURES.select("x"), "rows"))
    assert rows_of(profiles, models["number"]) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    profiles.add(models["number"], TABLE)
    assert rows_of(profiles, models["number"]) == ROWS


def test_nothing_is_kept_after_the_end(models: Mapping[str, ServedModel]) -> None:
    profiles = ServedProfiles()
    profiles.add(models["number"], TABLE)
    profiles.close()
    profiles.add(models["number"], TABLE)
    profiles.close()


def test_rows_that_wait_do_not_keep_the_model_of_a_version_that_was_replaced(
    models: Mapping[str, ServedModel], profiles: ServedProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_profiles, "SECONDS", 60.0)
    former = replace(models["number"])
    is_freed = weakref.ref(former)
    profiles.add(former, TABLE)
    del former
    newer = replace(models["number"], manifest=models["numbers"].manifest)
    profiles.add(newer, TABLE)
    assert is_freed() is None
    assert rows_of(profiles, newer) == ROWS
