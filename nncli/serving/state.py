"""What all endpoints of a server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from nncli.serving.batching import Batcher
from nncli.serving.metrics.prometheus import Metrics
from nncli.serving.models.reload import ModelSlots
from nncli.serving.server_options import ServerOptions


@dataclass
class ServerState:
    """The models, the batcher and the options of a server. It `is_ready` from the first model to the first SIGTERM."""

    slots: ModelSlots
    options: ServerOptions = field(default_factory=ServerOptions)
    is_ready: bool = True
    batcher: Batcher = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        limit = self.options.queue
        self.metrics = Metrics(self.slots, limit, lambda: self.batcher.waiting)
        self.batcher = Batcher(self.slots.all, limit, self.metrics.rows.observe)
