"""The document of a server: all its addresses, with the columns of each model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus

from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi.operations import (
    REFUSALS,
    infer,
    invocations,
    json_content,
    operation,
    predict,
    text_content,
)
from nncli.serving.openapi.paths import model_path
from nncli.serving.openapi.schemas import (
    INFER_ANSWER,
    INFER_REQUEST,
    PROBLEM,
    TENSOR,
    Json,
    invocation_schema,
    prediction_schema,
    row_schema,
)
from nncli.version import __version__

OBJECT: Json = {"type": "object"}
RETRY: Json = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
VERSION: Json = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "The version that the metadata of the model names.",
    "schema": {"type": "string"},
}


def openapi_document(models: Sequence[ServedModel], *, has_token: bool) -> Json:
    """The document of a server of these models, the first of which also has the addresses without a name."""
    keys = component_keys([model.name for model in models])
    token: Json = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    paths: Json = {}
    for path, method, described in _operations(models, keys, has_token=has_token):
        if has_token and "security" not in described:
            described["responses"]["401"] = {"$ref": "#/components/responses/UNAUTHORIZED"}
        paths.setdefault(path, {})[method] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nncli",
            "version": __version__,
            "description": f"Predictions of {', '.join(model.name for model in models)}.",
        },
        "servers": [{"url": "/"}],
        **({"security": [{"token": []}]} if has_token else {}),
        "paths": paths,
        "components": {"schemas": _schemas(models, keys), "responses": _responses(has_token=has_token), **token},
    }


def component_keys(names: Sequence[str]) -> list[str]:
    """A key for each model, of the characters that names of components may have."""
    keys: list[str] = []
    for i, name in enumerate(names, start=1):
        key = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        keys.append(key if key not in keys else f"{key}.{i}")
    return keys


def _schemas(models: Sequence[ServedModel], keys: Sequence[str]) -> Json:
    schemas: Json = {"Problem": PROBLEM, "Tensor": TENSOR, "InferRequest": INFER_REQUEST, "InferAnswer": INFER_ANSWER}
    for model, key in zip(models, keys, strict=True):
        schemas[f"{key}.row"] = row_schema(model)
        schemas[f"{key}.prediction"] = prediction_schema(model)
        schemas[f"{key}.invocation"] = invocation_schema({"$ref": f"#/components/schemas/{key}.row"})
    return schemas


def _responses(*, has_token: bool) -> Json:
    content: Json = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: Json = {"problem": {"description": "An error.", "content": content}}
    for status, description in REFUSALS.items():
        headers = {"headers": RETRY} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        found[status.name] = {"description": description, "content": content, **headers}
    if has_token:
        found[HTTPStatus.UNAUTHORIZED.name] = {
            "description": "The request does not have the token of the server.",
            "content": content,
        }
    return found


def _operations(
    models: Sequence[ServedModel], keys: Sequence[str], *, has_token: bool
) -> Iterator[tuple[str, str, Json]]:
    """The path and the method of every operation."""
    for i, (model, key) in enumerate(zip(models, keys, strict=True)):
        base = model_path(model.name)
        own = [("", "")] if i == 0 else []
        for path, end in [*own, (base, f"_{key}")]:
            yield f"{path}/predict", "post", predict(model, key, f"predict{end}")
            yield f"{path}/invocations", "post", invocations(model, key, f"invocations{end}")
            yield f"{path}/", "get", _public(_page(f"page{end}", model.name))
        described = json_content(OBJECT)
        for method, name, summary in (
            (
                "get",
                "profile",
                "Counts of the rows that were predicted, for nncli drift",
            ),
            ("delete", "take_profile", "The same profile, which then begins anew"),
        ):
            yield (
                f"{base}/profile",
                method,
                operation(f"{name}_{key}", "server", summary, described, model=model.name),
            )
        yield from _open_inference(model, key)
    yield from _of_server()
    for path, operation_id, summary in (
        ("/health/live", "live", "Whether the process answers"),
        ("/health/ready", "ready", "Whether requests should be sent here"),
        ("/v2/health/live", "v2_live", "Whether the process answers"),
        ("/v2/health/ready", "v2_ready", "Whether requests should be sent here"),
        ("/ping", "ping", "Whether requests should be sent here"),
        ("/health", "health", "Whether requests should be sent here"),
    ):
        yield path, "get", _public(operation(operation_id, "health", summary, json_content({})))


def _public(described: Json) -> Json:
    """An operation that needs no token."""
    return {**described, "security": []}


def _page(operation_id: str, model: str) -> Json:
    return operation(operation_id, "server", "A page to try the model", text_content("text/html"), model=model)


def _of_server() -> Iterator[tuple[str, str, Json]]:
    for path, operation_id, summary, answer in (
        ("/models", "models", "The models with their versions", json_content(OBJECT)),
        ("/metrics", "metrics", "Metrics for Prometheus", text_content("text/plain")),
        ("/version", "version", "The version of nncli", json_content({})),
        ("/v2", "v2", "The name and the extensions of the server", json_content(OBJECT)),
        ("/openapi.json", "openapi", "The addresses in OpenAPI 3.1, for programs", json_content(OBJECT)),
        ("/docs", "docs", "A page about the addresses and the columns", text_content("text/html")),
    ):
        described = operation(operation_id, "server", summary, answer)
        yield path, "get", _public(described) if path == "/docs" else described  # it asks for the token itself


def _open_inference(model: ServedModel, key: str) -> Iterator[tuple[str, str, Json]]:
    """The addresses of a model, with a version and without."""
    base = f"/v2{model_path(model.name)}"
    tag, parameters = "Open Inference Protocol", list[Json]()
    for path, end in ((base, key), (f"{base}/versions/{{version}}", f"{key}_version")):
        for own, name, summary in (
            (path, "v2_model", "The inputs and outputs of the model"),
            (f"{path}/ready", "v2_model_ready", "Whether the model predicts"),
        ):
            answer = json_content(OBJECT)
            described = operation(f"{name}_{end}", tag, summary, answer, model=model.name, parameters=parameters)
            yield own, "get", described
        yield f"{path}/infer", "post", infer(model, f"infer_{end}", parameters)
        parameters = [VERSION]
