"""Models of every kind, exported to every target and run there, beside their own predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from nncli import export, threshold, train
from nncli.data.table import Table
from nncli.exporters.formats import ExportFormat, ModelInfo
from nncli.exporters.lowering import exported_cells, lower_model
from nncli.exporters.parity import ParityReport
from nncli.exporters.parity_check import ParityCheck, table_of_features
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.nn.activations import ElementwiseActivation
from nncli.nn.layers import Layer
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase
from nncli.nn.losses import Loss, QuantilesLoss
from nncli.nn.losses.classification import ClassLoss
from nncli.nn.losses.regression import RegressionLoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import CostMatrix
from tests.api.explained import CITY, CLASSES, COLOR, DATE, NUMBER, WORDS, X1, X2, ensemble_of, model_of, table_of
from tests.cli.support import DATA
from tests.exporters.support import EXPORT_FORMATS
from tests.exporters.test_lowering import CLIPPED, THREE, TWO_OF_THREE, with_decision
from tests.models.test_rates import LOSSES as LOG_LINKS
from tests.models.test_rates import RATES, held_out_rows, is_proportional, model_with, rows_of
from tests.nn.test_lowering import REQUIRED
from tests.thorough import in_turn, partly
from tests.unions import members, tag


def layer_of(cls: type[Any]) -> LayerBase:
    """A layer of four inputs."""
    layer: LayerBase = cls.model_validate(REQUIRED.get(tag(cls), {}))
    return layer


HIDDEN = Dense(units=6, activation="tanh")
TABLE = table_of(150)
COSTS = CostMatrix(labels=THREE.labels, costs=((0.0, 1.0, 9.0), (4.0, 0.0, 1.0), (1.0, 2.0, 0.0)))
MODELS: dict[str, Callable[[], AnyModel]] = {
    "columns": lambda: model_of(HIDDEN, columns=[X1, X2, COLOR, CITY, DATE, WORDS]),
    "activations": lambda: model_of(*(Dense(units=5, activation=cls()) for cls in members(ElementwiseActivation))),
    "layers": lambda: model_of(*(layer for cls in members(Layer) for layer in (Dense(units=4), layer_of(cls)))),
    "temperature": lambda: model_of(HIDDEN, target=THREE, temperature=1.7),
    "quantiles": lambda: model_of(HIDDEN, target=CLIPPED, loss=QuantilesLoss()),
    "members": lambda: ensemble_of(
        model_of(HIDDEN, target=THREE), model_of(target=TWO_OF_THREE, columns=[X2, CITY], seed=2), target=THREE
    ),
    "costs": lambda: with_decision(model_of(HIDDEN, target=THREE), COSTS),
}
LOSSES: list[tuple[type[Any], Any]] = [
    *((cls, NUMBER) for cls in get_args(RegressionLoss)),
    *((cls, CLASSES) for cls in get_args(ClassLoss)),
]


@pytest.fixture(params=EXPORT_FORMATS, ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> ExportFormat:
    """A target whose runtime is there."""
    result: ExportFormat = request.param
    missing = result.load_runner().missing()
    if missing is not None:
        pytest.skip(f"{result.runtime}: {missing}")
    return result


def compared(model: AnyModel, target: ExportFormat, folder: Path, table: Table = TABLE) -> ParityReport:
    """The comparison of a model's file with its predictions."""
    program, file = lower_model(model), folder / f"model{target.suffix}"
    file.write_bytes(target.content(program, ModelInfo("a model", "0" * 64, "1")))
    return ParityCheck(model, None, program, target).run(file, [table])


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_its_predictions_in_the_runtime(name: str, target: ExportFormat, tmp_path: Path) -> None:
    result = compared(MODELS[name](), target, tmp_path)
    assert result.is_match, result
    assert result.rows == len(TABLE)


@pytest.mark.parametrize(("loss", "predicted"), LOSSES, ids=lambda value: tag(value) if isinstance(value, type) else "")
def test_the_link_of_a_loss_is_computed_in_the_runtime(
    loss: type[Any], predicted: Any, target: ExportFormat, tmp_path: Path
) -> None:
    result = compared(model_of(HIDDEN, target=predicted, loss=loss()), target, tmp_path)
    assert result.is_match, result


