"""Classifier and regressor: what they share with `nncli train`, and with scikit-learn."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nncli import load, predict, train
from nncli.config.schema import Config
from nncli.models.ensemble import Ensemble
from nncli.models.model import Model
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Layer, Scale
from nncli.run_directory.run import Run
from nncli.sklearn import NNClassifier, NNRegressor, NNSurvivalAnalysis
from nncli.sklearn.estimators import NOT_KEYS
from tests.cli.support import DATA, ROOT

PENGUINS = pl.read_csv(DATA / "penguins.csv", null_values="NA").drop("year")
X, Y = PENGUINS.drop("species"), PENGUINS["species"]
LINE = pl.read_csv(DATA / "linear.csv")


def quick(**more: Any) -> NNClassifier:
    return NNClassifier(**{"layers": [8], "epochs": 12, "learning_rate": 0.02, "random_state": 7, **more})


def quick_regressor(**more: Any) -> NNRegressor:
    return NNRegressor(**{"layers": [4], "epochs": 8, "learning_rate": 0.02, "random_state": 7, **more})


def first_layer(estimator: NNClassifier) -> Layer:
    model = estimator._loaded.model
    assert isinstance(model, Model)
    return model.spec.network.layers[0]


@pytest.fixture(scope="module")
def fitted() -> NNClassifier:
    """Not to be changed."""
    return quick().fit(X, Y)


def test_it_learns_from_text_numbers_and_missing_cells_as_nncli_does(fitted: NNClassifier, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"{{data: {{path: {DATA}/penguins.csv, target: species, drop: [year]}}, layers: [8], epochs: 12, "
        "learning_rate: 0.02, seed: 7}"
    )
    run = train(config, output=tmp_path / "run").run
    P = predict(run, X, proba=True).drop("prediction").to_numpy()
    assert np.array_equal(fitted.predict_proba(X).astype(np.float32), P)
    assert fitted.score(X, Y) > 0.9
    assert list(fitted.feature_names_in_) == X.columns


def test_frames_of_pandas_and_polars_are_one(fitted: NNClassifier) -> None:
    frame = pd.DataFrame({name: X[name].to_list() for name in X.columns})
    assert np.array_equal(fitted.predict_proba(frame), fitted.predict_proba(X))
    other = quick().fit(frame, pd.Series(Y.to_list()))
    assert np.array_equal(other.predict_proba(X), fitted.predict_proba(X))


def test_an_array_of_objects_holds_text_and_numbers() -> None:
    rows = np.array([["a", 1.5], ["b", None], ["a", np.nan], ["b", 2]] * 10, dtype=object)
    y = np.array([0, 1] * 20)
    classifier = quick(epochs=40).fit(rows, y)
    assert classifier.score(rows, y) == 1.0
    assert not hasattr(classifier, "feature_names_in_")


@pytest.mark.parametrize(
    "labels",
    [["x", "y"], ["10", "9"], ["0.5", "1.5"], ["nan", "1"], ["NA", ""], [10, -9], [True, False], [1.0, 2.0]],
    ids=[
        "text",
        "text of numbers",
        "of fractions",
        "no number",
        "words for missing",
        "whole numbers",
        "booleans",
        "floats",
    ],
)
def test_classes_of_any_type_come_back_as_they_were(labels: list[Any]) -> None:
    x, codes = make_blobs(60, centers=[[-3, 0], [3, 0]], random_state=0)
    y = np.array(labels)[codes]
    classifier = quick(epochs=30).fit(x, y)
    assert classifier.predict(x).dtype == y.dtype
    assert classifier.score(x, y) == 1.0
    assert np.array_equal(classifier.classes_, np.unique(y))


def test_the_same_seed_has_the_same_bits_and_none_is_drawn_from_the_global_generator() -> None:
    def said(seed: Any) -> bytes:
        return bytes(quick(epochs=1, random_state=seed).fit(X, Y).predict_proba(X).tobytes())

    assert said(3) == said(3) != said(4)
    assert said(np.random.RandomState(3)) == said(np.random.RandomState(3))
    np.random.seed(5)
    drawn = said(None)
    assert drawn != said(None)
    np.random.seed(5)
    assert drawn == said(None)


def test_a_copy_predicts_the_same_and_holds_bytes_alone(fitted: NNClassifier) -> None:
    state = fitted.__getstate__()
    assert "_loaded" not in state
    assert all(isinstance(content, bytes) for content in state["run_files_"].values())
    assert np.array_equal(copy.deepcopy(fitted).predict_proba(X), fitted.predict_proba(X))
    copy.deepcopy(quick()).fit(X, Y)


def test_saved_it_is_a_run_directory(fitted: NNClassifier, tmp_path: Path) -> None:
    run = fitted.save(tmp_path / "runs" / "saved")
    assert Run.open(run).load_manifest().status == "done"
    assert load(run).predict(DATA / "penguins.csv")["prediction"].to_list() == fitted.predict(X).tolist()
    with pytest.raises(FileExistsError):
        fitted.save(run)


def test_the_history_and_the_notes_are_those_of_the_training(fitted: NNClassifier) -> None:
    assert fitted.n_iter_ == 12
    assert fitted.history_["epoch"].to_list() == list(range(1, 13))
    noted = quick(epochs=1).fit(X.with_columns(nothing=pl.lit(None, pl.Float64)), Y)
    assert noted.notes_ == ("ignored 'nothing': no value in any training row",)


def test_members_are_averaged_and_each_has_its_history() -> None:
    single = quick_regressor(members=2, n_jobs=1).fit(LINE.drop("y"), LINE["y"])
    assert single.history_["member"].unique().sort().to_list() == [1, 2]
    assert isinstance(single._loaded.model, Ensemble)
    assert np.array_equal(copy.deepcopy(single).predict(LINE.drop("y")), single.predict(LINE.drop("y")))


def test_several_numbers_are_predicted_at_once() -> None:
    x, y = LINE.select("x1").to_numpy(), LINE.select("x2", "y").to_numpy()
    assert quick_regressor().fit(x, y).predict(x).shape == y.shape
    assert quick_regressor().fit(x, y[:, :1]).predict(x).shape == (len(x), 1)
    assert quick_regressor().fit(x, y[:, 1]).predict(x).shape == (len(x),)


def test_a_feature_may_have_the_name_that_the_target_would_have_had() -> None:
    numbers, w = LINE.select("x1", "x2"), np.ones(len(LINE))
    wanted = quick_regressor().fit(numbers, LINE["y"], w).predict(numbers)
    named = numbers.rename({"x1": "y", "x2": "weight"})
    assert np.array_equal(quick_regressor().fit(named, LINE["y"], w).predict(named), wanted)


def test_columns_may_have_any_name() -> None:
    frame = LINE.select("x1", "x2").rename({"x1": "", "x2": 'a\x1b[31m\n,"'})
    wanted = quick_regressor().fit(LINE.select("x1", "x2"), LINE["y"]).predict(LINE.select("x1", "x2"))
    assert np.array_equal(quick_regressor().fit(frame, LINE["y"]).predict(frame), wanted)


def test_rows_of_weight_zero_are_as_good_as_not_there() -> None:
    w = np.arange(len(X)) % 2
    weighted = quick().fit(X, Y, w).predict_proba(X)
    assert np.array_equal(
        weighted, quick().fit(X.filter(pl.Series(w == 1)), Y.filter(pl.Series(w == 1))).predict_proba(X)
    )


def test_a_class_without_weighted_rows_has_probability_zero() -> None:
    classifier = quick(epochs=2).fit(X, Y, (Y != "Chinstrap").to_numpy().astype(float))
    assert list(classifier.classes_) == ["Adelie", "Chinstrap", "Gentoo"]
    assert (classifier.predict_proba(X)[:, 1] == 0.0).all()


def test_classes_may_be_weighted_by_their_own_names() -> None:
    x, y = make_blobs(80, centers=[[-1, 0], [1, 0]], random_state=0)
    wanted = {1: 50.0, 0: 0.02}
    assert quick(epochs=30, class_weight=wanted).fit(x, y).predict(x).mean() > 0.95
    assert quick(epochs=2, class_weight="balanced").fit(x, y).n_iter_ == 2


def test_it_goes_into_pipelines_and_searches() -> None:
    x, y = make_blobs(90, centers=3, random_state=1)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick()),
        {"nnclassifier__layers": [[], [8]], "nnclassifier__learning_rate": np.array([1e-5, 0.05])},
        cv=2,
        error_score="raise",
    ).fit(x, y)
    assert search.best_params_["nnclassifier__learning_rate"] == 0.05
    assert search.score(x, y) > 0.9
    assert cross_val_score(quick(), X, Y, cv=2, error_score="raise").min() > 0.8
    scaled = TransformedTargetRegressor(quick_regressor(), transformer=StandardScaler()).fit(x, y)
    assert scaled.predict(x).shape == (90,)


@pytest.mark.parametrize("estimator", [NNClassifier(), NNRegressor(), NNSurvivalAnalysis()])
def test_every_parameter_is_a_key_of_the_configuration_or_documented_as_none(estimator: Any) -> None:
    document = (ROOT / "docs" / "python.md").read_text("utf-8")
    names = estimator.get_params().keys()
    assert names - Config.model_fields.keys() == {*NOT_KEYS}
    assert all(f"`{name}`" in document for name in names)
    assert all(value is None for value in estimator.get_params().values())


def test_parameters_stand_above_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("{data: {path: nowhere.csv, target: [a]}, layers: [3], epochs: 2, optimizer: sgd}")
    said = [
        quick(config=config, epochs=3).fit(X, Y).predict_proba(X)
        for config in (path, str(path), {"layers": (3,), "epochs": 2, "optimizer": "sgd"})
    ]
    textbook = quick(config=path, layers=None).fit(X, Y)
    assert textbook.n_iter_ == 12
    layer = first_layer(textbook)
    assert isinstance(layer, Dense)
    assert layer.units == 3
    assert all(np.array_equal(item, said[0]) for item in said)


def test_without_layers_it_is_an_ensemble_of_the_preset() -> None:
    classifier = clone(quick(layers=None, learning_rate=None, epochs=1)).fit(X, Y)
    model = classifier._loaded.model
    assert isinstance(model, Ensemble)
    assert [member.spec.network.layers[0] for member in model.members] == [Scale()] * 4
    assert quick(layers=None, learning_rate=None, epochs=1, quality="balanced", members=2).fit(X, Y).n_iter_ == 1


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (quick(optimizer="addam"), "did you mean 'adam'"),
        (quick(config={"epoch": 3}), "did you mean 'epochs'"),
        (quick(loss="mse"), "the loss mse is for regression"),
        (quick(quality="fast"), "only the preset tabular"),
        (quick(config="nowhere.yaml"), "no such file"),
        (quick(config={"data": 7}), "data: expected key: value pairs"),
        (quick(validation={"path": "nowhere.csv"}), "^nowhere.csv: there is no such file"),
        (quick_regressor(class_weight="balanced"), "not a class"),
        (quick_regressor(loss="cross_entropy"), "is for classification"),
        (quick_regressor(loss="poisson"), "the training rows, row 1, column 'y'"),
    ],
)
def test_a_mistake_is_a_value_error_that_says_what_it_is(estimator: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimator.fit(np.arange(20.0).reshape(10, 2), [-1, 1] * 5)


def test_rows_that_do_not_fit_are_refused(fitted: NNClassifier) -> None:
    with pytest.raises(ValueError, match="minimum of 2"):
        quick().fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X.rename({"sex": "gender"}))
    with pytest.raises(ValueError, match="not a number"):
        fitted.predict(X.with_columns(body_mass_g=pl.lit("heavy")))
    with pytest.raises(ValueError, match="not a finite number"):
        quick_regressor().fit(LINE.select("x1").with_columns(x2=pl.lit(np.inf)), LINE["y"])
    with pytest.raises(ValueError, match="unique column names"):
        quick().fit(pd.DataFrame(np.eye(4), columns=list("abca")), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="0 feature"):
        quick().fit(pd.DataFrame(index=range(4)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="Negative"):
        quick().fit(X, Y, -np.ones(len(X)))


def test_without_scikit_learn_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['sklearn'] = None\ntry:\n import nncli.sklearn\n"
    program += "except ImportError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'nncli-train[sklearn]'" in done.stdout


def test_a_classifier_predicts_sets_of_its_classes(fitted: NNClassifier) -> None:
    mask = fitted.predict_set(X, prediction_set=0.9)
    with pytest.raises(ValueError, match="one level at a time"):
        fitted.predict_set(X, [0.5, 0.9])  # type: ignore[arg-type]
    assert mask.shape == (len(X), 3)
    assert mask[np.arange(len(Y)), np.searchsorted(fitted.classes_, Y.to_numpy())].mean() > 0.85
    assert fitted.predict_set(X, 0.98, conformity_score="aps", per_class=True).sum() > mask.sum()
    with pytest.raises(ValueError, match="needs 9,999 rows"):
        fitted.predict_set(X, 0.9999)


def test_a_regressor_predicts_intervals_in_the_shape_of_y() -> None:
    X, y = LINE.select("x1", "x2").to_numpy(), LINE["y"].to_numpy()
    flat = quick_regressor().fit(X, y)
    lower, upper = flat.predict_interval(X, interval=0.9)
    with pytest.raises(ValueError, match="one level at a time"):
        flat.predict_interval(X, [0.5, 0.9])  # type: ignore[arg-type]
    assert lower.shape == upper.shape == y.shape
    assert ((lower <= y) & (y <= upper)).mean() > 0.85
    assert quick_regressor().fit(X, np.column_stack([y, -y])).predict_interval(X)[0].shape == (len(y), 2)
