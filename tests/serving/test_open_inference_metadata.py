from collections.abc import Mapping

import pytest

from nncli.serving.models.served_model import ServedModel, default_options
from nncli.serving.open_inference import model_metadata, server_metadata
from nncli.version import __version__


def test_the_server_has_binary_data() -> None:
    assert server_metadata() == {"name": "nncli", "version": __version__, "extensions": ["binary_tensor_data"]}


def test_inputs_are_the_columns_of_the_model(models: Mapping[str, ServedModel]) -> None:
    metadata = model_metadata(models["number"])
    assert (metadata["name"], metadata["versions"]) == ("number", [models["number"].version])
    assert {item["name"]: item["datatype"] for item in metadata["inputs"]} == {
        "x": "FP64",
        "rate": "FP64",
        "count": "FP64",
        "price": "FP64",
        "size": "BYTES",
        "color": "BYTES",
        "flag": "BYTES",
        "day": "BYTES",
        "note": "BYTES",
    }
    assert all(item["shape"] == [-1] for item in [*metadata["inputs"], *metadata["outputs"]])


@pytest.mark.parametrize(
    ("model", "outputs"),
    [
        ("number", {"prediction": "FP64"}),
        ("quantiles", {"prediction": "FP64", "quantile_10": "FP64", "quantile_50": "FP64", "quantile_90": "FP64"}),
        ("numbers", {"prediction_y": "FP64", "prediction_z": "FP64"}),
        ("two", {"prediction": "BYTES", "proba_no": "FP32", "proba_yes": "FP32"}),
    ],
)
def test_outputs_are_the_columns_of_predictions(
    models: Mapping[str, ServedModel], model: str, outputs: dict[str, str]
) -> None:
    assert {item["name"]: item["datatype"] for item in model_metadata(models[model])["outputs"]} == outputs


def test_probabilities_are_the_default_of_classes_alone(models: Mapping[str, ServedModel]) -> None:
    assert default_options(models["many"]).proba
    assert not default_options(models["number"]).proba
