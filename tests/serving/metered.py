"""Applications with metrics of their own, and what these say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from nncli.serving.app import build_app
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.state import ServerState
from tests.serving.asgi_client import AsgiClient


@dataclass(frozen=True)
class Metered:
    """A new application: its state, and a client."""

    state: ServerState
    client: AsgiClient

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of a metric by those of its labels, in the order of their names."""
        text = self.client.get("/metrics").body.decode()
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }


@contextmanager
def metered(models: Sequence[ServedModel]) -> Iterator[Metered]:
    """An application that serves models, and nothing has been asked of."""
    state = ServerState(ModelSlots([ModelSlot(model.run.path, model) for model in models]))
    try:
        yield Metered(state, AsgiClient(build_app(state)))
    finally:
        state.batcher.close()
        state.metrics.close()
