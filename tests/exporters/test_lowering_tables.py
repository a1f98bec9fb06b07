"""The programs of trained models against their predictions, for tables of every kind of column and every option."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nncli.base.errors import CellError, Location
from nncli.exporters.lowering import lower_model
from nncli.exporters.parity import compare
from nncli.integrations.python.standalone.predictions import Predictor
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.read_table import table_of as table_to_predict
from nncli.nn.activations import ElementwiseActivation
from nncli.nn.losses.amounts import AmountLoss
from tests.exporters.trained import HOSTILE, new_rows, table_of, trained
from tests.unions import members, plain_losses, tag

NAMES = ["age", *HOSTILE[:11]]
AMOUNTS = [tag(cls) for cls in plain_losses() if issubclass(cls, AmountLoss)]
ACTIVATIONS = [tag(cls) for cls in members(ElementwiseActivation)]


UNSCALED_ULP = 1000
"""Units in the last place of float32 that predictions from numbers of any size may differ by: their sums cancel."""


def assert_same(model: AnyModel, rows: pl.DataFrame, max_ulp: int = 1) -> None:
    """Assert that the program of a model, with cells read by NumPy alone, has its predictions and refuses its rows."""
    predictor = Predictor(lower_model(model))
    while (place := first_refused(model, rows)) is not None:
        row = place.row or 0
        with pytest.raises(ValueError, match=f"^row {row}, column ") as caught:
            predictor.predict(rows[:row])
        assert repr(place.column) in str(caught.value)
        rows = rows.filter(pl.int_range(pl.len()) != row - 1)
    assert rows.height > 40
    with np.errstate(all="ignore"):  # as `nncli predict` does
        predicted = model.predict(table_to_predict(model, rows))
    result = compare(
        predicted,
        pl.DataFrame(predicted.target.program_columns(predicted)),
        pl.DataFrame(predictor.predict(rows)),
        max_ulp,
        str,
        [column.title for column in predictor.program.outputs if column.role == "class"],
    )
    assert result.is_match, result


def first_refused(model: AnyModel, rows: pl.DataFrame) -> Location | None:
    """The cell that `predict` refuses first."""
    try:
        with np.errstate(all="ignore"):
            model.predict(table_to_predict(model, rows))
    except CellError as error:
        return error.location
    return None


TASKS = st.sampled_from(("number", "numbers", "two", "three", "codes"))
FOR_CLASSES = ("two", "three", "codes")
LAYERS = (
    *("batch_norm", "layer_norm", "scale", {"type": "dropout", "rate": 0.1}, 5),
    *({"type": "activation", "activation": "selu"}, {"type": "parametric_activation", "activation": "mish"}),
    {"type": "residual", "layers": [4, "layer_norm", {"type": "dense", "units": "WIDTH", "activation": "tanh"}]},
)


def layers_of(names: list[Any], width: int = 5) -> list[Any]:
    """The layers, each residual one as wide as what it is added to, after a dense one."""
    result: list[Any] = [width]
    for layer in names:
        is_residual = isinstance(layer, dict) and layer["type"] == "residual"
        result.append({"type": "residual", "layers": [4, {"type": "dense", "units": width}]} if is_residual else layer)
    return result


ENCODINGS = st.fixed_dictionaries(
    {
        "numeric": st.sampled_from(("standard", "min_max", "robust", "quantile", "none")),
        "clip": st.sampled_from(("none", "smooth")),
        "out_of_range_dates": st.sampled_from(("extrapolate", "nearest_year")),
        "clip_target": st.booleans(),
        "categories": st.fixed_dictionaries(
            {
                "max_one_hot": st.sampled_from((2, 8, 32)),
                "binary": st.sampled_from(("one_hot", "sign")),
                "scaling": st.sampled_from(("none", "robust")),
            }
        ),
    }
)
EMBEDDINGS = st.sampled_from(
    (
        None,
        {"type": "periodic", "frequencies": 3, "width": 3},
        {"type": "piecewise_linear", "bins": 6, "width": 3},
        {"type": "piecewise_linear", "bins": 3, "width": 2},
    )
)


@pytest.mark.slow
# Every example is a training, so that no smallest one is searched for.
@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(
    TASKS,
    st.integers(0, 10**6),
    ENCODINGS,
    EMBEDDINGS,
    st.lists(st.sampled_from(LAYERS), max_size=3),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(("standard", "ntk")),
    st.sampled_from(("float32", "float32", "float64")),
)
def test_a_network_for_any_table_has_the_predictions_of_its_program(
    task: str,
    seed: int,
    encoding: dict[str, Any],
    embedding: dict[str, Any] | None,
    layers: list[Any],
    activation: str,
    parametrization: str,
    precision: str,
) -> None:
    table = table_of(seed, task, NAMES)
    options: dict[str, Any] = {"calibration": "auto"} if task in FOR_CLASSES else {}
    with tempfile.TemporaryDirectory() as folder:
        model = trained(
            Path(folder),
            table,
            encoding={**encoding, "clip_target": encoding["clip_target"] and task not in FOR_CLASSES},
            numeric_embedding=embedding,
            layers=layers_of(layers),
            activation=activation,
            parametrization=parametrization,
            precision=precision,
            **options,
        )
    assert_same(model, new_rows(seed, table), UNSCALED_ULP if encoding["numeric"] == "none" else 1)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [tag(cls) for cls in plain_losses()])
def test_every_loss_has_the_predictions_of_its_program(tmp_path: Path, loss: str) -> None:
    task = {"cross_entropy": "three", "hinge": "two", "binary_cross_entropy": "labels"}.get(loss, "number")
    table = table_of(3, task, NAMES)
    if loss in AMOUNTS:
        table = table.with_columns(pl.col("y").abs().floor() + 1.0)
    if loss == "ordinal":
        table = table.with_columns(pl.int_range(pl.len()).mod(3).alias("y"))
    if loss in ("survival", "cox"):
        events = pl.int_range(pl.len()).mod(3).eq(0).alias("z")
        model = trained(
            tmp_path, table.with_columns(pl.col("y").abs(), events), layers=[6], loss={"type": loss, "event": "z"}
        )
        assert_same(model, new_rows(3, table))
        return
    assert_same(trained(tmp_path, table, layers=[6], loss=loss), new_rows(3, table))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_layer_and_activation_has_the_predictions_of_its_program(tmp_path: Path, precision: str) -> None:
    table = table_of(4, "numbers", NAMES)
    dense = [{"type": "dense", "units": 5, "activation": name} for name in ACTIVATIONS]
    parametric = [{"type": "parametric_activation", "activation": name} for name in ACTIVATIONS]
    layers = [*layers_of([*LAYERS]), *dense, *parametric]
    assert_same(trained(tmp_path, table, layers=layers, precision=precision), new_rows(4, table))


@pytest.mark.slow
@pytest.mark.parametrize("quality", ["fast", "balanced"])
def test_every_preset_has_the_predictions_of_its_program(tmp_path: Path, quality: str) -> None:
    task = {"fast": "three", "balanced": "numbers"}[quality]
    table = table_of(5, task, NAMES)
    model = trained(tmp_path, table, preset="tabular", quality=quality, members=2)
    assert isinstance(model, Ensemble)
    assert_same(model, new_rows(5, table))
