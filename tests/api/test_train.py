"""`train` as a function: every key of the configuration does what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import predict, train
from nncli.api.train import train_events
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.config.loading import load_config
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.train.events import Finished, Started
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.health import Health
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.loader import read_model
from nncli.run_directory.manifest import HISTORY, MANIFEST, METRICS, WEIGHTS
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import ClassificationScores
from tests.assertions import lines, raises
from tests.cli.support import DATA

Trainer = Callable[..., Finished]


@pytest.fixture
def table(tmp_path: Path) -> pl.DataFrame:
    """Numbers, words, a weight and targets of every kind, as t.csv."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=120)
    frame = pl.DataFrame(
        {
            "x": x,
            "id": [f"{n:03}" for n in range(120)],
            "w": np.where(x > 0, 1.0, 0.0),
            "y": 3 * x + 100,
            "z": -x,
            "negative": x,
            "label": np.where(x > 0.8, "yes", "no"),
            "digit": (x > 0).astype(int),
            "constant": "same",
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    return frame


@pytest.fixture
def config(tmp_path: Path, table: pl.DataFrame) -> Callable[..., Path]:
    def write(data: str, rest: str = "") -> Path:
        path = tmp_path / "c.yaml"
        path.write_text(f"data: {{path: t.csv, {data}}}\nepochs: 3\nlayers: [4]\noutput: {tmp_path}/run\n{rest}")
        return path

    return write


NO_SELECTION = dict.fromkeys(("sheet", "range", "table", "query"))
ONLY_X = "features: [x]"


def manifest(finished: Finished) -> dict[str, object]:
    content: dict[str, object] = json.loads((finished.run / MANIFEST).read_text())
    return content


@pytest.mark.slow
def test_train_accepts_a_path_a_string_and_a_config(config: Callable[..., Path]) -> None:
    path = config(f"target: y, {ONLY_X}")
    weights = {
        (train(source).run / "model.safetensors").read_bytes() for source in (path, str(path), load_config(path))
    }
    assert len(weights) == 1


def test_assignments_need_a_path(config: Callable[..., Path]) -> None:
    path = config(f"target: y, {ONLY_X}")
    assert train(path, set=["epochs=1"]).epochs == 1
    with raises(UsageError):
        train(load_config(path), set=["epochs=1"])


def test_the_events_come_in_order(config: Callable[..., Path]) -> None:
    first, *epochs, last = train_events(config(f"target: y, {ONLY_X}"))
    assert isinstance(first, Started)
    assert [e.epoch for e in epochs if isinstance(e, EpochReport)] == [1, 2, 3]
    assert isinstance(last, Finished)
    assert first.run == last.run


@pytest.mark.parametrize("size", ["full", "1", "7", "100000"])
def test_any_batch_size_trains(config: Callable[..., Path], size: str) -> None:
    assert train(config(f"target: y, {ONLY_X}", f"batch_size: {size}")).epochs == 3


def test_batch_size_full_is_one_step_per_epoch(config: Callable[..., Path]) -> None:
    prepared = prepare(load_config(config(f"target: y, {ONLY_X}", "batch_size: full")))
    assert prepared.arguments.batch_size == len(prepared.training) == 96


def test_float64_is_float64_throughout(config: Callable[..., Path]) -> None:
    run = train(config(f"target: y, {ONLY_X}", "precision: float64")).run
    assert read_model(run).parameters.theta.dtype == np.float64


@pytest.mark.slow
def test_penalties_shrink_the_weights_and_are_reported_separately(config: Callable[..., Path]) -> None:
    def size(rest: str) -> float:
        path = config(f"target: y, {ONLY_X}", f"learning_rate: 0.05\n{rest}")
        run = train(path, set=["epochs=60"]).run
        model = read_model(run)
        history = pl.read_csv(run / HISTORY)
        assert (history["penalty"] > 0).all() == bool(rest)
        return float(np.abs(model.parameters.theta[: model.parameters.layout.n_decayed]).sum())

    free = size("")
    assert size("l1: 0.1") < free
    assert size("l2: 0.1") < free


@pytest.mark.slow
def test_clip_norm_prevents_divergence_at_a_high_learning_rate(config: Callable[..., Path]) -> None:
    wild = "optimizer: sgd\nlearning_rate: 1000\n"
    with raises(DivergedError, file="run", mentions="layers.0"):
        train(config(f"target: y, {ONLY_X}", wild + "batch_size: 1"))
    assert train(config(f"target: y, {ONLY_X}", wild.replace("1000", "1") + "clip_norm: 0.01")).epochs == 3


def test_rows_of_weight_zero_do_not_count(config: Callable[..., Path], tmp_path: Path, table: pl.DataFrame) -> None:
    run = train(config("target: label, features: [x], sample_weight: w", "validation: 0")).run
    metrics = json.loads((run / METRICS).read_text())["training"]["metrics"]
    counted = table.filter(pl.col("w") > 0)
    assert sum(map(sum, metrics["confusion_matrix"])) == counted.height
    assert metrics["per_class"][0]["support"] == counted.filter(pl.col("label") == "no").height


def test_a_weight_column_is_not_a_feature(config: Callable[..., Path]) -> None:
    prepared = prepare(
        load_config(config("target: y, sample_weight: w, drop: [id, z, negative, label, digit, constant]"))
    )
    assert prepared.spec.encoder.names == ["x"]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["balanced", "{yes: 50, no: 1}"])
def test_class_weights_move_predictions_to_the_rare_class(config: Callable[..., Path], weights: str) -> None:
    def predicted(rest: str) -> int:
        path = config(f"target: label, {ONLY_X}", f"seed: 1\nlearning_rate: 0.01\n{rest}")
        answers = predict(train(path, set=["epochs=12"]).run, path.parent / "t.csv")
        return answers.filter(pl.col("prediction") == "yes").height

    assert predicted(f"class_weight: {weights}") > predicted("")


@pytest.mark.slow
def test_validation_rows_may_come_from_a_file(config: Callable[..., Path], tmp_path: Path, table: pl.DataFrame) -> None:
    table.head(30).write_csv(tmp_path / "v.csv")
    finished = train(config(f"target: label, {ONLY_X}", "validation: {path: v.csv}"))
    recorded = manifest(finished)
    assert (recorded["training_rows"], recorded["validation_rows"]) == (120, 30)
    digest = hashlib.sha256((tmp_path / "v.csv").read_bytes()).hexdigest()
    assert recorded["validation_data"] == {
        "path": str(tmp_path / "v.csv"),
        "sha256": digest,
        "rows": 30,
        "files": [],
        "quote": "auto",
        **NO_SELECTION,
    }


def test_a_class_that_only_validation_rows_have_is_refused(
    config: Callable[..., Path], tmp_path: Path, table: pl.DataFrame
) -> None:
    table.head(3).with_columns(label=pl.lit("perhaps")).write_csv(tmp_path / "v.csv")
    with raises(DataError, file="v.csv", row=1, column="label", mentions="'perhaps'"):
        train(config(f"target: label, {ONLY_X}", "validation: {path: v.csv}"))


def test_without_validation_every_row_is_trained_on(config: Callable[..., Path]) -> None:
    finished = train(config(f"target: y, {ONLY_X}", "validation: 0"))
    assert finished.validation is None
    assert manifest(finished)["training_rows"] == 120
    assert pl.read_csv(finished.run / HISTORY)["val_loss"].null_count() == 3


def test_validation_is_stratified(config: Callable[..., Path]) -> None:
    prepared = prepare(load_config(config(f"target: label, {ONLY_X}")))
    assert prepared.validation is not None
    shares = [rows.y.mean() for rows in (prepared.training, prepared.validation)]
    assert abs(shares[0] - shares[1]) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize(("target", "metric"), [("label", "accuracy"), ("y", "r2"), ("y", "val_loss")])
def test_early_stopping_ends_early_with_the_best_weights(config: Callable[..., Path], target: str, metric: str) -> None:
    rest = f"metric: {metric}\nearly_stopping: {{patience: 2}}\nlearning_rate: 0.1"
    finished = train(config(f"target: {target}, {ONLY_X}", rest), set=["epochs=500"])
    assert finished.status == "done"
    assert finished.epochs == finished.best_epoch + 2 < 500
    history = pl.read_csv(finished.run / HISTORY)
    values = history[metric if metric == "val_loss" else f"val_{metric}"]
    assert values.item(finished.best_epoch - 1) == (values.min() if metric == "val_loss" else values.max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "metric"), [("label", "accuracy"), ("label", "roc_auc"), ("label", "log_loss"), ("y", "mae")]
)
def test_the_configured_metric_selects_the_best_epoch_and_ties_go_to_the_first_or_last(
    config: Callable[..., Path], target: str, metric: str
) -> None:
    path = config(f"target: {target}, {ONLY_X}", f"metric: {metric}\nlearning_rate: 0.1")
    best: dict[str, int] = {}
    for which in ("first", "last"):
        finished = train(path, set=["epochs=12", f"best_epoch_tie={which}"])
        best[which] = finished.best_epoch
        values = pl.read_csv(finished.run / HISTORY)[f"val_{metric}"].to_list()
        wanted = max(values) if metric in ("accuracy", "roc_auc") else min(values)
        epochs = [epoch for epoch, value in enumerate(values, 1) if value == wanted]
    assert best == {"first": epochs[0], "last": epochs[-1]}


