"""Several targets of any kind in one network, and the run that each has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import cross_validate, drift, evaluate, explain, export, load, predict, show, threshold, train, tune
from nncli.api.distill import distill
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.config.loading import load_config
from nncli.models.ensemble import Ensemble
from nncli.models.model import Model
from nncli.nn.losses import CrossEntropyLoss, GammaLoss, MSELoss, MultiTargetLoss
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run
from nncli.targets.multitarget import MultiTarget
from nncli.targets.number import RegressionTarget
from tests.assertions import raises
from tests.run_directory.support import stop_at

TARGETS = ["price", "sold", "color"]
SHORT = ["epochs=4", "members=1", "layers=[16]", "learning_rate=0.01"]


def table_of(rows: int = 160) -> pl.DataFrame:
    """A number, two classes as 0 and 1, and three classes as text, each missing in some rows."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, rows)).round(4)
    shop = rng.choice(["a", "b"], rows)
    frame = pl.DataFrame({"x": x, "z": z, "shop": shop}).with_columns(
        price=pl.Series((100 + 30 * x + 5 * rng.normal(size=rows) + 10 * (shop == "b")).round(2)),
        sold=pl.Series((x + z + 0.5 * rng.normal(size=rows) > 0).astype(int)),
        color=pl.Series(np.array(["red", "green", "blue"])[np.argmax([z, -z, x], axis=0)]),
    )
    missing = rng.random((rows, 3)) < (0.15, 0.0, 0.2)
    return frame.with_columns(
        pl.when(pl.Series(missing[:, j])).then(None).otherwise(pl.col(name)).alias(name)
        for j, name in enumerate(TARGETS)
    )


def train_on(folder: Path, *settings: str, frame: pl.DataFrame | None = None, name: str = "run", **more: Any) -> Path:
    table = folder / f"{name}.csv"
    (table_of() if frame is None else frame).write_csv(table)
    return train(table, target=TARGETS, output=folder / name, set=[*SHORT, *settings], **more).run


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one network; not to be changed."""
    return train_on(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three networks in folds; not to be changed."""
    return train_on(tmp_path_factory.mktemp("ensemble"), "members=3")


@pytest.mark.slow
def test_each_target_has_the_kind_and_the_loss_that_it_has_alone(network: Path) -> None:
    assert load_config(network / CONFIG).loss == MultiTargetLoss(
        losses={"price": MSELoss(), "sold": CrossEntropyLoss(), "color": CrossEntropyLoss()}
    )
    models = [run.load_model() for run in Run.open(network).targets.values()]
    assert [model.spec.target.labels for model in models] == [(), ("0", "1"), ("blue", "green", "red")]
    assert [model.spec.network.n_outputs for model in models if isinstance(model, Model)] == [1, 1, 3]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["network", "ensemble"])
