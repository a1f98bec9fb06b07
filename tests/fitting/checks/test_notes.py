from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import Location
from nncli.config.schema import Config
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.table import Table
from nncli.fitting.checks.notes import (
    check_similar_categories,
    constant_target,
    removed_units,
    short_years,
    two_valued_target,
    unreachable_targets,
    unused_date_format,
)
from nncli.targets.classes import ClassificationTarget
from nncli.targets.labels import MultilabelTarget
from nncli.targets.number import RegressionTarget
from tests.assertions import lines

TARGET = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))


def test_columns_with_the_same_unit_share_a_note() -> None:
    notes = lines(removed_units([("price", "$"), ("cost", "$"), ("share", "%"), ("plain", None)]))
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


def test_spellings_of_a_class_are_warned_of_as_those_of_a_category_are_noted() -> None:
    table = Table(pl.DataFrame({"x": ["a", "A"] * 3}), "t.csv")
    encoder = Encoder.fit(table, [("x", ColumnType.CATEGORICAL)])
    target = ClassificationTarget(name="y", labels=(" nein", "JA", "ja", "nein"))
    found = check_similar_categories(encoder, target)
    assert [(finding.level, finding.location.column) for finding in found] == [("note", "x"), ("warning", "y")]
    assert "each is a class of its own" in found[1].message
    assert len(check_similar_categories(encoder, target.model_copy(update={"labels": ("ja", "nein")}))) == 1
    assert len(check_similar_categories(encoder, TARGET)) == 1


def test_spellings_of_a_label_are_warned_of() -> None:
    encoder = Encoder.fit(Table(pl.DataFrame({"x": ["a"]}), "t.csv"), [("x", ColumnType.CATEGORICAL)])
    target = MultilabelTarget(names=("tags",), labels=("Drama", "crime", "drama"), separator="|")
    (finding,) = check_similar_categories(encoder, target)
    assert (finding.level, finding.code, finding.location.column) == ("warning", "similar-categories", "tags")
    columns = MultilabelTarget(names=("A", "a"), labels=("A", "a"))
    assert not check_similar_categories(encoder, columns)


def test_wording() -> None:
    message = "the target 'y' is '3' in all rows, so there is nothing to learn"
    assert constant_target("y", "3", Location()).message == message
    assert lines(removed_units([("share", "%")])) == ("'share' is read as numbers without their %: 12 % is 12",)


def test_a_format_of_dates_that_is_set_is_not_proposed_again_and_one_that_no_column_has_is_warned_of() -> None:
    columns = [("a", "%d.%m.%y"), ("b", "%m/%d/%y"), ("c", None)]
    assert [finding.message.split("'")[1] for finding in short_years(columns, "auto")] == ["a", "b"]
    assert [finding.message.split("'")[1] for finding in short_years(columns, "%d.%m.%y")] == ["b"]
    assert unused_date_format("auto", []) == unused_date_format("%d.%m.%y", ["%Y-%m-%d", "%d.%m.%y"]) == []
    (finding,) = unused_date_format("%d/%m/%Y", ["%d.%m.%y"])
    assert (finding.level, finding.code) == ("warning", "unused-date-format")