@pytest.mark.parametrize("metric", ["val_accuracy", "bleu", "r2"])
def test_an_unknown_metric_is_an_error(config: Callable[..., Path], metric: str) -> None:
    with pytest.raises(ConfigError) as caught:
        train(config(f"target: label, {ONLY_X}", f"metric: {metric}"))
    assert [issue.location.key for issue in caught.value.issues] == ["metric"]


@pytest.mark.slow
def test_early_stopping_without_validation_rows_needs_metric_loss(config: Callable[..., Path]) -> None:
    with raises(ConfigError, key="early_stopping"):
        train(config(f"target: y, {ONLY_X}", "validation: 0\nearly_stopping: {patience: 3}"))
    with raises(ConfigError, key="metric"):
        train(config(f"target: y, {ONLY_X}", "validation: 0\nmetric: rmse"))
    assert train(config(f"target: y, {ONLY_X}", "validation: 0\nmetric: loss\nearly_stopping: {patience: 3}"))


@pytest.mark.slow
def test_a_temperature_is_fitted_on_validation_rows_and_recorded(config: Callable[..., Path], tmp_path: Path) -> None:
    path = config(f"target: label, {ONLY_X}")
    finished = train(path)
    plain = json.loads((finished.run / METRICS).read_text())
    assert plain.keys() == {"training", "validation", "findings"}
    calibrated = train(path, set=["calibration=temperature"])
    metrics = json.loads((calibrated.run / METRICS).read_text())
    calibration, model = metrics["calibration"], Run.open(calibrated.run).load_model()
    assert model.spec.temperature == calibration["temperature"] != 1.0
    assert calibration["log_loss_before"] == plain["validation"]["metrics"]["log_loss"]
    assert calibration["calibration_error_before"] == plain["validation"]["metrics"]["calibration_error"]
    assert calibration["log_loss_after"] == pytest.approx(metrics["validation"]["metrics"]["log_loss"], abs=1e-6)
    assert calibration["log_loss_after"] < calibration["log_loss_before"]
    assert (calibrated.run / WEIGHTS).read_bytes() == (finished.run / WEIGHTS).read_bytes()
    before, after = (predict(run.run, tmp_path / "t.csv", proba=True) for run in (finished, calibrated))
    assert before["prediction"].equals(after["prediction"])
    assert not before["proba_yes"].equals(after["proba_yes"])


