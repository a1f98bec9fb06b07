from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest

from nncli.serving.models.served_model import ServedModel
from nncli.serving.open_inference import model_metadata, server_metadata
from tests.serving.clients.expected import predicted


@pytest.fixture(scope="module")
def answers(call: Callable[[str], Any]) -> Any:
    return call("triton_client.py")


def test_the_server_and_its_models_are_ready_and_others_are_not(answers: Any) -> None:
    assert answers["live"] == [True, True]
    assert answers["ready"] == [True, True, False]


def test_metadata_is_that_of_the_models(answers: Any, models: Mapping[str, ServedModel]) -> None:
    assert answers["server"] == server_metadata()
    assert answers["models"] == {name: model_metadata(models[name]) for name in ("number", "two")}


@pytest.mark.parametrize("binary", [True, False])
def test_infer_has_the_predictions_of_predict(
    answers: Any, table: pl.DataFrame, models: Mapping[str, ServedModel], binary: bool
) -> None:
    classes = predicted(models["two"], table, proba=True)
    assert answers[f"number {binary}"] == predicted(models["number"], table)["prediction"].to_list()
    assert answers[f"two {binary}"] == classes["prediction"].to_list()
    assert answers[f"proba {binary}"] == classes["proba_yes"].to_list()
    assert answers[f"id {binary}"] == "7"


def test_parameters_and_versions_are_understood(
    answers: Any, table: pl.DataFrame, models: Mapping[str, ServedModel]
) -> None:
    assert answers["lower"] == predicted(models["number"], table, interval=0.9)["lower_90"].to_list()


def test_the_client_shows_what_is_wrong(answers: Any) -> None:
    assert [status for status, _ in answers["errors"]] == ["404", "422", "400"]
    assert all(word in text for (_, text), word in zip(answers["errors"], ("other", "'x'", "temperature"), strict=True))
