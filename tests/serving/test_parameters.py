from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import pytest

from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.parameters import MAX_LEVELS, check_effects, parse_parameters
from nncli.serving.problems import ProblemError
from tests.serving.asgi_client import AsgiClient
from tests.serving.bodies.test_table_body import ROW


def parsed(query: str) -> PredictionOptions:
    return parse_parameters(parse_qsl(query, keep_blank_values=True))


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", PredictionOptions()),
        ("proba=true", PredictionOptions(proba=True)),
        ("proba=0", PredictionOptions()),
        ("effects=1", PredictionOptions(effects=True)),
        ("flag_unusual=true", PredictionOptions(flag_unusual=True)),
        ("at=30,90.5", PredictionOptions(at=(30.0, 90.5))),
        ("at=30&at=90", PredictionOptions(at=(30.0, 90.0))),
        ("interval=0.9", PredictionOptions(interval=(0.9,))),
        ("interval=.9&interval=0.5", PredictionOptions(interval=(0.9, 0.5))),
        (
            "prediction_set=0.8&per_class=true&conformity_score=aps",
            PredictionOptions(prediction_set=(0.8,), per_class=True, conformity_score="aps"),
        ),
    ],
)
def test_parameters_are_options(query: str, options: PredictionOptions) -> None:
    assert parsed(query) == options


@pytest.mark.parametrize(
    ("query", "mentions"),
    [
        ("intervall=0.9", "'interval'"),
        ("nonsense=1", "'proba'"),
        ("proba=maybe", "true or false"),
        ("at=soon", "30,90"),
        ("proba=", "true or false"),
        ("proba=true&proba=true", "Leave out"),
        ("interval=90", "interval=0.9"),
        ("interval=0", "interval=0.9"),
        ("interval=1", "interval=0.9"),
        ("interval=nan", "interval=0.9"),
        ("interval=1e-3", "interval=0.9"),
        ("interval=0.12345678901", "interval=0.9"),
        ("interval=0.9001", "three digits"),
        ("prediction_set=", "prediction_set=0.9"),
        ("conformity_score=x", "lac or aps"),
        ("&".join(["interval=0.9"] * (MAX_LEVELS + 1)), "Leave out"),
        (f"{'p' * 10_000}=1", "'proba'"),
    ],
)
def test_bad_parameters_are_refused(query: str, mentions: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parsed(query)
    assert caught.value.problem.status == 400
    assert mentions in str(caught.value.problem.hint)


@pytest.mark.parametrize(
    "target",
    [
        "/models/number/predict?proba=true",
        "/models/number/predict?prediction_set=0.9",
        "/models/two/predict?interval=0.9",
        "/models/two/predict?per_class=true",
        "/models/two/predict?conformity_score=aps",
        "/models/number/predict?interval=0.999",
    ],
)
def test_what_a_model_does_not_have_is_refused(client: AsgiClient, target: str) -> None:
    problem = client.post_json(target, ROW).problem(400)
    assert "--" not in problem["detail"] + problem.get("hint", "")


@pytest.mark.slow
def test_any_number_of_levels_leaves_few_calibrations(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    for k in range(40):
        assert client.post_json(f"/models/number/predict?interval=0.{50 + k % 40}", ROW).status == 200
    assert len(models["number"]._calibrations) <= 16


def test_the_effects_of_very_many_rows_are_refused(models: Mapping[str, ServedModel]) -> None:
    check_effects(PredictionOptions(), 10**9, models["number"])
    check_effects(PredictionOptions(effects=True), 3, models["number"])
    with pytest.raises(ProblemError):
        check_effects(PredictionOptions(effects=True), 10**9, models["number"])