@pytest.mark.parametrize(
    ("target", "rest"),
    [("y", ""), ("label", "validation: 0")],
    ids=["regression", "no validation rows"],
)
def test_calibration_needs_classes_and_validation_rows(config: Callable[..., Path], target: str, rest: str) -> None:
    with raises(ConfigError, key="calibration"):
        train(config(f"target: {target}, {ONLY_X}", f"calibration: temperature\n{rest}"))


def test_several_targets_are_learned_together(config: Callable[..., Path], tmp_path: Path) -> None:
    finished = train(config("target: [y, z], features: [x]", "learning_rate: 0.05"), set=["epochs=80"])
    answers = predict(finished.run, tmp_path / "t.csv", keep=["y", "z"])
    assert answers.columns == ["y", "z", "prediction_y", "prediction_z"]
    y, guess = (answers[name].cast(pl.Float64) for name in ("y", "prediction_y"))
    assert (y - guess).abs().mean() < 0.3  # type: ignore[operator]


def test_several_targets_of_one_loss_of_numbers_must_be_numbers(config: Callable[..., Path]) -> None:
    with raises(DataError, file="t.csv", column="label"):
        train(config("target: [y, label], features: [x]", "loss: mse"))


@pytest.mark.slow
def test_few_whole_numbers_are_classes_unless_configured_otherwise(
    config: Callable[..., Path],
) -> None:
    assert prepare(load_config(config(f"target: digit, {ONLY_X}"))).spec.target.task == "classification"
    for key in ("loss: mse", "output_activation: sigmoid"):
        assert prepare(load_config(config(f"target: digit, {ONLY_X}", key))).spec.target.task == "regression"
    as_number = config("target: digit, features: [x], columns: {digit: numeric}")
    assert prepare(load_config(as_number)).spec.target.task == "regression"
    for loss in ("cross_entropy", "hinge"):
        spec = prepare(load_config(config(f"target: digit, {ONLY_X}", f"loss: {loss}"))).spec
        assert spec.target.task == "classification"
    by_kind = config("target: digit, features: [x], columns: {digit: categorical}")
    assert prepare(load_config(by_kind)).spec.target.task == "classification"


