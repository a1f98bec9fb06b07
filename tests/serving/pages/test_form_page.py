from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.base.web_page import source_hash
from nncli.serving.models.served_model import ServedModel
from nncli.serving.pages.form_page import Links, content_security_policy, login_page, model_page
from nncli.serving.server_options import BearerToken, ServerOptions
from tests.analysis.report.support import hostile_run
from tests.exporters.test_form import Elements
from tests.integrations.html.test_page import Skeleton, inner
from tests.serving.trained import CONFIGS

OPTIONS = ServerOptions(max_body=2_500_000, max_rows=1_234)
ALONE = Links(("number",), is_first_page=True)


def page_of(model: ServedModel, links: Links = ALONE, options: ServerOptions = OPTIONS) -> str:
    return model_page(model, options, links)


def data_of(page: str) -> Any:
    """What the scripts know."""
    return json.loads(part_of(page, '<script type="application/json" id="data">'))


def script_of(page: str) -> str:
    return part_of(page, '<script type="module">')


def part_of(page: str, start: str) -> str:
    assert page.count(start) == 1
    return page.partition(start)[2].partition("</script>")[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_script_and_the_style_are_those_of_the_policy_for_every_model(
    models: Mapping[str, ServedModel], name: str
) -> None:
    policy = {words[0]: words[1:] for words in (part.split() for part in content_security_policy().split(";"))}
    for page in (page_of(models[name]), login_page()):
        assert policy["script-src"] == [f"'{source_hash(script_of(page))}'"]
        assert policy["style-src"] == [f"'{source_hash(inner(page, 'style'))}'"]
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["connect-src"] == ["'self'"]


def test_the_page_loads_nothing_and_has_no_code_in_attributes(models: Mapping[str, ServedModel]) -> None:
    result = Elements(page_of(models["number"]))
    addresses = [
        value for _, attributes in result.elements for key, value in attributes.items() if key in ("src", "href")
    ]
    assert addresses == ["data:,", "#answer", "docs", "#answer"]
    assert not [1 for _, attributes in result.elements for key in attributes if key.startswith("on") or key == "style"]


def test_every_control_has_a_label_and_every_id_is_unique(models: Mapping[str, ServedModel]) -> None:
    for name in CONFIGS:
        result = Elements(page_of(models[name]))
        ids = [attributes["id"] for _, attributes in result.elements if "id" in attributes]
        assert len({*ids}) == len(ids)
        assert {attributes.get("for") for attributes in result.attributes("label")} >= {f"i{i}" for i in range(9)}
        named = [
            attributes.get(key) for _, attributes in result.elements for key in ("aria-describedby", "aria-labelledby")
        ]
        assert {word for words in named if words for word in words.split()} <= {*ids, "preview-title"}


def test_numbers_are_asked_for_with_their_interval_and_classes_with_probabilities_and_sets(
    models: Mapping[str, ServedModel],
) -> None:
    number, classes = (data_of(page_of(models[name]))["page"] for name in ("number", "many"))
    assert number["query"] == "interval=0.9&flag_unusual=true&effects=true"
    assert number["output"]["targets"][0]["ranges"] == [["90 % interval", "lower_90", "upper_90"]]
    assert classes["query"] == "proba=true&prediction_set=0.9&flag_unusual=true&effects=true"
    assert classes["output"]["sets"] == [["90 % set", "set_90"]]


def test_several_targets_and_quantiles_have_ranges_of_their_own(models: Mapping[str, ServedModel]) -> None:
    targets = data_of(page_of(models["numbers"]))["page"]["output"]["targets"]
    assert [(target["shown"], target["column"]) for target in targets] == [("y", "prediction_y"), ("z", "prediction_z")]
    assert targets[1]["ranges"] == [["90 % interval", "lower_90_z", "upper_90_z"]]
    (quantiles,) = data_of(page_of(models["quantiles"]))["page"]["output"]["targets"]
    assert quantiles["ranges"][1] == ["10 % to 90 % quantile", "quantile_10", "quantile_90"]


def test_a_model_without_held_out_rows_is_asked_for_neither_intervals_nor_sets(
    models: Mapping[str, ServedModel],
) -> None:
    for name, query in (
        ("number", "flag_unusual=true&effects=true"),
        ("two", "proba=true&flag_unusual=true&effects=true"),
    ):
        model = models[name]
        assert model.held_out is not None
        few = replace(model, held_out=model.held_out.take(np.array([0])), _calibrations={})
        page = page_of(few)
        assert data_of(page)["page"]["query"] == query
        assert "90 %" not in page


def test_columns_that_were_never_missing_are_known(models: Mapping[str, ServedModel]) -> None:
    inputs = {item["name"]: item for item in data_of(page_of(models["number"]))["inputs"]}
    complete = [item["complete"] for item in data_of(page_of(models["number"]))["page"]["inputs"]]
    required = [name for name, item in zip(inputs, complete, strict=True) if item]
    assert required == [*models["number"].schema.required]


def test_the_limits_of_tables_are_said(models: Mapping[str, ServedModel]) -> None:
    page = page_of(models["number"])
    assert "1,234 rows and 2.5 MB" in page
    assert data_of(page)["page"]["maxBody"] == 2_500_000


def test_several_models_have_links_to_each_other(models: Mapping[str, ServedModel]) -> None:
    names = ("number", "a b/ü<")
    first = Elements(page_of(models["number"], Links(names, is_first_page=True)))
    addresses = [attributes["href"] for attributes in first.attributes("a") if "models/" in str(attributes.get("href"))]
    assert addresses == ["models/number/", "models/a%20b%2F%C3%BC%3C/"]
    other = Elements(page_of(models["number"], Links(names, is_first_page=False)))
    (current,) = [attributes for attributes in other.attributes("a") if attributes.get("aria-current") == "page"]
    assert current["href"] == "../../models/number/"
    assert [attributes["href"] for attributes in other.attributes("a") if "docs" in str(attributes.get("href"))] == [
        "../../docs"
    ]


def test_a_server_with_a_token_has_no_link_that_would_need_it(
    models: Mapping[str, ServedModel], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t" * 32)
    page = page_of(models["number"], options=replace(OPTIONS, token=BearerToken(tmp_path / "token")))
    assert [attributes["href"] for attributes in Elements(page).attributes("a") if "href" in attributes] == [
        "#answer",
        "#answer",
    ]
    assert "t" * 32 not in page


@pytest.mark.slow
def test_hostile_names_and_categories_are_text(tmp_path: Path, models: Mapping[str, ServedModel]) -> None:
    model = ServedModel.load("</script>", hostile_run(tmp_path))
    page = page_of(model)
    allowed = {*Skeleton(page_of(models["many"])).tags}
    assert {*Skeleton(page).tags} <= allowed
    assert len([tag for tag, _ in Elements(page).elements if tag == "script"]) == 2
    assert data_of(page)["inputs"][0]["name"] == "<script>alert(1)</script>"
