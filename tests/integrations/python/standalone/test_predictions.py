from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nncli.integrations.python.standalone import predictions
from nncli.integrations.python.standalone.predictions import Predictor
from nncli.nn.program.inputs import DateInput, NumberInput, TextInput
from tests.runtimes.hostile import category_input, program_of

COLUMNS = (
    NumberInput("age", lowest=0.0, highest=90.0),
    category_input("city", ["Oslo", "Rome"]),
    DateInput("since", ("%d.%m.%Y", "iso")),
    TextInput("review", ("good", "not good")),
)
ROW: dict[str, Any] = {"age": 41, "city": "Oslo", "since": "31.12.2020", "review": "not good"}
OTHER: dict[str, Any] = {"age": None, "city": "Bergen", "since": "2021-01-01", "review": None}
CLASSES, NUMBERS = Predictor(program_of(COLUMNS, ["no", "yes"])), Predictor(program_of(COLUMNS, targets=["a", "b"]))


def test_a_row_rows_columns_and_frames_have_the_same_predictions() -> None:
    rows = [ROW, OTHER]
    answers = CLASSES.predict(rows)
    assert [sorted(answer) for answer in answers] == [["prediction", "proba_no", "proba_yes"]] * 2
    assert answers[0]["prediction"] in ("no", "yes")
    assert [CLASSES.predict(row) for row in rows] == [pytest.approx(answer) for answer in answers]
    columns = {name: [row[name] for row in rows] for name in ROW}
    for table in (columns, pd.DataFrame(rows), pl.DataFrame(rows)):
        result = CLASSES.predict(table)
        assert {title: values.tolist() for title, values in result.items()} == {
            title: [answer[title] for answer in answers] for title in answers[0]
        }


def test_arrays_and_columns_of_float32_are_read() -> None:
    ages = np.array([41.0, np.nan], np.float32)
    columns = {"age": ages, "city": np.array(["Oslo", "Rome"]), "since": np.array(["2020-12-31", "NaT"], "M8[ns]")}
    result = NUMBERS.predict(columns | {"review": ["good", None]})
    rows = [{**ROW, "review": "good"}, {"age": None, "city": "Rome", "since": None, "review": None}]
    assert list(result) == ["prediction_a", "prediction_b"]
    assert result["prediction_b"].tolist() == [answer["prediction_b"] for answer in NUMBERS.predict(rows)]
    category = Predictor(program_of([category_input("x", ["0.1", "y"])]))
    narrow = pl.DataFrame({"x": pl.Series([0.1], dtype=pl.Float32)})
    assert category.predict(narrow)["prediction"].tolist() == [category.predict({"x": "0.1"})["prediction"]]


def test_no_rows_have_no_predictions() -> None:
    assert CLASSES.predict([]) == []
    assert {title: len(values) for title, values in NUMBERS.predict({name: [] for name in ROW}).items()} == {
        "prediction_a": 0,
        "prediction_b": 0,
    }


def test_rows_are_predicted_in_blocks_with_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**ROW, "age": age} for age in range(50)]
    whole = CLASSES.predict(rows)
    monkeypatch.setattr(predictions, "BLOCK_ROWS", 7)
    assert [answer["proba_no"] for answer in CLASSES.predict(rows)] == pytest.approx(
        [answer["proba_no"] for answer in whole], rel=1e-12
    )
    with pytest.raises(ValueError, match=r"^row 45, column 'age': 'x'"):
        CLASSES.predict([*rows[:44], {**ROW, "age": "x"}])


def test_columns_that_are_no_inputs_are_ignored() -> None:
    assert CLASSES.predict({**ROW, "x": object()}) == CLASSES.predict(ROW)
    assert CLASSES.predict([{**ROW, "x": 1}, ROW]) == CLASSES.predict([ROW, ROW])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"age": 1}, "^column 'city' is missing; found 'age'"),
        ([ROW, {"age": 1}], "^row 2: column 'city' is missing"),
        ([ROW, 3], "^row 2: expected a dict such as .*, found 3$"),
        ({**ROW, "age": [1]}, "some values are cells and some are columns"),
        ({name: [None] * (1 + (name == "city")) for name in ROW}, "^column 'city' has 2 cells; expected 1"),
        (pl.DataFrame({"age": [1]}), "^column 'city' is missing; found 'age'"),
        (pd.DataFrame({"age": [1]}), "^column 'city' is missing; found 'age'"),
        ([ROW, {**ROW, "since": "01/02/03"}], "^row 2, column 'since': '01/02/03' is not a date"),
    ],
)
def test_what_cannot_be_read_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLASSES.predict(rows)


def test_other_columns_of_a_frame_do_not_matter() -> None:
    frame = pl.DataFrame([{"id": 7, **ROW}])
    assert CLASSES.predict(frame)["prediction"].tolist() == [CLASSES.predict(ROW)["prediction"]]


@pytest.mark.parametrize("labels", [(), ("no", "yes")])
def test_a_number_whose_scaled_value_overflows_is_refused_by_name(labels: tuple[str, ...]) -> None:
    predictor = Predictor(program_of((NumberInput("first"), *COLUMNS), labels, overflow=True))
    row = {"first": 5, **ROW}
    with pytest.raises(ValueError, match=r"^row 2, column 'age': -1e\+300 is too far .*; they are from 0 to 90$"):
        predictor.predict([row, {**row, "age": -1e300}])