@partly
@pytest.mark.parametrize(
    ("loss", "members"), in_turn(LOG_LINKS, (1, 2)), ids=lambda value: getattr(value, "type", None)
)
def test_numbers_and_bounds_are_rates_times_the_exposure_in_the_runtime(
    loss: Loss, members: int, target: ExportFormat, tmp_path: Path
) -> None:
    model = model_with(members, loss, RATES, "float64")
    conformal = ConformalPredictor.of(model, held_out_rows(model), UncertaintyOptions(interval=0.8))
    program, file = lower_model(model, conformal), tmp_path / f"model{target.suffix}"
    file.write_bytes(target.content(program, ModelInfo("a model", "0" * 64, "1")))
    tables = [rows_of(exposure) for exposure in (1.0, 0.3, 10.0, 100.0)]
    assert ParityCheck(model, conformal, program, target).run(file, tables).is_match
    at_one, *others = (
        target.load_runner().run(file, exported_cells(model, table_of_features(model, table)).frame) for table in tables
    )
    for exposure, rows in zip((0.3, 10.0, 100.0), others, strict=True):
        for name in ("prediction", "lower_80", "upper_80"):
            assert is_proportional(rows[name].to_numpy(), at_one[name].to_numpy(), exposure), name


@pytest.mark.parametrize(
    ("label_type", "labels"),
    [("integer", ("-1", "0", "12")), ("float", ("0.5", "1.0", "2.0")), ("boolean", ("false", "true"))],
)
def test_labels_have_the_type_of_the_training_table(
    label_type: Any, labels: tuple[str, ...], target: ExportFormat, tmp_path: Path
) -> None:
    classes = ClassificationTarget(name="t", labels=labels, label_type=label_type)
    result = compared(model_of(HIDDEN, target=classes), target, tmp_path)
    assert (result.n_classes, result.is_match) == (0, True), result


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trained runs: ensembles of the default in float32, and a network with periodic embeddings and a threshold."""
    folder = tmp_path_factory.mktemp("runs")
    penguins = DATA / "penguins-train.csv"
    frame = pl.read_csv(penguins, infer_schema=False)
    adelie = frame.with_columns(is_adelie=frame["species"] == "Adelie")
    adelie.drop("species").write_parquet(folder / "adelie.parquet")
    (folder / "periodic.yaml").write_text(
        f"data: {{path: {folder}/adelie.parquet, target: is_adelie}}\nlayers: [8]\nnumeric_embedding: periodic\n"
        "epochs: 3\nvalidation: 0.2\n"
    )
    result = dict[str, Path]()
    for name, column in (("classes", "species"), ("numbers", "body_mass_g")):
        text = f"data: {{path: {penguins}, target: {column}}}\npreset: tabular\nquality: fast\nepochs: 2\n"
        (folder / f"{name}.yaml").write_text(text)
        result[name] = train(folder / f"{name}.yaml", output=folder / name).run
    result["periodic"] = train(folder / "periodic.yaml", output=folder / "periodic").run
    threshold(result["periodic"], at=0.3, save=True)
    return result


@pytest.mark.parametrize("name", ["classes", "numbers", "periodic"])
def test_a_run_is_exported_and_checked_in_the_runtime(
    name: str, target: ExportFormat, runs: dict[str, Path], tmp_path: Path
) -> None:
    levels = [0.9, 0.5] if name == "numbers" else []
    done = export(runs[name], tmp_path / f"model{target.suffix}", interval=levels)
    assert done.unchecked is None
    assert done.comparison is not None
    assert done.comparison.rows > 250
    assert done.comparison.numbers == done.comparison.rows * {"classes": 3, "numbers": 5, "periodic": 2}[name]


def test_chosen_outputs_are_all_that_the_file_has(target: ExportFormat, runs: dict[str, Path], tmp_path: Path) -> None:
    labels = export(runs["classes"], tmp_path / f"labels{target.suffix}", labels=True)
    proba = export(runs["classes"], tmp_path / f"proba{target.suffix}", proba=True)
    assert labels.comparison is not None
    assert proba.comparison is not None
    assert (labels.comparison.numbers, proba.comparison.numbers) == (0, 3 * proba.comparison.rows)
