from __future__ import annotations

import shlex

import numpy as np
import polars as pl
import pytest
import yaml

from nncli.config.schema import Config
from nncli.data.encoders.target import RegressionTarget
from nncli.data.table import Table
from nncli.pipeline.prepare.notes import (
    ambiguous_dates,
    constant_target,
    note_units,
    random_split,
    time_feature,
    two_valued_target,
    unreachable_targets,
)

TARGET = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))


def test_columns_with_the_same_unit_share_a_note() -> None:
    notes = note_units([("price", "$"), ("cost", "$"), ("share", "%"), ("plain", None)])
    assert len(notes) == 2
    assert "'price'" in notes[0]
    assert "'cost'" in notes[0]
    assert "'share'" in notes[1]


@pytest.mark.parametrize(("y", "noted"), [([0, 1, 1], True), ([3, 7, 3], True), ([0, 1, 2], False), ([0.5, 1], False)])
def test_a_target_of_two_whole_numbers_is_noted(y: list[float], noted: bool) -> None:
    assert (two_valued_target(TARGET, np.array(y)[:, None]) is not None) is noted


@pytest.mark.parametrize(("y", "noted"), [([0.2, 0.8], False), ([0.2, 1.8], True)])
def test_targets_outside_the_range_of_the_output_are_noted(y: list[float], noted: bool) -> None:
    config = Config.model_validate(
        {"data": {"path": "t.csv", "target": "y"}, "output_activation": "sigmoid", "loss": "mse"}
    )
    assert (unreachable_targets(config, np.array(y)) is not None) is noted


@pytest.mark.parametrize(("cell", "noted"), [("03/04/2024", True), ("word", False)])
def test_ambiguous_dates_are_noted(cell: str, noted: bool) -> None:
    table = Table(pl.DataFrame({"d": [cell, "05/06/2024" if noted else "other"]}), "t.csv")
    assert (ambiguous_dates(table, "d") is not None) is noted


def test_wording() -> None:
    assert constant_target("y", "3")[0] == "the target 'y' is '3' in all rows, so there is nothing to learn"
    assert note_units([("share", "%")]) == ["'share' is read as numbers without their %: 12 % is 12"]


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
    note = random_split(config(), [name])
    assert note is not None
    option = shlex.split(note.partition("--set ")[2])[0]
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