def test_the_model_of_a_target_has_its_outputs_of_the_network_of_all(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = Run.open(request.getfixturevalue(name))
    whole = run.load_model(several=True)
    table = tmp_path / "new.csv"
    table_of().write_csv(table)
    networks = whole.members if isinstance(whole, Ensemble) else (whole,)
    for j, of_target in enumerate(run.targets.values()):
        alone = of_target.load_model()
        for model in networks:
            part = model.part(j)
            assert isinstance(part, Model)
            for weight, values in part.parameters.by_name.items():
                assert values.shape == model.parameters.by_name[weight].shape or weight.startswith("output.")
        assert alone.names == whole.names
    assert isinstance(whole.spec.target, MultiTarget)


@pytest.mark.slow
def test_predictions_of_all_targets_are_those_of_each(ensemble: Path, tmp_path: Path) -> None:
    together = predict(ensemble, table_of(), proba=True, interval=0.8, prediction_set=0.8)
    assert together.columns[:4] == ["prediction_price", "lower_80_price", "upper_80_price", "prediction_sold"]
    assert {"proba_sold_1", "set_80_sold", "proba_color_blue"} <= set(together.columns)
    price = predict(ensemble / "targets" / "price", table_of(), interval=0.8)
    color = predict(ensemble / "targets" / "color", table_of(), proba=True)
    assert together["upper_80_price"].to_list() == price["upper_80"].to_list()
    assert together["proba_color_red"].to_list() == color["proba_red"].to_list()
    with raises(UsageError):
        predict(ensemble, table_of().drop(TARGETS), keep=["x"], interval=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["network", "ensemble"])
def test_the_relative_loss_of_a_run_follows_from_the_scores_of_its_targets(
    name: str, request: pytest.FixtureRequest
) -> None:
    shown = show(request.getfixturevalue(name))
    for rows in ("training", "validation"):
        scores = {(score.target, score.metric): score for score in shown.scores if score.rows == rows}
        parts = [scores["price", "rmse"], scores["sold", "log_loss"], scores["color", "log_loss"]]
        ratios = [score.value / score.baseline for score in parts if score.value and score.baseline]
        ratios[0] **= 2
        assert scores[None, "relative_loss"].value == pytest.approx(np.mean(ratios))
        assert scores[None, "relative_loss"].baseline == 1.0


@pytest.mark.slow
def test_a_row_that_lacks_a_target_changes_no_score_of_it(network: Path) -> None:
    of_price, frame = network / "targets" / "price", table_of()
    more = pl.concat([frame, frame.with_columns(price=None)], how="vertical_relaxed")
    assert evaluate(of_price, more).scores == evaluate(of_price, frame).scores
    recorded = json.loads((of_price / "metrics.json").read_text())
    assert recorded["training"]["rows"] + recorded["validation"]["rows"] == frame["price"].count()


@pytest.mark.slow
def test_a_row_that_lacks_a_target_teaches_the_others(tmp_path: Path) -> None:
    frame = table_of()
    changed = frame.with_columns(sold=pl.when(pl.col("price").is_null()).then(1 - pl.col("sold")).otherwise("sold"))
    first, second = (train_on(tmp_path, frame=table, name=name) for table, name in ((frame, "a"), (changed, "b")))
    probabilities = [predict(run / "targets" / "sold", frame, proba=True) for run in (first, second)]
    assert not probabilities[0].equals(probabilities[1])


@pytest.mark.slow
def test_rows_without_any_target_are_left_out(tmp_path: Path) -> None:
    frame = table_of()
    empty = frame.head(20).with_columns(pl.lit(None).alias(name) for name in TARGETS)
    run = train_on(tmp_path, frame=pl.concat([frame, empty], how="vertical_relaxed"))
    manifest = Run.open(run).load_manifest()
    assert manifest.training_rows + manifest.validation_rows == len(frame)


@pytest.mark.slow
def test_a_stopped_training_is_resumed_to_the_same_bits(network: Path, tmp_path: Path) -> None:
    stopped = train_on(tmp_path, stop=stop_at(7))
    assert Run.open(stopped).load_manifest().status == "stopped"
    resumed = train(resume=stopped).run
    for folder in ("", *(f"targets/{name}" for name in TARGETS)):
        for name in ("model.safetensors", "held_out.safetensors", "metrics.json", "reference.safetensors"):
            assert (resumed / folder / name).read_bytes() == (network / folder / name).read_bytes(), (folder, name)


@pytest.mark.slow
def test_a_heavier_target_is_learned_better_in_the_training_rows(tmp_path: Path) -> None:
    runs = [train_on(tmp_path, f"target_weights={{price: {weight}}}", name=f"w{weight}") for weight in (0.01, 100.0)]
    losses = [
        json.loads((run / "targets/price/metrics.json").read_text())["training"]["metrics"]["rmse"] for run in runs
    ]
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_numbers_of_one_loss_that_no_row_lacks_are_one_kind(tmp_path: Path) -> None:
    table = tmp_path / "numbers.csv"
    rng = np.random.default_rng(0)
    pl.DataFrame(dict(zip("xab", rng.normal(size=(3, 60)), strict=True))).write_csv(table)
    run = train(table, target=["a", "b"], output=tmp_path / "run", set=SHORT).run
    assert isinstance(Run.open(run).load_model().spec.target, RegressionTarget)
    assert not Run.open(run).targets
    settings = [*SHORT, "loss={a: mse, b: mse}"]
    assert Run.open(train(table, target=["a", "b"], output=tmp_path / "side", set=settings).run).targets


@pytest.mark.slow
def test_several_columns_of_0_and_1_are_classes_unless_a_loss_says_otherwise(tmp_path: Path) -> None:
    table = tmp_path / "yes_no.csv"
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=80), "a": np.arange(80) % 2, "b": (np.arange(80) // 2) % 2})
    frame.write_csv(table)
    run = train(table, target=["a", "b"], output=tmp_path / "run", set=[*SHORT, "loss={a: auto}"]).run
    assert [run.load_model().spec.target.labels for run in Run.open(run).targets.values()] == [("0", "1")] * 2
    numbers = train(table, target=["a", "b"], output=tmp_path / "numbers", set=[*SHORT, "loss=mse"]).run
    assert isinstance(Run.open(numbers).load_model().spec.target, RegressionTarget)


@pytest.mark.slow
def test_a_mapping_gives_some_targets_a_loss(tmp_path: Path) -> None:
    frame = table_of().with_columns(price=pl.col("price").abs() + 1.0)
    run = train_on(tmp_path, "loss={price: gamma}", frame=frame)
    assert isinstance(Run.open(run).targets["price"].load_model().spec.loss, GammaLoss)
    with raises(DataError):
        train_on(tmp_path, "loss={color: mse}", name="wrong")


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("class_weight=balanced", "class_weight"),
        ("positive_class=1", "positive_class"),
        ("output_activation=tanh", "output_activation"),
        ("private=true", "private"),
    ],
)
def test_what_is_about_one_target_is_refused_for_several(setting: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train_on(tmp_path, setting)
    (issue,) = caught.value.issues
    assert issue.location.key == key


@pytest.mark.slow
def test_an_order_of_classes_is_that_of_the_target_with_ordered_classes(tmp_path: Path) -> None:
    order = "data.order=[green, red, blue]"
    for settings in ([], ["loss={color: ordinal}"]):
        run = train_on(tmp_path, *settings, order, name=f"run{len(settings)}")
        assert Run.open(run).targets["color"].load_model().spec.target.labels == ("green", "red", "blue")
    with raises(ConfigError, key="data.order"):
        train_on(tmp_path, "data.order=[green, red]", name="without")


def test_a_target_without_a_weighted_row_is_an_error_at_its_column(tmp_path: Path) -> None:
    frame = table_of().with_columns(w=pl.col("price").is_null().cast(pl.Int64))
    with raises(DataError, column="price"):
        train_on(tmp_path, "data.sample_weight=w", frame=frame)


@pytest.mark.slow
def test_a_sample_of_rows_may_have_missing_cells_of_the_first_target(tmp_path: Path) -> None:
    frame = table_of().with_columns(price=pl.col("color"), color=pl.col("price"))
    assert Run.open(train_on(tmp_path, "data.sample=100", frame=frame)).load_manifest().status == "done"


def test_the_relative_loss_is_undefined_where_a_target_has_no_row(network: Path) -> None:
    run = Run.open(network)
    target, rows = run.load_model(several=True).spec.target, run.load_held_out()
    assert rows is not None
    y = rows.y.copy()
    y[:, 0] = np.nan
    assert np.isnan(target.metric("relative_loss")(y, rows.predictions.values, None))


@pytest.mark.parametrize("setting", ["loss={prize: mse}", "target_weights={prize: 2}"])
def test_a_mapping_names_targets_of_the_configuration(setting: str, tmp_path: Path) -> None:
    with raises(ConfigError):
        train_on(tmp_path, setting)


def test_what_is_about_one_target_says_how_its_run_is_named(network: Path, tmp_path: Path) -> None:
    for work in (lambda: threshold(network), lambda: export(network, tmp_path / "model.onnx")):
        with pytest.raises(UsageError) as caught:
            work()
        assert str(network / "targets" / "sold") in str(caught.value.hint)
    assert threshold(network / "targets" / "sold").rows


@pytest.mark.slow
def test_a_run_is_evaluated_explained_and_compared_with_new_rows_target_by_target(network: Path) -> None:
    of_run = {name: network / "targets" / name for name in TARGETS}
    evaluation = evaluate(network, table_of(), interval=0.8, prediction_set=0.8)
    assert {name: of_target.scores for name, of_target in evaluation.targets.items()} == {
        name: evaluate(run, table_of()).scores for name, run in of_run.items()
    }
    assert all(of_target.uncertainty is not None for of_target in evaluation.targets.values())
    with raises(UsageError):
        evaluate(network, table_of(), interval=1.5)
    explanation = explain(network, table_of())
    assert list(explanation.targets) == TARGETS
    assert explanation.targets["color"].json() == explain(of_run["color"], table_of()).json()
    assert explain(network, table_of(), target="color").json() == explanation.targets["color"].json()
    with raises(UsageError):
        explain(network, table_of(), target="colour")
    notes: list[str] = []
    result = drift(network, table_of(), on_note=notes.append)
    assert result.targets["sold"].json() == drift(of_run["sold"], table_of()).json()
    assert not result.has_drift
    assert len(notes) == len({*notes})


@pytest.mark.slow
def test_a_loaded_run_predicts_and_evaluates_all_targets(ensemble: Path) -> None:
    loaded = load(ensemble)
    assert loaded.target == tuple(TARGETS)
    assert loaded.targets["color"].classes == ("blue", "green", "red")
    predicted = loaded.predict(table_of(), proba=True, interval=0.8, prediction_set=0.8)
    assert predicted.equals(predict(ensemble, table_of(), proba=True, interval=0.8, prediction_set=0.8))
    evaluation = loaded.evaluate(table_of(), interval=0.8, prediction_set=0.8)
    assert evaluation.json() == evaluate(ensemble, table_of(), interval=0.8, prediction_set=0.8).json()
    with raises(UsageError):
        loaded.predict(table_of(), interval=1.5)


def test_the_run_of_a_target_is_neither_trained_further_nor_a_teacher(network: Path, tmp_path: Path) -> None:
    of_price = network / "targets" / "price"
    with raises(UsageError):
        train(resume=of_price)
    for run in (network, of_price):
        with raises(UsageError):
            distill(run, output=tmp_path / "student")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".py", ".onnx"])
