from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.integrations.python.standalone.predictions import output_columns
from nncli.models.predictions import Predictions
from nncli.nn.program.program import LabelType
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from nncli.targets.output_columns import IntervalNodes, OutputNodes
from tests.nn.program.support import classes


@pytest.mark.parametrize("names", [("y",), ("a", "b")])
def test_numbers_have_the_columns_of_predict(names: tuple[str, ...]) -> None:
    k = len(names)
    quantiles = np.arange(6.0 * k).reshape(2, k, 3)
    target = RegressionTarget(names=names, centers=(0.0,) * k, scales=(1.0,) * k)
    wanted = Predictions(target, quantiles, levels=(0.05, 0.5, 0.975)).frame()
    values = {3: quantiles[:, :, 1], 4: quantiles.reshape(2, 3 * k), 7: quantiles[:, :, 0], 8: quantiles[:, :, 2]}
    outputs = target.program_outputs(OutputNodes(3, 3, 4, (0.05, 0.5, 0.975), bounds=(IntervalNodes(0.9, 7, 8),)))
    columns = output_columns(outputs, "float64", values)
    ends = [f"{end}_90" + ("" if k == 1 else f"_{name}") for name in names for end in ("lower", "upper")]
    assert list(columns) == [*wanted.columns, *ends]
    assert [columns[title].tolist() for title in wanted.columns] == [cells.to_list() for cells in wanted]
    assert columns[ends[-1]].tolist() == quantiles[:, -1, 2].tolist()


@pytest.mark.parametrize(
    ("label_type", "labels"),
    [("text", ("a", "3")), ("integer", ("-1", "20")), ("float", ("0.5", "3.0")), ("boolean", ("false", "true"))],
)
def test_classes_have_the_columns_and_types_of_predict(label_type: LabelType, labels: tuple[str, ...]) -> None:
    P = np.array([[0.25, 0.75], [0.9, 0.1]], np.float32).astype(np.float64)
    target = ClassificationTarget(name="y", labels=labels, label_type=label_type)
    wanted = Predictions(target, P, "float32").frame(proba=True)
    outputs = target.program_outputs(OutputNodes(1, 0))
    columns = output_columns(outputs, "float32", {0: np.array([[1.0], [0.0]]), 1: P})
    result: dict[str, Any] = {title: values.tolist() for title, values in columns.items()}
    assert result == wanted.to_dict(as_series=False)
    assert pl.DataFrame(result)["prediction"].dtype == wanted["prediction"].dtype
    assert columns[f"proba_{labels[0]}"].dtype == np.float32


def test_labels_or_probabilities_may_be_left_out() -> None:
    values = {0: np.array([[1.0], [-1.0]]), 1: np.array([[0.2, 0.8], [np.nan, np.nan]])}
    label, *shares = classes("y", ("a", "b"), 0, 1)
    labels = output_columns([label], "float64", values)
    assert {title: cells.tolist() for title, cells in labels.items()} == {"prediction": ["b", None]}
    assert list(output_columns(shares, "float64", values)) == ["proba_a", "proba_b"]
