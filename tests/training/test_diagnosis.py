"""What diverged is told by its layer, and why by the likeliest cause and its mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.commands.train import train
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.training.diagnosis import diagnose
from nncli.training.epoch import DivergedError

NETWORK = Network.model_validate(
    {
        "features": 3,
        "embeddings": [{"name": "town", "slots": 3, "width": 2}],
        "layers": [3, "batch_norm", {"type": "residual", "layers": [3]}, {"type": "dropout", "rate": 0.5}, 4],
        "outputs": 2,
    }
)
X, CODES = np.ones((4, 3), np.float32), np.zeros((4, 1), np.int64)
NAMES = ("age", "in\x1bcome")


def healthy() -> Parameters:
    return NETWORK.initialise(np.random.default_rng(0))


@pytest.mark.parametrize("name", list(healthy().named))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_parameter_that_is_not_finite_names_its_layer(name: str, value: float) -> None:
    parameters = healthy()
    parameters.named[name].flat[-1] = value
    layer = diagnose(NETWORK, parameters, X, CODES, NAMES, 0.1).layer
    assert layer == name if name == "embeddings.town" else name.startswith(f"{layer}.")


def test_the_first_of_several_is_named() -> None:
    parameters = healthy()
    for name in ("output.bias", "layers.4.weight", "layers.1.gamma"):
        parameters.named[name][...] = np.nan
        assert diagnose(NETWORK, parameters, X, CODES, NAMES, 0.1).layer == name.rpartition(".")[0]


@pytest.mark.parametrize("layer", ["layers.0", "layers.4", "output"])
@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_output_that_overflows_names_its_layer(layer: str) -> None:
    parameters = healthy()
    parameters.named[f"{layer}.weight"][...] = 3e38
    parameters.named[f"{layer}.bias"][...] = 3e38
    assert diagnose(NETWORK, parameters, X, CODES, NAMES, 0.1).layer == layer


def test_the_parameters_are_left_alone() -> None:
    parameters = healthy()
    diagnose(NETWORK, parameters, X, CODES, NAMES, 0.1)
    assert parameters.theta.tobytes() == healthy().theta.tobytes()
    assert parameters.statistics.tobytes() == healthy().statistics.tobytes()


def test_the_rate_is_the_likeliest_cause_when_the_inputs_are_scaled() -> None:
    cause = diagnose(NETWORK, healthy(), X, CODES, NAMES, 0.25).cause
    assert "0.25" in cause
    assert "learning_rate" in cause
    assert "clip_norm" in cause


def test_a_column_that_is_not_scaled_is_named() -> None:
    far = X.copy()
    far[2, 1] = -2e6
    cause = diagnose(NETWORK, healthy(), far, CODES, NAMES, 0.1).cause
    assert "'in\\x1bcome' reaches 2e+06" in cause
    assert "standard" in cause
    far[2, 2] = 1e9
    assert "feature 3 reaches 1e+09" in diagnose(NETWORK, healthy(), far, CODES, NAMES, 0.1).cause


def test_without_a_number_the_rate_is_to_blame() -> None:
    network = NETWORK.model_validate({**NETWORK.model_dump(), "features": 0})
    parameters = network.initialise(np.random.default_rng(0))
    none = np.empty((4, 0), np.float32)
    assert "learning rate" in diagnose(network, parameters, none, CODES, (), 0.1).cause


# --- in a training


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    frame = pl.DataFrame({"small": x, "salary": 1e5 * rng.normal(size=200), "town": ["a", "b"] * 100, "y": x})
    frame.write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def diverged(table: Path, rest: str) -> DivergedError:
    config = table.with_name("c.yaml")
    config.write_text(f"data: {{path: t.csv, target: y}}\noptimizer: sgd\nepochs: 50\n{rest}")
    with pytest.raises(DivergedError) as caught:
        train(config, output=table.with_name("run"))
    return caught.value


@pytest.mark.parametrize("town", ["a category first", "numbers first"])
def test_the_column_that_was_not_scaled_is_named_whatever_stands_before_it(table: Path, town: str) -> None:
    if town == "a category first":
        pl.read_csv(table).select("town", "small", "salary", "y").write_csv(table)
    error = diverged(table, "encoding: {numeric: none}\nlayers: [8]\nlearning_rate: 0.1")
    assert error.hint is not None
    assert "'salary' reaches" in error.hint
    assert "encoding: {numeric: standard}" in error.hint


def test_the_rate_is_named_when_all_is_scaled(table: Path) -> None:
    error = diverged(table, "layers: [8, 8]\nlearning_rate: 1.0e+6")
    assert error.hint is not None
    assert "1e+06" in error.hint
    assert "salary" not in error.hint


@pytest.mark.parametrize(("layers", "place"), [("[]", "output"), ("[8, 8, 8]", "layers.0")])
def test_the_first_layer_to_overflow_is_named(table: Path, layers: str, place: str) -> None:
    error = diverged(table, f"layers: {layers}\nencoding: {{numeric: none}}\nlearning_rate: 1.0e+38")
    assert f"first in {place};" in error.message
