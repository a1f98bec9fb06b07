"""The wording of errors about intervals and sets. It is pinned here alone: other tests check the class of the error."""

from __future__ import annotations

from typing import Any

import pytest

from nncli.base.errors import UsageError, in_terminal
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
CLASSES = ClassificationTarget(name="y", labels=("a", "b"))


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        (
            NUMBER,
            {"interval": 90},
            "--interval 90 is not a level: it must lie between 0 and 1\n  For 90 % write --interval 0.9.",
        ),
        (
            CLASSES,
            {"prediction_set": 0.0},
            "--prediction-set 0 is not a level: it must lie between 0 and 1\n  For 90 % write --prediction-set 0.9.",
        ),
        (
            NUMBER,
            {"prediction_set": 0.9},
            "--prediction-set needs a classification model; this one is for regression\n  Use --interval 0.9.",
        ),
        (
            CLASSES,
            {"interval": 0.9},
            "--interval needs a regression model; this one is for classification\n  Use --prediction-set 0.9.",
        ),
        (NUMBER, {"by": "g"}, "--by is for prediction intervals and sets\n  Add --interval 0.9."),
        (CLASSES, {"per_class": True}, "--per-class is for prediction sets of classes\n  Add --prediction-set 0.9."),
        (
            NUMBER,
            {"interval": 0.9, "conformity_score": "aps"},
            "--conformity-score is for prediction sets of classes\n  Remove --conformity-score.",
        ),
        (
            CLASSES,
            {"conformity_score": "aps"},
            "--conformity-score is for prediction sets of classes\n  Add --prediction-set 0.9.",
        ),
        (
            CLASSES,
            {"prediction_set": 0.9, "per_class": True, "by": "g"},
            "--per-class and --by exclude each other\n  Leave one of them out.",
        ),
    ],
)
def test_options_that_do_not_fit(target: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        UncertaintyOptions(**options).check(target)
    assert caught.value.on(in_terminal) == expected
