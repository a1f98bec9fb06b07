"""Levels and options that fit a model, and those that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.base.errors import UsageError
from nncli.models.conformal.options import UncertaintyOptions
from nncli.targets.target import ClassificationTarget, RegressionTarget

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
CLASSES = ClassificationTarget(name="y", labels=("a", "b"))


@pytest.mark.parametrize(
    "options",
    [
        UncertaintyOptions.of(0.0),
        UncertaintyOptions.of([0.9, 1.0]),
        UncertaintyOptions.of(90),
        UncertaintyOptions.of(float("nan")),
        UncertaintyOptions.of(sets=0.9),
        UncertaintyOptions.of(0.9, per_class=True),
        UncertaintyOptions.of(0.9, score="aps"),
        UncertaintyOptions.of(by="g"),
        UncertaintyOptions.of(0.9, by="y"),
    ],
)
def test_what_does_not_fit_a_regression_is_refused(options: UncertaintyOptions) -> None:
    with pytest.raises(UsageError) as caught:
        options.check(NUMBER)
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        UncertaintyOptions.of(0.9),
        UncertaintyOptions.of(sets=1.5),
        UncertaintyOptions.of(sets=0.9, by="y"),
        UncertaintyOptions.of(sets=0.9, by="g", per_class=True),
        UncertaintyOptions.of(sets=0.9, score="raps"),  # type: ignore[arg-type]
        UncertaintyOptions.of(per_class=True),
    ],
)
def test_what_does_not_fit_classes_is_refused(options: UncertaintyOptions) -> None:
    with pytest.raises(UsageError) as caught:
        options.check(CLASSES)
    assert caught.value.hint


def test_levels_are_distinct_and_in_order() -> None:
    assert UncertaintyOptions.of([0.9, 0.5, 0.9]).levels == (0.9, 0.5)
    assert len(UncertaintyOptions.of([0.3, 0.1 + 0.2]).levels) == 1
    UncertaintyOptions.of([0.9, 0.5], by="g").check(NUMBER)
    UncertaintyOptions.of(sets=0.9, per_class=True, score="aps").check(CLASSES)


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
    assert UncertaintyOptions.of(levels).levels == UncertaintyOptions.of(sets=levels).levels == expected
