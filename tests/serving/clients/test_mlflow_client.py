from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest

from nncli.serving.models.served_model import ServedModel
from nncli.version import __version__
from tests.serving.clients.expected import predicted


@pytest.fixture(scope="module")
def answers(call: Callable[[str], Any]) -> Any:
    return call("mlflow_client.py")


def test_the_client_finds_the_server_ready_and_its_version(answers: Any) -> None:
    assert answers["version"] == __version__


def test_a_frame_of_pandas_has_the_predictions_of_predict(
    answers: Any, table: pl.DataFrame, models: Mapping[str, ServedModel]
) -> None:
    expected = predicted(models["number"], table)
    assert answers["frame"] == answers["records"] == expected["prediction"].to_list()


def test_parameters_add_columns(answers: Any, table: pl.DataFrame, models: Mapping[str, ServedModel]) -> None:
    assert answers["interval"] == predicted(models["number"], table, interval=0.9).to_dict(as_series=False)


@pytest.mark.parametrize(
    ("name", "status", "words"), [("parameter", 400, "temperature"), ("column", 422, "'x'"), ("array", 400, "row 1")]
)
def test_the_client_shows_what_is_wrong(answers: Any, name: str, status: int, words: str) -> None:
    assert f"error code {status}" in answers["errors"][name]
    assert words in answers["errors"][name]