def test_poisson_refuses_a_negative_target_by_row(config: Callable[..., Path], table: pl.DataFrame) -> None:
    row = int((table["negative"] < 0).arg_max() or 0) + 1
    with raises(DataError, file="t.csv", row=row, column="negative", mentions="poisson"):
        train(config("target: negative, features: [x]", "loss: poisson\nvalidation: 0"))


@pytest.mark.parametrize("q", [0.1, 0.9])
def test_the_quantile_loss_predicts_that_quantile(
    config: Callable[..., Path], tmp_path: Path, table: pl.DataFrame, q: float
) -> None:
    path = config(
        "target: y, features: [constant, digit]",
        f"loss: {{type: quantile, q: {q}}}\nlayers: []\nlearning_rate: 0.02\nvalidation: 0",
    )
    text = path.read_text().replace("layers: [4]\n", "").replace("epochs: 3", "epochs: 300")
    path.write_text(text)
    finished = train(path)
    below = (table["y"] < predict(finished.run, tmp_path / "t.csv")["prediction"]).mean()
    assert abs(float(below) - q) < 0.06  # type: ignore[arg-type]
    metrics = json.loads((finished.run / METRICS).read_text())["training"]["metrics"]
    assert metrics["pinball"] > 0


def test_the_baseline_is_the_most_frequent_class_or_the_mean(config: Callable[..., Path], table: pl.DataFrame) -> None:
    card = train(config(f"target: label, {ONLY_X}", "validation: 0")).training
    assert card
    classes = card.baseline
    assert isinstance(classes, ClassificationScores)
    assert classes["accuracy"] == (table["label"] == "no").mean()
    card = train(config(f"target: y, {ONLY_X}", "validation: 0")).training
    assert card
    (numbers,) = card.baseline  # type: ignore[misc]
    assert numbers["r2"] == pytest.approx(0.0)


