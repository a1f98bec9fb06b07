"""Several labels: how columns of yes and no, and cells of separated labels, are read, decided and printed."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.nn.losses import BinaryCrossEntropyLoss
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import build, run_nodes
from nncli.nn.program.values import Builder, join
from nncli.targets.decision import LabelThresholds
from nncli.targets.labels import MultilabelTarget
from nncli.targets.output_columns import OutputNodes
from nncli.targets.threshold_goals import HighestF1
from tests.nn.program.support import answers_of


def table(**columns: Any) -> Table:
    return Table(pl.DataFrame(columns), "t.csv")


@pytest.mark.parametrize(
    "cells",
    [
        [1, 0, None],
        [1.0, 0.0, None],
        [True, False, None],
        ["yes", "no", None],
        ["Ja", " nein", None],
        ["1.0", "0", None],
        ["TRUE", "false", None],
    ],
)
def test_yes_and_no_are_read_in_any_spelling(cells: list[Any]) -> None:
    rows = table(a=cells, b=["no", "no", "yes"])
    target = MultilabelTarget.fit(rows, ("a", "b"))
    np.testing.assert_array_equal(target.read(rows), [[1.0, 0.0], [0.0, 0.0], [nan, 1.0]])
    assert target.labels == target.names == target.output_names == ("a", "b")


@pytest.mark.parametrize("separator", ["|", ";", ","])
def test_labels_of_a_cell_are_separated(separator: str) -> None:
    rows = table(tags=[f"b{separator} a", None, f"a{separator}{separator}a", "c ", separator])
    target = MultilabelTarget.fit(rows, ("tags",))
    assert (target.labels, target.separator) == (("a", "b", "c"), separator)
    assert target.read(rows).tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
    predicted = Predictions(target, np.array([[0.9, 0.5, 0.1], [0.0, 0.2, 0.3]]))
    assert predicted.frame()["prediction"].to_list() == [f"a{separator}b", ""]


def test_the_first_separator_that_occurs_is_that_of_the_column() -> None:
    target = MultilabelTarget.fit(table(tags=["x, y|z", "z"]), ("tags",))
    assert target.labels == ("x, y", "z")


@pytest.mark.parametrize(
    ("cells", "row", "other"),
    [
        (["a|b", "b", "a;b"], 3, 1),
        (["b;a", "a|b"], 1, 2),
        (["a", "a|b", "c;a"], 3, 2),  # c is in no other cell
        (["a|b", "b|a;b"], 2, 1),
        (["a;b", "a, b"], 2, 1),
        (["a|b", "b ;"], 2, 1),
    ],
)
def test_cells_with_different_separators_are_refused_with_both_rows(cells: list[str], row: int, other: int) -> None:
    with pytest.raises(DataError) as caught:
        MultilabelTarget.fit(table(tags=cells), ("tags",))
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (row, "tags")
    assert f"row {other}" in caught.value.message
    assert repr(cells[other - 1]) in caught.value.message


@pytest.mark.parametrize("cells", [["x, y|z", "x, y", "z"], ["a, c|b", "a"], ["a|b", "c; d", "c; d|a"]])
def test_a_label_with_another_mark_is_one_if_its_parts_are_none(cells: list[str]) -> None:
    assert MultilabelTarget.fit(table(tags=cells), ("tags",)).separator == "|"
    note = MultilabelTarget.note(table(tags=cells), ("tags",))
    assert note is not None
    assert "is one label" in note


def test_a_row_without_any_cell_is_left_out_of_columns_and_kept_of_tags() -> None:
    rows = table(a=[1, None, None], b=[None, None, 0], tags=["x|y", None, None], none=[None, None, None])
    assert MultilabelTarget.rows_with_target(rows, ("a", "b")).tolist() == [0, 2]
    assert MultilabelTarget.rows_with_target(rows, ("tags",)).tolist() == [0, 1, 2]
    assert not len(MultilabelTarget.rows_with_target(table(t=["", ""]).take(np.array([], int)), ("t",)))
    with_none = table(tags=pl.Series([None, None], dtype=pl.String))
    assert not len(MultilabelTarget.rows_with_target(with_none, ("tags",)))


@pytest.mark.parametrize(
    ("columns", "row", "column"),
    [
        ({"a": ["yes", "maybe"], "b": [1, 0]}, 2, "a"),
        ({"a": [1, 0], "b": [0, 2]}, 2, "b"),
        ({"tags": ["x", "y"]}, None, "tags"),
        ({"tags": ["x|x", "x"]}, None, "tags"),
    ],
)
def test_other_cells_are_refused(columns: dict[str, Any], row: int | None, column: str) -> None:
    with pytest.raises(DataError) as caught:
        MultilabelTarget.fit(table(**columns), tuple(columns))
    assert caught.value.location is not None
    assert (caught.value.location.row, caught.value.location.column) == (row, column)
    assert caught.value.hint


def test_a_label_that_did_not_occur_names_its_row() -> None:
    target = MultilabelTarget.fit(table(tags=["a|b"]), ("tags",))
    rows = table(tags=["a", "b|c"])
    with pytest.raises(DataError) as caught:
        target.read(rows)
    assert caught.value.location is not None
    assert caught.value.location.row == 2
    ((name, errors),) = target.cell_errors(rows)
    assert (name, errors[0].rows.tolist()) == ("tags", [1])
    assert target.monitoring().truth(rows) is not None


def test_a_hash_depends_on_the_labels_and_not_on_their_spelling() -> None:
    target = MultilabelTarget.fit(table(tags=["a|b|c"]), ("tags",))
    (hashes,) = target.hash_cells(table(tags=["a|b", "b | a", "a", "c", None]))
    assert hashes[0] == hashes[1]
    assert len({*hashes.tolist()}) == 4
    columns = MultilabelTarget.fit(table(a=[1, 0], b=[0, 1]), ("a", "b"))
    first, other = (columns.hash_cells(table(a=cells, b=[0, 1])) for cells in ([1, None], ["yes", None]))
    np.testing.assert_array_equal(first, other)


THRESHOLDS = LabelThresholds(labels=("a", "b"), thresholds=(0.2, 0.9), goal=HighestF1())


def test_thresholds_decide_each_label_and_are_inclusive() -> None:
    target = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
    P = np.array([[0.2, 0.9], [0.5, 0.5], [nan, 0.1]])
    assert target.decision_rule.codes(P, None).tolist() == [[0, 1], [1, 1], [0, 0]]
    assert target.decision_rule.codes(P, THRESHOLDS).tolist() == [[1, 1], [1, 0], [0, 0]]
    assert THRESHOLDS.fits(("a", "b"))
    assert not THRESHOLDS.fits(("b", "a"))
    assert Predictions(target, P[:2], decision=THRESHOLDS).frame()["prediction"].to_list() == ["a|b", "a"]


@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.0])
def test_a_program_computes_temperatures_and_decisions_as_predictions_do(temperature: float) -> None:
    target = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
    P = np.array([[0.2, 0.9], [0.5, 0.999], [1e-30, 1.0], [nan, 0.1]])
    builder = Builder()
    columns = [builder.input(NumberInput(name)) for name in ("x", "y")]
    p = join(columns)
    value = p if temperature == 1.0 else target.calibration.lower(p, temperature)
    codes = target.lower_codes(value, THRESHOLDS)
    outputs = target.program_outputs(OutputNodes(value.position, codes.position))
    program = build(builder, outputs, "float64")
    computed = run_nodes(program, [P[:, :1], P[:, 1:]])
    predictions = Predictions(target, P, decision=THRESHOLDS).with_temperature(temperature)
    expected = pl.DataFrame(target.program_columns(predictions))
    assert expected.columns == [column.title for column in program.outputs]
    for title, cells in answers_of(program, computed).items():
        np.testing.assert_allclose(cells, expected[title].to_numpy(), rtol=1e-12)


def test_a_temperature_scales_the_log_odds() -> None:
    target = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
    scaled = target.calibration.at(np.array([[0.8, 0.5]]), 2.0)
    assert scaled[0].tolist() == pytest.approx([2.0 / 3.0, 0.5])  # odds of 4 become 2


def test_the_baseline_is_the_share_of_the_rows_that_have_a_label_or_not() -> None:
    target = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
    y = np.array([[1.0, nan], [0.0, 1.0], [nan, 1.0]])
    assert target.baseline(y, None).tolist() == [0.5, 1.0]
    assert target.baseline(y, np.array([3.0, 1.0, 1.0])).tolist() == [0.75, 1.0]
    losses = target.row_losses(BinaryCrossEntropyLoss(), np.full((3, 2), 0.5), y, 1.0)
    np.testing.assert_allclose(losses, np.log(2.0))


def test_only_whole_targets_and_truths_of_zero_and_one_are_read_from_files() -> None:
    target = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
    target.check_truth(np.array([[0.0, nan], [1.0, 1.0]]), 2)
    for y in (np.array([[0.5, 1.0]]), np.array([[0.0]]), np.array([[0, 1]])):
        with pytest.raises(ValueError, match="y"):
            target.check_truth(y, 1)
    assert MultilabelTarget.model_validate_json(target.model_dump_json()) == target
    assert not MultilabelTarget(names=("tags",), labels=("a", "b")).is_whole
