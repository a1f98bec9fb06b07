"""The roles of the columns do not conflict, and text of cells is quoted."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nncli.config.schema.data import DataSection, EncodingSection
from nncli.data.dialect import CsvDialect


def data(**options: object) -> DataSection:
    return DataSection.model_validate({"path": "t.csv", "target": "y", **options})


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"features": ["y"]}, "y"),
        ({"drop": ["y"]}, "y"),
        ({"sample_weight": "y"}, "y"),
        ({"group": "y"}, "y"),
        ({"time": "y"}, "y"),
        ({"target": ["y", "y"]}, "y"),
        ({"features": ["a", "a"]}, "a"),
        ({"features": ["a"], "drop": ["a"]}, "a"),
    ],
)
def test_a_column_has_one_role(options: dict[str, object], column: str) -> None:
    with pytest.raises(ValidationError, match=f"'{column}'"):
        data(**options)


def test_a_target_is_required_and_may_be_a_list() -> None:
    assert data().target == ("y",)
    assert data(target=["y", "z"]).target == ("y", "z")
    with pytest.raises(ValidationError):
        data(target=[])


@pytest.mark.parametrize("value", [-999, -9.5, True])
def test_a_missing_value_without_quotes_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="quotes"):
        data(missing_values=[value])
    assert data(missing_values=["-999"]).missing_values == ("", "NA", "-999")


def test_missing_values_are_added_to_the_defaults_unless_these_are_left_out() -> None:
    assert data(missing_values=["?"]).missing_values == ("", "NA", "?")
    assert data(missing_values=["NA", "?", ""]).missing_values == ("NA", "?", "")
    only = data(missing_values=["?"], default_missing_values=False)
    assert only.missing_values == ("?",)
    assert type(only).model_validate(only.model_dump(exclude_none=True)) == only
    assert data(default_missing_values=False, missing_values=[]).missing_values == ()


def test_a_mark_is_either_decimal_or_thousands() -> None:
    with pytest.raises(ValidationError, match="decimal"):
        data(decimal=",", thousands=",")


def test_the_dialect_has_the_options_of_the_file() -> None:
    assert data().dialect == CsvDialect()
    assert data(separator=";", decimal=",").dialect == CsvDialect(separator=";", decimal=",")


def test_row_columns_are_those_of_weights_groups_and_times() -> None:
    assert data().row_columns == ()
    assert data(time="t", sample_weight="w").row_columns == ("w", "t")


def test_the_time_column_is_a_feature_unless_it_is_dropped_or_has_another_role() -> None:
    assert data(sample_weight="w", group="g", drop=["d"]).excluded == {"y", "w", "g", "d"}
    assert data(time="t", sample_weight="w", group="g").excluded == {"y", "w"}
    assert "t" in data(time="t", drop=["t"]).excluded
    assert "g" in data(time="t", group="g", drop=["g"]).excluded
    assert "t" in data(time="t", group="t").excluded


def test_the_target_is_scaled_by_default_and_not_clipped() -> None:
    assert (EncodingSection().target, EncodingSection().clip_target) == ("auto", False)
