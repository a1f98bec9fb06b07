"""Columns of intervals and sets."""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.models.conformal.predictor import ConformalPredictions, sets_as_text
from nncli.models.predictions import Predictions
from nncli.targets.classes import ClassificationTarget
from nncli.targets.conformal import Interval, PredictionSets
from nncli.targets.number import RegressionTarget


def test_several_targets_have_columns_of_their_own() -> None:
    target = RegressionTarget(names=("a", "b"), centers=(0.0, 0.0), scales=(1.0, 1.0))
    values = np.array([[1.0, 2.0]])
    frame = ConformalPredictions(Predictions(target, values), (Interval(0.955, values - 1, values + 1),)).frame()
    assert frame.to_dicts() == [
        {
            "prediction_a": 1.0,
            "prediction_b": 2.0,
            "lower_95.5_a": 0.0,
            "upper_95.5_a": 2.0,
            "lower_95.5_b": 1.0,
            "upper_95.5_b": 3.0,
        }
    ]


def test_a_set_has_the_labels_in_their_type_and_may_be_empty() -> None:
    target = ClassificationTarget(name="y", labels=("1", "2", "10"), label_type="integer")
    included = np.array([[True, False, True], [False, False, False]])
    predictions = Predictions(target, np.array([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3]]))
    frame = ConformalPredictions(predictions, (PredictionSets(0.9, included),)).frame()
    assert frame["set_90"].to_list() == [[1, 10], []]
    assert frame.schema["set_90"] == pl.List(pl.Int64)
    none = Predictions(target, np.empty((0, 3)))
    empty = ConformalPredictions(none, (PredictionSets(0.9, np.empty((0, 3), np.bool_)),)).frame()
    assert empty.schema == frame.schema


def test_sets_as_text_can_be_split_again() -> None:
    frame = pl.DataFrame({"set_90": [["a|b", "c\\"], [], ["d"]], "kept": [["x"], ["y"], []]})
    text = sets_as_text(frame, ["set_90"])
    assert text["set_90"].to_list() == [r"a\|b|c\\", "", "d"]
    assert text["kept"].to_list() == frame["kept"].to_list()
