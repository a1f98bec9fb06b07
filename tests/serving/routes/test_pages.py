from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.pages.form_page import Links, content_security_policy, model_page
from nncli.serving.server_options import BearerToken, ServerOptions
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient, Call

TOKEN = "secret-of-the-server"


@contextmanager
def serving(models: Mapping[str, ServedModel], options: ServerOptions) -> Iterator[tuple[AsgiClient, ModelSlots]]:
    slots = ModelSlots([ModelSlot(model.run.path, model) for model in models.values()])
    state = ServerState(slots, options)
    yield AsgiClient(build_app(state)), slots
    state.batcher.close()


def test_the_first_page_is_that_of_the_first_model_and_each_has_its_own(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    first, *others = models
    answer = client.get("/")
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert f"The model {first} predicts" in answer.body.decode()
    for name in (first, *others):
        assert f"The model {name} predicts" in client.get(f"/models/{name}/").body.decode()


def test_answers_have_a_policy_and_are_not_stored(client: AsgiClient) -> None:
    headers = client.get("/").headers
    assert headers["content-security-policy"] == content_security_policy()
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_an_address_without_a_slash_leads_to_the_page(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    name = next(iter(models))
    answer = client.get(f"/models/{name}")
    assert answer.status == 307
    assert answer.headers["location"].endswith(f"/models/{name}/")


def test_there_is_no_page_of_another_model(client: AsgiClient) -> None:
    client.get("/models/none/").problem(404)


def test_head_is_answered(client: AsgiClient) -> None:
    assert client.call(Call("HEAD", "/")).status == 200


def test_a_page_is_made_once_for_each_loaded_model(
    models: Mapping[str, ServedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = list[ServedModel]()

    def make(model: ServedModel, options: ServerOptions, links: Links) -> str:
        pages.append(model)
        return model_page(model, options, links)

    monkeypatch.setattr("nncli.serving.pages.form_page.model_page", make)
    with serving({"number": models["number"]}, ServerOptions()) as (client, slots):
        assert client.call_all([Call("GET", "/")] * 5) == [client.get("/")] * 5
        assert pages == [models["number"]]
        slots.all[0].current = replace(models["two"], name="number")
        assert "Prediction of two" in client.get("/").body.decode()
        assert len(pages) == 2


def test_without_the_token_of_the_server_nothing_of_the_model_is_told(
    models: Mapping[str, ServedModel], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with serving(models, ServerOptions(token=BearerToken(tmp_path / "token"))) as (client, _):
        for headers in ({}, {"authorization": "Bearer other"}, {"authorization": f"Basic {TOKEN}"}):
            for address in ("/", "/models/number/", "/models/none/"):
                answer = client.get(address, headers)
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.headers["content-security-policy"] == content_security_policy()
                assert b'id="login"' in answer.body
                assert b"number" not in answer.body.split(b"<body>")[1].split(b"<script")[0]
        answer = client.get("/", {"authorization": f"bearer {TOKEN}"})
        assert answer.status == 200
        assert b'id="data"' in answer.body


def test_the_description_asks_for_the_token_and_then_shows_itself(
    models: Mapping[str, ServedModel], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with serving(models, ServerOptions(token=BearerToken(tmp_path / "token"))) as (client, _):
        answer = client.get("/docs")
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert 'id="login"' in answer.body.decode()
        assert not any(model.version in answer.body.decode() for model in models.values())
        assert client.get("/docs", {"authorization": f"Bearer {TOKEN}"}).status == 200
