"""Documents of MLflow's protocol, changed at random: none is answered by a fault of the server."""

import copy
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import example_invocation, example_row
from tests.serving.asgi_client import AsgiClient

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**64, 10**400, float("nan"), float("inf"), "", "a", "\0", "x" * 1000),
    *([], {}, [[]], [None], [1], {"a": 1}, [2], [1, 1], [0], "prediction", 0.9),
)
MEMBERS = ("params", "name", "data", "columns", "index", "inputs", "instances", "x")


def _changed(document: Any, rng: random.Random) -> Any:
    """The document with a value somewhere in it replaced, removed or added."""
    places = [(document, key) for key in _keys(document)]
    for parent, key in places:
        places += [(parent[key], inner) for inner in _keys(parent[key])]
    if not places:
        return rng.choice(VALUES)
    parent, key = rng.choice(places)
    match rng.randrange(3):
        case 0:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
        case 1:
            del parent[key]
        case _ if isinstance(parent, dict):
            parent[rng.choice(MEMBERS)] = copy.deepcopy(rng.choice(VALUES))
        case _:
            parent.append(copy.deepcopy(rng.choice(VALUES)))
    return document


def _keys(value: Any) -> list[Any]:
    return [*value] if isinstance(value, dict) else [*range(len(value))] if isinstance(value, list) else []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_document_is_answered_by_a_fault(client: AsgiClient, models: Mapping[str, ServedModel], seed: int) -> None:
    rng, model = random.Random(seed), models["number"]
    requests = [
        ("/invocations", example_invocation(model)),
        ("/invocations", {"inputs": [example_row(model)], "params": {"interval": 0.9}}),
    ]
    for _ in range(60):
        path, document = copy.deepcopy(rng.choice(requests))
        for _ in range(rng.randint(1, 3)):
            document = _changed(document, rng)
        body = json.dumps(document).encode()
        answer = client.post(path, body + rng.randbytes(rng.choice([0, 0, 8])), "application/json")
        assert answer.status < 500, body
        if answer.status >= 400:
            assert "error_code" in answer.problem(answer.status)
