"""A split at random of rows with dates is noted, and so is a time column that is a feature."""

from __future__ import annotations

import shlex

import pytest
import yaml

from nncli.config.schema import Config
from nncli.fitting.checks.rows import groups_in_time, random_split, time_feature


def config(data: str = "", **keys: object) -> Config:
    section = {"path": "t.csv", "target": "y", **yaml.safe_load(f"{{{data}}}")}
    return Config.model_validate({"data": section, **keys})


@pytest.mark.parametrize(
    ("configured", "noted"),
    [
        (config(), True),
        (config(members=3), True),
        (config(members=3, validation=0.0, bagging="bootstrap"), True),
        (config(validation={"folds": 3, "fold": 0}), True),
        (config("leave_out: {folds: 3, fold: 0}"), True),
        (config(validation=0.0), False),
        (config(members=3, validation=0.0), False),
        (config(validation={"path": "v.csv"}), False),
        (config("time: day"), False),
        (config("group: who"), False),
    ],
)
def test_a_random_split_of_rows_with_dates_is_noted(configured: Config, noted: bool) -> None:
    assert (random_split(configured, ["day", "end"]) is not None) is noted
    assert random_split(configured, []) is None


@pytest.mark.parametrize("name", ["day", "a day", "it's", "null", "a: b", "#", "[x]", 'a "b"'])
def test_the_option_of_the_note_names_the_column(name: str) -> None:
    finding = random_split(config(), [name])
    assert finding is not None
    option = shlex.split(finding.hint.partition("--set ")[2])[0]
    key, _, value = option.partition("=")
    assert (key, yaml.safe_load(value)) == ("data.time", name)


@pytest.mark.parametrize(
    ("data", "features", "noted"),
    [
        ("time: day", ["x", "day"], True),
        ("time: day", ["x"], False),
        ("time: day, features: [day]", ["day"], False),
        ("", ["day"], False),
    ],
)
def test_a_time_column_that_is_a_feature_without_being_listed_is_noted(
    data: str, features: list[str], noted: bool
) -> None:
    assert (time_feature(config(data), features) is not None) is noted


@pytest.mark.parametrize(
    ("rule", "dates", "told"),
    [("nearest_year", ["day"], True), ("nearest_year", [], False), ("extrapolate", ["day"], False)],
)
def test_the_note_says_what_becomes_of_later_dates_and_how_to_compare(rule: str, dates: list[str], told: bool) -> None:
    finding = time_feature(config("time: day", encoding={"out_of_range_dates": rule}), ["x", "day"], dates)
    assert finding is not None
    assert ("same day of an earlier year" in finding.message) is told
    assert ("--set encoding.out_of_range_dates=extrapolate" in finding.hint) is told
    assert "--drop day" in finding.hint
    assert "--set validation=0.05" in finding.hint


@pytest.mark.parametrize(
    ("configured", "noted"),
    [
        (config("time: day, group: who"), True),
        (config("time: day"), False),
        (config("group: who"), False),
        (config("time: day, group: who", validation=0.0), False),
        (config("time: day, group: who", validation={"path": "v.csv"}), False),
    ],
)
def test_groups_that_a_split_in_time_divides_are_noted(configured: Config, noted: bool) -> None:
    assert (groups_in_time(configured) is not None) is noted
