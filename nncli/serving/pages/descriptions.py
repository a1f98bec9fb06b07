"""Texts about the models that are served now, such as the OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from nncli.serving.models.reload import ModelSlots
from nncli.serving.models.served_model import ServedModel

Models: TypeAlias = tuple[ServedModel, ...]


@dataclass
class Descriptions:
    """Texts that are made on another thread when they are first asked for, and again once a model is replaced.

    The versions of the models are kept, not the models, whose memory is free once they are replaced.
    """

    _known: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(self, name: str, slots: ModelSlots, make: Callable[[Models], str]) -> str:
        """The text called `name` of the models of all slots, as `make` makes it."""
        async with self._lock:
            models = tuple(slot.current for slot in slots.all)
            versions = [model.version for model in models]
            known, text = self._known.get(name, ([], ""))
            if known != versions:
                text = await asyncio.to_thread(make, models)
                self._known[name] = versions, text
            return text
