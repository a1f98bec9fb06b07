from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import BearerToken, ServerOptions
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient

TOKEN = "0123456789abcdef"


@pytest.fixture
def guarded(models: Mapping[str, ServedModel], tmp_path: Path) -> Iterator[AsgiClient]:
    (tmp_path / "token").write_text(TOKEN)
    options = ServerOptions(token=BearerToken(tmp_path / "token"))
    slots = ModelSlots([ModelSlot(tmp_path, models["two"])])
    state = ServerState(slots, options)
    yield AsgiClient(build_app(state))
    state.batcher.close()


def test_the_document_is_json_of_the_models(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    answer = client.get("/openapi.json")
    assert (answer.status, answer.media_type) == (200, "application/json")
    assert answer.json["openapi"].startswith("3.1.")
    assert {f"/models/{name}/predict" for name in models} <= answer.json["paths"].keys()


def test_addresses_that_need_no_token_say_so(guarded: AsgiClient) -> None:
    document = guarded.get("/openapi.json", {"authorization": f"Bearer {TOKEN}"}).json
    for path, item in document["paths"].items():
        if "get" in item and "{" not in path:
            needs_token = item["get"].get("security", document["security"]) != []
            answer = guarded.get(path)
            is_login = answer.media_type == "text/html"
            assert ((answer.status == 401 and not is_login), path) == (needs_token, path)
        else:
            assert all("security" not in operation for operation in item.values())