@pytest.mark.parametrize("target", TARGETS)
def test_an_exported_target_predicts_the_same(network: Path, target: str, suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    exported = export(network / "targets" / target, tmp_path / f"model{suffix}")
    assert exported.comparison is not None
    assert exported.comparison.is_match


@pytest.mark.slow
def test_a_cross_validation_scores_each_target(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table_of().write_csv(table)
    result = cross_validate(table, target=TARGETS, set=SHORT, folds=3, output=tmp_path / "cv")
    assert result is not None
    assert list(result.targets) == TARGETS
    assert len(result.targets["price"].predictions) == table_of()["price"].count()
    assert {"prediction_price", "proba_color_red"} <= set(result.predictions.columns)
    assert predict(tmp_path / "cv", table_of()).columns == [f"prediction_{name}" for name in TARGETS]
    again = cross_validate(resume=tmp_path / "cv")
    assert again is not None
    assert again.json() == result.json()


@pytest.mark.slow
def test_a_search_compares_trials_by_the_relative_loss(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table_of().write_csv(table)
    settings = [*SHORT, "epochs=1"]
    result = tune(
        table,
        target=TARGETS,
        set=settings,
        search=["learning_rate=0.001..0.1"],
        trials=2,
        folds=2,
        output=tmp_path / "s",
    )
    assert result is not None
    assert all(trial.score is not None for trial in result.trials)


@pytest.mark.slow
def test_a_target_may_be_named_type(tmp_path: Path) -> None:
    frame = table_of().rename({"color": "type"})
    frame.write_csv(tmp_path / "t.csv")
    settings = [*SHORT, "loss={price: huber, type: cross_entropy}"]
    run = train(tmp_path / "t.csv", target=["price", "type"], output=tmp_path / "run", set=settings).run
    losses = {name: of_target.load_model().spec.loss.type for name, of_target in Run.open(run).targets.items()}
    assert losses == {"price": "huber", "type": "cross_entropy"}


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 2])
def test_a_training_that_is_stopped_in_its_first_epoch_has_a_run_of_each_target(batches: int, tmp_path: Path) -> None:
    stopped = train_on(tmp_path, "batch_size=16", stop=stop_at(batches))
    manifest = Run.open(stopped).load_manifest()
    assert (manifest.status, manifest.best_epoch) == ("stopped", 0)
    rows = table_of(20)
    together = predict(stopped, rows)
    for name in TARGETS:
        alone = predict(stopped / "targets" / name, rows)["prediction"]
        assert together[f"prediction_{name}"].to_list() == alone.to_list()
