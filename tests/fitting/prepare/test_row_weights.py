"""What is fitted to the training rows before the first step: a row of weight 2 counts as two rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.models.scores import baseline_predictions
from nncli.nn.training.state import TrainState

N = 90
RNG = np.random.default_rng(5)
X = RNG.normal(size=N)
COLUMNS = {
    "x": X,
    "grade": np.array(["a", "b", "c", "d"])[np.clip(np.round(X + RNG.normal(size=N)) + 1, 0, 3).astype(int)],
    "count": RNG.negative_binomial(1, 0.2, N),
    "amount": np.where(RNG.random(N) < 0.3, 0.0, RNG.exponential(3.0, N)),
    "positive": RNG.lognormal(1.0, 1.0, N),
    "years": RNG.uniform(0.5, 3.0, N),
    "months": RNG.exponential(10.0, N),
    "died": np.where(RNG.random(N) < 0.7, "yes", "no"),
    "red": np.where(RNG.random(N) < 0.2, "yes", "no"),
    "blue": np.where(RNG.random(N) < 0.6, "yes", "no"),
}
WEIGHTS = np.where(X > 0.5, 3, np.where(X < -0.5, 0, 1))
KINDS: dict[str, dict[str, Any]] = {
    "ordinal": {"target": "grade", "loss": "ordinal", "order": ["a", "b", "c", "d"]},
    "ordinal with class weights": {
        "target": "grade",
        "loss": "ordinal",
        "order": ["a", "b", "c", "d"],
        "class_weight": "balanced",
    },
    "negative_binomial": {"target": "count", "loss": "negative_binomial"},
    "zero_inflated_poisson": {"target": "count", "loss": "zero_inflated_poisson"},
    "poisson with an exposure": {"target": "count", "loss": "poisson", "exposure": "years"},
    "tweedie": {"target": "amount", "loss": "tweedie"},
    "gamma": {"target": "positive", "loss": "gamma"},
    "log_normal": {"target": "positive", "loss": "log_normal"},
    "survival": {"target": "months", "loss": {"type": "survival", "event": "died"}},
    "survival in bins": {"target": "months", "loss": {"type": "survival", "event": "died", "bins": 7}},
    "cox": {"target": "months", "loss": {"type": "cox", "event": "died"}},
    "mse": {"target": "positive", "loss": "mse", "clip_target": True},
    "mae": {"target": "positive", "loss": "mae"},
    "normal": {"target": "positive", "loss": "normal"},
    "student_t": {"target": "positive", "loss": "student_t"},
    "mixture": {"target": "positive", "loss": "mixture"},
    "quantiles": {"target": "positive", "loss": "quantiles"},
    "labels": {"target": ["red", "blue"], "loss": "binary_cross_entropy"},
    "classes": {"target": "grade", "loss": "cross_entropy"},
    "several": {
        "target": ["grade", "positive", "count"],
        "loss": {"grade": "ordinal", "positive": "normal", "count": "negative_binomial"},
        "order": ["a", "b", "c", "d"],
    },
}


def prepared(folder: Path, name: str, weights: np.ndarray | None, scratch: Scratch) -> tuple[PreparedTraining, Any]:
    """A kind of answer, ready to train: rows with weights, or each row as often as its weight says."""
    kind = KINDS[name]
    targets = [kind["target"]] if isinstance(kind["target"], str) else kind["target"]
    keys = {"order", "exposure"} & set(kind)
    event = [kind["loss"]["event"]] if isinstance(kind["loss"], dict) and "event" in kind["loss"] else []
    columns = ["x", *targets, *event, *([kind["exposure"]] if "exposure" in kind else [])]
    table = pl.DataFrame({column: COLUMNS[column] for column in columns})
    data = {"path": "t.csv", "target": kind["target"], **{key: kind[key] for key in keys}}
    if weights is None:
        table = table[np.repeat(np.arange(N), WEIGHTS)]
    else:
        table, data = table.with_columns(w=pl.Series(weights)), data | {"sample_weight": "w"}
    table.write_csv(folder / "t.csv")
    config = Config.model_validate(
        {
            "data": data | {"path": str(folder / "t.csv")},
            "loss": kind["loss"],
            "layers": [3],
            "validation": 0.0,
            "numeric_embedding": None,
            "encoding": {"clip_target": kind.get("clip_target", False)},
            **({"class_weight": kind["class_weight"]} if "class_weight" in kind else {}),
        }
    )
    training = prepare(config, scratch, with_checks=False)
    state = TrainState.create(
        training.spec.network, config.optimizer, training.streams, 1, training.fitted, training.arguments.loss
    )
    return training, state.parameters.by_name["output.bias"]


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_weight_of_two_is_a_row_twice_in_what_a_training_starts_from(tmp_path: Path, name: str) -> None:
    with Scratch(tmp_path) as scratch:
        weighted, bias = prepared(tmp_path, name, WEIGHTS, scratch)
        repeated, expected = prepared(tmp_path, name, None, scratch)
        np.testing.assert_allclose(bias, expected, rtol=1e-5, atol=1e-6)
        assert_same(weighted.spec.target.model_dump(), repeated.spec.target.model_dump())
        assert_same(weighted.spec.loss.model_dump(), repeated.spec.loss.model_dump())
        exposures = [
            column.model_dump() for column in (weighted.spec.encoder.exposure, repeated.spec.encoder.exposure) if column
        ]
        assert [values["center"] for values in exposures[:1]] == pytest.approx(
            [values["center"] for values in exposures[1:]]
        )
        loss = weighted.spec.loss
        of_weighted, of_repeated = (
            baseline_predictions(training.spec.target, training.training, training.training, loss)
            for training in (weighted, repeated)
        )
        of_exposure = [1.0 if rows.exposure is None else rows.exposure[0] for rows in (of_weighted, of_repeated)]
        for a, b in ((of_weighted.values, of_repeated.values), (of_weighted.points, of_repeated.points)):
            np.testing.assert_allclose(a[0] / of_exposure[0], b[0] / of_exposure[1], rtol=1e-6)


def assert_same(a: Any, b: Any) -> None:
    """Equal but for rounding."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-12)
    else:
        assert a == b