@pytest.mark.slow
def test_dropped_rows_and_columns_are_noted(config: Callable[..., Path], tmp_path: Path, table: pl.DataFrame) -> None:
    table.with_columns(y=pl.when(pl.int_range(pl.len()) >= 5).then("y"), empty=pl.lit(None, dtype=pl.String)).write_csv(
        tmp_path / "t.csv"
    )
    path = config("target: y, features: [x, id, empty]")
    notes = " ".join(lines(prepare(load_config(path)).findings))
    for fact in ("5 of 120 rows", "'empty'", "'id'"):
        assert fact in notes


def test_an_impossible_layer_is_located_by_its_key(config: Callable[..., Path]) -> None:
    with raises(ConfigError, key="layers.0"):
        train(config(f"target: y, {ONLY_X}"), set=["layers=[{type: residual, layers: [3]}]"])


def test_closing_the_events_keeps_the_best_weights_so_far(config: Callable[..., Path], tmp_path: Path) -> None:
    events = train_events(config(f"target: y, {ONLY_X}"))
    run = next(events)
    assert isinstance(run, Started)
    assert isinstance(next(events), Health)
    assert isinstance(next(events), EpochReport)
    events.close()
    assert json.loads((run.run / MANIFEST).read_text())["status"] == "stopped"
    assert len(predict(run.run, tmp_path / "t.csv")) == 120


def test_a_training_that_raises_is_recorded_as_failed(
    config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> bool:
        raise MemoryError

    with pytest.raises(MemoryError):
        train(config(f"target: y, {ONLY_X}"), stop=fail)
    assert json.loads((tmp_path / "run" / MANIFEST).read_text())["status"] == "failed"
    assert not (tmp_path / "run" / WEIGHTS).exists()


def test_stopping_before_the_first_epoch_still_predicts(config: Callable[..., Path], tmp_path: Path) -> None:
    finished = train(config(f"target: y, {ONLY_X}"), stop=lambda: True)
    assert (finished.status, finished.epochs, finished.best_epoch) == ("stopped", 0, 0)
    assert len(predict(finished.run, tmp_path / "t.csv")) == 120


def test_a_configuration_that_does_not_fit_makes_no_run_directory(config: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        train(config("target: nothing"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_seed_decides_everything(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"data: {{path: {DATA}/penguins.csv, target: species}}\nepochs: 2\nlayers: [8, dropout]\noutput: {tmp_path}/r"
    )
    weights = [(train(path, set=[f"seed={seed}"]).run / "model.safetensors").read_bytes() for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


REALMLP = """
layers: [scale, {type: dense, units: 6, activation: identity}, {type: parametric_activation, activation: mish}]
init: data_dependent
parametrization: ntk
"""


@pytest.mark.slow
@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
def test_a_realmlp_network_trains_predicts_and_resumes(
    config: Callable[..., Path], table: pl.DataFrame, tmp_path: Path, embedding: str
) -> None:
    text = f"{REALMLP}numeric_embedding: {embedding}"
    path = config("target: y, features: [x, z, label]", text)
    path.write_text(path.read_text().replace("layers: [4]\n", ""))
    short, long = (train(path, output=tmp_path / f"{n}", set=[f"epochs={n}"]) for n in (2, 4))
    network = json.loads((long.run / "model.json").read_text())["network"]
    assert network["numeric_features"] == [0, 1]
    assert network["numeric_embedding"]["type"] == embedding
    assert network["output_parametrization"] == "ntk"
    resumed = train(resume=short.run, set=["epochs=4"])
    assert (resumed.run / "model.safetensors").read_bytes() == (long.run / "model.safetensors").read_bytes()
    assert np.isfinite(predict(long.run, table)["prediction"].to_numpy()).all()


@pytest.mark.slow
def test_numeric_class_labels_are_predicted_as_they_were_spelled(
    config: Callable[..., Path], table: pl.DataFrame
) -> None:
    run = train(config(f"target: digit, {ONLY_X}")).run
    answers = predict(run, table)["prediction"]
    assert set(answers.unique()) <= {str(label) for label in table["digit"].unique()}
    assert train(resume=run, set=["epochs=4"]).epochs == 4
