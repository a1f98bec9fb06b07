import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from nncli.serving.app import ROUTES
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import component_keys, openapi_document
from tests.serving.asgi_client import AsgiClient

OFFICIAL = json.loads((Path(__file__).parent / "official" / "openapi-3.1.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def document(client: AsgiClient) -> Any:
    return client.get("/openapi.json").json


def _operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


@pytest.mark.slow
@pytest.mark.parametrize("has_token", [False, True])
def test_the_document_is_valid(models: Mapping[str, ServedModel], has_token: bool) -> None:
    document = openapi_document(list(models.values()), has_token=has_token)
    jsonschema.Draft202012Validator(OFFICIAL).validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert ("security" in document) == ("securitySchemes" in document["components"]) == has_token


def test_references_lead_to_components(document: Any) -> None:
    references = set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(document)))
    assert references
    assert all(name in document["components"][kind] for kind, name in references)


def test_operations_have_different_names(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)


def test_every_address_of_the_server_is_described_and_no_other(
    document: Any, models: Mapping[str, ServedModel]
) -> None:
    served = {
        (route.path.replace("{model}", quote(name, safe="")), method.lower())
        for route in ROUTES
        for name in models
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }
    assert {(path, method) for path, method, _ in _operations(document)} == served


@pytest.mark.slow
def test_addresses_without_parameters_answer_as_described(document: Any, client: AsgiClient) -> None:
    for path, method, operation in _operations(document):
        if method != "get" or "{" in path or path in ("/docs", "/openapi.json"):
            continue
        answer = client.get(path)
        assert (answer.status, path) == (200, path)
        described = operation["responses"]["200"]["content"]
        assert answer.media_type in described, path


def _examples(document: Any) -> Iterator[tuple[str, str, str]]:
    """The path, the media type and the body of every example request."""
    for path, _, operation in _operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            if "example" in content and "{" not in path:
                body = content["example"]
                yield path, media_type, body if isinstance(body, str) else json.dumps(body)


@pytest.mark.slow
def test_every_example_request_is_answered_as_described(document: Any, client: AsgiClient) -> None:
    examples = list(_examples(document))
    assert {media_type for _, media_type, _ in examples} == {
        "application/json",
        "application/jsonl",
        "text/csv",
        "text/tab-separated-values",
    }
    for path, media_type, body in examples:
        answer = client.post(path, body, media_type)
        assert (answer.status, answer.body[: 0 if answer.status == 200 else None], path) == (200, b"", path)
        described = document["paths"][path]["post"]["responses"]["200"]["content"]
        assert answer.media_type in described
        if answer.media_type == "application/json":
            _validate(document, answer.json, described["application/json"]["schema"])


def test_examples_are_valid_by_their_schema(document: Any) -> None:
    for _, _, operation in _operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            _validate(document, content["example"], content["schema"])


@pytest.mark.parametrize("parameters", ["interval=0.9&interval=0.5", "effects=true"])
def test_answers_with_more_columns_are_as_described(document: Any, client: AsgiClient, parameters: str) -> None:
    content = document["paths"]["/predict"]["post"]
    example = content["requestBody"]["content"]["application/json"]["example"]
    answer = client.post_json(f"/predict?{parameters}", example)
    assert answer.status == 200
    _validate(document, answer.json, content["responses"]["200"]["content"]["application/json"]["schema"])


def _validate(document: Any, instance: Any, schema: Any) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(instance)


def test_keys_are_unique_and_of_allowed_characters() -> None:
    assert component_keys(["a", "a b", "a_b", "é", "a/b"]) == ["a", "a_b", "a_b.3", "_", "a_b.5"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", {"rows": [{"x": "?"}]}, 422),
        ("/predict?interval=2", {}, 400),
        ("/invocations", {"instances": 3}, 400),
    ],
)
def test_problems_are_described_with_all_of_their_members(
    document: Any, client: AsgiClient, path: str, body: Any, status: int
) -> None:
    problem = client.post_json(path, body).problem(status)
    _validate(document, problem, {"$ref": "#/components/schemas/Problem", "unevaluatedProperties": False})


@pytest.mark.parametrize("has_token", [False, True])
def test_all_refusals_of_a_prediction_are_described(models: Mapping[str, ServedModel], has_token: bool) -> None:
    document = openapi_document(list(models.values()), has_token=has_token)
    expected = {"200", "400", "403", "406", "408", "413", "415", "421", "422", "503", "default"}
    for path in ("/predict", "/invocations"):
        assert {*document["paths"][path]["post"]["responses"]} == expected | ({"401"} if has_token else set())
