"""A divergence names the layer, the most likely cause and its fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.api.train import train
from nncli.base.errors import DataError
from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from nncli.nn.batches.dataset import Dataset
from nncli.nn.losses import CrossEntropyLoss, MAELoss, MSELoss
from nncli.nn.network import Network
from nncli.nn.optim.optimizers import Sgd
from nncli.nn.optim.schedules import ConstantRate
from nncli.nn.parameters import Parameters
from nncli.nn.training.arguments import TrainingArguments
from nncli.nn.training.divergence import DivergenceCause, diagnose
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.loop import fit
from nncli.nn.training.state import RandomStreams, TrainState

NETWORK = Network.model_validate(
    {
        "n_features": 3,
        "embeddings": [{"name": "town", "n_embeddings": 3, "width": 2}],
        "layers": [3, "batch_norm", {"type": "residual", "layers": [3]}, {"type": "dropout", "rate": 0.5}, 4],
        "n_outputs": 2,
    }
)
X, CODES = np.ones((4, 3), np.float32), np.zeros((4, 1), np.int64)
NAMES = ("age", "in\x1bcome")


def arguments_of(network: Network = NETWORK, **rest: Any) -> TrainingArguments:
    plain = {
        "loss": CrossEntropyLoss(),
        "optimizer": Sgd(),
        "schedule": ConstantRate(peak=0.1),
        "batch_size": 4,
        "epochs": 30,
    }
    return TrainingArguments(network=network, **{**plain, "features": NAMES, **rest})


def diagnosed(
    parameters: Parameters, X: Any = X, codes: Any = CODES, rate: float = 0.1, gradient: bool = False
) -> DivergenceCause:
    dataset = Dataset(X, codes, np.zeros(len(X), np.int64))
    arguments = arguments_of(NETWORK.model_copy(update={"n_features": X.shape[1]}))
    return diagnose(arguments, parameters, dataset, np.arange(len(X)), rate, gradient=gradient)


def healthy() -> Parameters:
    return NETWORK.initialize(np.random.default_rng(0))


@pytest.mark.parametrize("name", list(healthy().by_name))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_parameter_that_is_not_finite_names_its_layer(name: str, value: float) -> None:
    parameters = healthy()
    parameters.by_name[name].flat[-1] = value
    layer = diagnosed(parameters).layer
    assert layer == name if name == "embeddings.town" else name.startswith(f"{layer}.")


def test_the_first_of_several_is_named() -> None:
    parameters = healthy()
    for name in ("output.bias", "layers.4.weight", "layers.1.gamma"):
        parameters.by_name[name][...] = np.nan
        assert diagnosed(parameters).layer == name.rpartition(".")[0]


@pytest.mark.parametrize("layer", ["layers.0", "layers.4", "output"])
@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_output_that_overflows_names_its_layer(layer: str) -> None:
    parameters = healthy()
    parameters.by_name[f"{layer}.weight"][...] = 3e38
    parameters.by_name[f"{layer}.bias"][...] = 3e38
    assert diagnosed(parameters).layer == layer


def test_the_parameters_are_left_alone() -> None:
    parameters = healthy()
    diagnosed(parameters)
    assert parameters.theta.tobytes() == healthy().theta.tobytes()
    assert parameters.statistics.tobytes() == healthy().statistics.tobytes()


def test_the_rate_is_the_likeliest_cause_when_the_inputs_are_scaled() -> None:
    cause = diagnosed(healthy(), rate=0.25).cause
    assert "0.25" in cause
    assert "learning_rate" in cause
    assert "clip_norm" in cause


def test_a_column_that_is_not_scaled_is_named() -> None:
    far = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    far[:, 1] = [1e6, 1.5e6, -2e6, 1.7e6]
    cause = diagnosed(healthy(), far).cause
    assert "'in\\x1bcome' reaches 2e+06" in cause
    assert "standard" in cause
    far[:, 2] = [3e8, 1e9, 2e8, -5e8]
    assert "feature 3 reaches 1e+09" in diagnosed(healthy(), far).cause


def test_without_a_number_the_rate_is_to_blame() -> None:
    network = NETWORK.model_validate({**NETWORK.model_dump(), "n_features": 0})
    parameters = network.initialize(np.random.default_rng(0))
    none = np.empty((4, 0), np.float32)
    assert "learning rate" in diagnosed(parameters, none).cause


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
    assert "--set encoding.numeric=standard" in error.hint


def test_the_rate_is_named_when_all_is_scaled(table: Path) -> None:
    error = diverged(table, "layers: [8, 8]\nlearning_rate: 1.0e+6")
    assert error.hint is not None
    assert "1e+06" in error.hint
    assert "salary" not in error.hint


@pytest.mark.parametrize(("layers", "place"), [("[]", "output"), ("[8, 8, 8]", "layers.0")])
def test_the_first_layer_to_overflow_is_named(table: Path, layers: str, place: str) -> None:
    error = diverged(table, f"layers: {layers}\nencoding: {{numeric: none}}\nlearning_rate: 1.0e+30")
    assert f"first in {place};" in error.message


# --- every cause, in a training that diverges of it


def sentence(table: Path, rest: str) -> str:
    hint = diverged(table, rest).hint
    assert hint is not None
    return hint


def noise(n: int = 400, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("numeric", ["standard", "none"])
def test_an_outlier_is_named_by_its_row_and_column(tmp_path: Path, numeric: str) -> None:
    x = noise()
    x[122] = 1e7
    pl.DataFrame({"a": noise(seed=1), "pay": x, "y": noise(seed=2)}).write_csv(tmp_path / "t.csv")
    rest = f"encoding: {{numeric: {numeric}}}\nlayers: []\nlearning_rate: 0.1\nbatch_size: 1\nvalidation: 0.0"
    hint = sentence(tmp_path / "t.csv", rest)
    assert hint.startswith("Most likely 'pay' in row 123")
    assert ("1e+07" in hint) == (numeric == "none")
    assert "lies far from all other rows: correct the cell" in hint


def test_rows_keep_their_numbers_through_missing_targets_and_the_split(tmp_path: Path) -> None:
    x, y = noise(), [None if i < 50 else float(v) for i, v in enumerate(noise(seed=2))]
    x[122] = 1e7
    pl.DataFrame({"pay": x, "y": y}).write_parquet(tmp_path / "t.parquet")
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {path: t.parquet, target: y}\noptimizer: sgd\nlayers: []\nlearning_rate: 0.1\nbatch_size: 1\n"
        "encoding: {numeric: none}\nseed: 1"
    )
    with pytest.raises(DivergedError) as caught:
        train(config, output=tmp_path / "run")
    assert "'pay' in row 123" in str(caught.value.hint)


def test_a_column_that_is_the_same_everywhere_and_not_scaled_is_told_so(tmp_path: Path) -> None:
    pl.DataFrame({"year": 1e6 + np.arange(400) % 7, "y": noise()}).write_csv(tmp_path / "t.csv")
    hint = sentence(tmp_path / "t.csv", "encoding: {numeric: none}\nlayers: [8]\nlearning_rate: 0.1")
    assert "'year' is about 1e+06 in every row and is not scaled" in hint
    assert "or drop it" in hint


@pytest.mark.parametrize("numeric", ["standard", "min_max"])
def test_a_column_too_nearly_constant_to_be_scaled_is_told_so(tmp_path: Path, numeric: str) -> None:
    pl.DataFrame({"clock": [9e15 + 8 * (i % 900) for i in range(1800)], "y": noise(1800)}).write_parquet(
        tmp_path / "t.parquet"
    )
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {path: t.parquet, target: y, columns: {clock: numeric}}\noptimizer: sgd\nlayers: []\n"
        f"learning_rate: 0.1\nencoding: {{numeric: {numeric}}}"
    )
    with pytest.raises(DivergedError) as caught:
        train(config, output=tmp_path / "run")
    assert "'clock' is nearly constant" in str(caught.value.hint)


def test_a_target_that_is_not_scaled_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"x": noise(), "y": 1e6 * noise(seed=1)}).write_csv(tmp_path / "t.csv")
    hint = sentence(tmp_path / "t.csv", "encoding: {target: none}\nlayers: [8]\nlearning_rate: 0.1")
    assert "'y' reaches 3" in hint
    assert "use --set encoding.target=standard" in hint


def test_a_row_that_outweighs_the_others_is_named(tmp_path: Path) -> None:
    weights = np.ones(400)
    weights[41] = 1e6
    pl.DataFrame({"x": noise(), "w": weights, "y": noise(seed=1)}).write_csv(tmp_path / "t.csv")
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {path: t.csv, target: y, sample_weight: w}\noptimizer: sgd\nlayers: []\n"
        "learning_rate: 0.1\nbatch_size: 4\n"
        "validation: 0.0\nepochs: 200"
    )
    with pytest.raises(DivergedError) as caught:
        train(config, output=tmp_path / "run")
    assert "row 42 weighs 400 times as much as the mean row in 'w': lower its weight" in str(caught.value.hint)


def test_a_penalty_that_turns_the_weights_over_is_named(table: Path) -> None:
    hint = sentence(table, "layers: [8]\nlearning_rate: 0.1\nl2: 100.0")
    assert "l2, 100, is too high for the learning rate, 0.1" in hint


def test_counts_that_poisson_takes_as_they_are_get_a_mend_it_allows(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(2e6, 400)
    pl.DataFrame({"x": noise(), "y": counts}).write_csv(tmp_path / "t.csv")
    hint = sentence(tmp_path / "t.csv", "loss: poisson\nlayers: [8]\nlearning_rate: 0.1")
    assert "'y' is about 2e+06 in every row" in hint or "'y' reaches 2" in hint
    assert "write it in a larger unit, or use --set clip_norm=1" in hint
    assert "standard" not in hint


# --- what no file can hold, but an array can


def in_arrays(X: Any, y: Any, weights: Any = None, **rest: Any) -> DivergedError:
    network = Network.model_validate({"n_features": X.shape[1], "layers": [4], "n_outputs": 1})
    arguments = arguments_of(
        network, **{"loss": MSELoss(), "targets": ("y",), "weight": "w", "features": ("a", "b"), **rest}
    )
    dataset = Dataset(X, np.zeros((len(X), 0), np.int64), y, weights)
    state = TrainState.create(network, arguments.optimizer, RandomStreams.of(0))
    with pytest.raises(DivergedError) as caught:
        list(fit(arguments, state, dataset))
    return caught.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["'b'", "'y'", "'w'"])
def test_a_cell_that_is_not_finite_is_named_wherever_it_stands(where: str, value: float) -> None:
    X, y, w = (np.ones(shape, np.float32) for shape in ((20, 2), (20, 1), (20,)))
    {"'b'": X[:, 1], "'y'": y[:, 0], "'w'": w}[where][6] = value
    error = in_arrays(X, y, w, epochs=1)
    assert f"{where} is {value:g} in row 7" in str(error.hint)
    assert "step" in error.message


def test_a_gradient_that_is_not_finite_is_told_from_a_loss() -> None:
    """The absolute error of numbers near the end of float32 is one still, and the sum of its slopes is none."""
    X = np.full((20, 2), 3e38, np.float32) * np.array([[1.0, 0.0]], np.float32)
    network = Network.model_validate({"n_features": 2, "layers": [], "n_outputs": 1})
    arguments = arguments_of(network, loss=MAELoss(), features=("a", "b"))
    state = TrainState.create(network, arguments.optimizer, RandomStreams.of(0))
    state.parameters.theta[...] = 0.0
    theta = state.parameters.theta.copy()
    w = np.full(20, 4.0, np.float32)
    dataset = Dataset(X, np.zeros((20, 0), np.int64), np.ones((20, 1), np.float32), w)
    with pytest.raises(DivergedError, match=r"the gradient is no longer a finite number at step 1 .*first in output"):
        list(fit(arguments, state, dataset))
    np.testing.assert_array_equal(state.parameters.theta, theta)


FILES = ["t.csv", "t.parquet", "t.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("column", ["x", "w", "y"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e39, 1e308, 1e400])
@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize("row", [5, 35])
def test_no_file_brings_a_number_that_is_not_finite(
    tmp_path: Path, name: str, column: str, value: float, scaling: str, row: int
) -> None:
    frame = pl.DataFrame({"x": noise(40), "w": np.abs(noise(40)), "y": noise(40)})
    cells = frame[column].to_list()
    cells[row] = value
    frame = frame.with_columns(pl.Series(column, cells))
    path = tmp_path / name
    if name == "t.csv":
        path.write_text(frame.write_csv().replace("NaN", "nan"))
    elif name == "t.jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in frame.to_dicts()))
    else:
        frame.write_parquet(path)
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: {name}, target: y, sample_weight: w}}\nencoding: {{numeric: {scaling}, target: {scaling}}}"
    )
    try:
        prepared = prepare(load_config(tmp_path / "c.yaml"))
    except DataError:
        return
    for rows in (prepared.training, prepared.validation):
        assert rows is not None
        assert np.isfinite(rows.dataset.X).all()
        assert np.isfinite(rows.dataset.y).all()
        assert rows.dataset.weights is not None
        assert np.isfinite(rows.dataset.weights).all()
