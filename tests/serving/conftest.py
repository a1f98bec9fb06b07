"""Small runs that are served, trained once, and an application that serves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.server_options import ServerOptions
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import CONFIGS, train_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The runs of tests/serving/trained.py by name; not to be changed."""
    return {name: train_run(tmp_path_factory.mktemp(name), name) for name in CONFIGS}


@pytest.fixture(scope="session")
def models(runs: Mapping[str, Path]) -> Mapping[str, ServedModel]:
    """The models of the runs, by name."""
    return {name: ServedModel.load(name, path) for name, path in runs.items()}


@pytest.fixture(scope="session")
def client(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> Iterator[AsgiClient]:
    """A client of an application that serves all runs, the first of them also without its name."""
    slots = ModelSlots([ModelSlot(runs[name], model) for name, model in models.items()])
    options = ServerOptions(max_body=200_000, max_rows=50)
    state = ServerState(slots, options)
    yield AsgiClient(build_app(state))
    state.batcher.close()
