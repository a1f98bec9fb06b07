"""Levels and options that fit a model, and those that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.base.errors import UsageError
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
CLASSES = ClassificationTarget(name="y", labels=("a", "b"))


@pytest.mark.parametrize(
    "options",
    [
        UncertaintyOptions(interval=0.0),
        UncertaintyOptions(interval=[0.9, 1.0]),
        UncertaintyOptions(interval=90),
        UncertaintyOptions(interval=float("nan")),
        UncertaintyOptions(prediction_set=0.9),
        UncertaintyOptions(interval=0.9, per_class=True),
        UncertaintyOptions(interval=0.9, conformity_score="aps"),
        UncertaintyOptions(by="g"),
        UncertaintyOptions(interval=0.9, by="y"),
    ],
)
def test_what_does_not_fit_a_regression_is_refused(options: UncertaintyOptions) -> None:
    with pytest.raises(UsageError) as caught:
        options.check(NUMBER)
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        UncertaintyOptions(interval=0.9),
        UncertaintyOptions(prediction_set=1.5),
        UncertaintyOptions(prediction_set=0.9, by="y"),
        UncertaintyOptions(prediction_set=0.9, by="g", per_class=True),
        UncertaintyOptions(per_class=True),
    ],
)
def test_what_does_not_fit_classes_is_refused(options: UncertaintyOptions) -> None:
    with pytest.raises(UsageError) as caught:
        options.check(CLASSES)
    assert caught.value.hint


def test_levels_are_distinct_and_in_order() -> None:
    assert UncertaintyOptions(interval=[0.9, 0.5, 0.9]).levels == (0.9, 0.5)
    assert len(UncertaintyOptions(interval=[0.3, 0.1 + 0.2]).levels) == 1
    UncertaintyOptions(interval=[0.9, 0.5], by="g").check(NUMBER)
    UncertaintyOptions(prediction_set=0.9, per_class=True, conformity_score="aps").check(CLASSES)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (np.float32(0.9), (0.9,)),
        ([np.float32(0.9), 0.5], (0.9, 0.5)),
        (np.array([0.9, 0.5], np.float32), (0.9, 0.5)),
        (np.array(0.95), (0.95,)),
    ],
)
def test_levels_may_be_numbers_of_numpy(levels: Any, expected: tuple[float, ...]) -> None:
    assert UncertaintyOptions(interval=levels).levels == UncertaintyOptions(prediction_set=levels).levels == expected
