"""Numbers at the edge in any column of any kind of answer: a run whose files are JSON, or an error that says where.

A warning of NumPy on the way is a failure, as in every test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli import train
from nncli.base.bounds import LARGEST
from nncli.base.errors import ConfigError, DataError
from nncli.nn.training.epoch import DivergedError

N = 40
RNG = np.random.default_rng(2)
X = RNG.normal(size=N)
COLUMNS: dict[str, Any] = {
    "x": X,
    "w": RNG.uniform(0.5, 2.0, N),
    "grade": np.clip(np.round(X) + 1, 0, 2).astype(int),
    "count": RNG.negative_binomial(1, 0.2, N).astype(float),
    "amount": np.where(RNG.random(N) < 0.3, 0.0, RNG.exponential(3.0, N)),
    "price": RNG.lognormal(1.0, 1.0, N),
    "years": RNG.uniform(0.5, 3.0, N),
    "months": RNG.exponential(10.0, N) + 0.1,
    "start": np.zeros(N),
    "died": np.where(RNG.random(N) < 0.7, "yes", "no"),
    "red": np.where(np.arange(N) % 3 == 0, "yes", "no"),
    "blue": np.where(np.arange(N) % 2 == 0, "yes", "no"),
}
KINDS: dict[str, tuple[list[str], str, list[str]]] = {
    "classes": (["grade"], "cross_entropy", []),
    "ordinal": (["grade"], "ordinal", []),
    "labels": (["red", "blue"], "binary_cross_entropy", []),
    **{
        loss: (["price"], loss, ["price"])
        for loss in ("mse", "mae", "huber", "quantiles", "normal", "student_t", "mixture", "gamma", "log_normal")
    },
    **{loss: (["count"], loss, ["count"]) for loss in ("poisson", "negative_binomial", "zero_inflated_poisson")},
    "tweedie": (["amount"], "tweedie", ["amount"]),
    "poisson with an exposure": (["count"], "poisson", ["count", "years"]),
    "tweedie with an exposure": (["amount"], "tweedie", ["amount", "years"]),
    "survival": (["months"], "{type: survival, event: died}", ["months"]),
    "survival with a start": (["months"], "{type: survival, event: died, start: start}", ["months", "start"]),
    "cox": (["months"], "{type: cox, event: died}", ["months"]),
    "several": (["grade", "price", "count"], "{grade: ordinal, price: normal, count: poisson}", ["price", "count"]),
}
EXTREME = st.one_of(
    st.sampled_from([1.7e308, 1e300, 1e155, 1e153, 1e100, 1e39, 1e38, 1e31, 1e30, 1e29, 1e-30, 1e-31, 1e-300, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
).flatmap(lambda value: st.sampled_from([value, -value]))


def trained(folder: Path) -> Path | DataError | DivergedError:
    """The run, or the error."""
    try:
        return train(folder / "c.yaml", output=folder / "run").run
    except (DataError, DivergedError) as error:
        return error


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


@settings(max_examples=60)
@given(st.data(), st.sampled_from(list(KINDS)), EXTREME, st.sampled_from([[3], [0, 1, 2], range(0, N, 2), range(N)]))
def test_a_number_leads_to_a_run_of_json_or_to_an_error_that_names_its_cell(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str, value: float, rows: list[int]
) -> None:
    targets, loss, numbers = KINDS[kind]
    column = data.draw(st.sampled_from(["x", "w", *numbers]))
    has_exposure = "years" in numbers
    names = dict.fromkeys(["x", "w", *targets, *numbers, *(["died"] if "died" in loss else [])])
    cells = np.array(COLUMNS[column], np.float64)
    cells[list(rows)] = value
    folder = tmp_path_factory.mktemp("extreme")
    pl.DataFrame({name: cells if name == column else COLUMNS[name] for name in names}).write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(
        f"data: {{path: t.csv, target: [{', '.join(targets)}], sample_weight: w{', exposure: years' * has_exposure}}}\n"
        f"loss: {loss}\nlayers: [3]\nepochs: 2\nbatch_size: full\n"
    )
    outcome = trained(folder)
    if isinstance(outcome, DataError):
        assert outcome.location is not None
        assert outcome.location.column is not None
        assert outcome.location.row is not None or not value > 0.0
    elif isinstance(outcome, DivergedError):
        assert column not in ("w", "years", "start", "months")
    else:
        for file in outcome.rglob("*.json"):
            json.loads(file.read_text(), parse_constant=no_constant)


@pytest.mark.parametrize("column", ["w", "years", "months"])
@pytest.mark.parametrize("value", [1e300, LARGEST * 1.01])
def test_a_weight_an_exposure_or_a_time_that_is_too_large_is_refused_with_its_cell(
    tmp_path: Path, column: str, value: float
) -> None:
    kind = {"w": "ordinal", "years": "poisson with an exposure", "months": "cox"}[column]
    targets, loss, numbers = KINDS[kind]
    cells = np.array(COLUMNS[column])
    cells[6] = value
    names = dict.fromkeys(["x", "w", *targets, *numbers, *(["died"] if "died" in loss else [])])
    pl.DataFrame({name: cells if name == column else COLUMNS[name] for name in names}).write_csv(tmp_path / "t.csv")
    exposure = ", exposure: years" if "years" in numbers else ""
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: t.csv, target: {targets[0]}, sample_weight: w{exposure}}}\nloss: {loss}\nvalidation: 0.0\n"
    )
    with pytest.raises(DataError) as raised:
        train(tmp_path / "c.yaml", output=tmp_path / "run")
    assert raised.value.location is not None
    assert (raised.value.location.row, raised.value.location.column) == (7, column)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("numeric_embedding: {type: periodic, sigma: 1.0e+300}", "numeric_embedding.sigma"),
        ("learning_rate: 1.0e+300", "learning_rate"),
        ("learning_rate: {type: cosine, peak: 1.0e+31}", "learning_rate.peak"),
        ("target_weights: {a: 1.0e+308}", "target_weights.a"),
        ("class_weight: {a: 1.0e+308}", "class_weight.a"),
        ("init: {type: constant, value: -1.0e+300}", "init.value"),
        ("optimizer: {type: adamw, weight_decay: 1.0e+300}", "optimizer.weight_decay"),
        ("loss: {type: huber, delta: 1.0e+300}", "loss.delta"),
    ],
)
def test_a_number_of_a_key_that_is_too_large_is_refused_with_the_key(tmp_path: Path, lines: str, key: str) -> None:
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\n{lines}\n")
    with pytest.raises(ConfigError) as raised:
        train(tmp_path / "c.yaml")
    assert [issue.location.key for issue in raised.value.issues] == [key]
