from collections.abc import Mapping

from nncli.serving.models.served_model import ServedModel, empty_predictions


def test_the_columns_are_those_of_predictions_with_probabilities(models: Mapping[str, ServedModel]) -> None:
    assert empty_predictions(models["two"]).columns == ["prediction", "proba_no", "proba_yes"]
    assert empty_predictions(models["numbers"]).columns == ["prediction_y", "prediction_z"]
    assert all(len(empty_predictions(model)) == 0 for model in models.values())
