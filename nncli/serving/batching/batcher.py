"""Predicting what waits in batches, on threads besides the event loop.

A thread takes everything that waits, reads the bodies, predicts rows of the same columns and options at once, and
writes the answers. Nothing waits for more to come. Each model has a queue and threads of its own, so a slow one does
not block another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.types import Scope

from nncli.serving.batching.job import Job, Predicted, PredictionRequest, set_predicted
from nncli.serving.batching.model_queue import ModelQueue
from nncli.serving.models.model_slots import ModelSlot
from nncli.serving.models.served_model import Observer

THREADS = 2
"""For small requests of a model, and for large ones: one computes with the BLAS, which needs no interpreter lock, while
another reads or writes."""


class Batcher:
    """Threads that answer the requests that wait; at most `limit` may wait for each of the models.

    `observe` is called with all rows that are predicted together.
    """

    def __init__(
        self, slots: Iterable[ModelSlot], limit: int, observe: Observer | None = None, threads: int = THREADS
    ) -> None:
        self.limit = limit
        self._queues = {slot: ModelQueue(slot, limit, threads, observe) for slot in slots}

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(queue.waiting for queue in self._queues.values())

    def is_full(self, slot: ModelSlot) -> bool:
        """Whether no further request may wait for a model."""
        return self._queues[slot].is_full

    async def answer(self, slot: ModelSlot, request: PredictionRequest, scope: Scope | None = None) -> bytes:
        """The body of the answer to a request. If the caller is cancelled, the request no longer waits.

        What was predicted is noted in the `scope` of the request.

        Raises:
            ProblemError: the request cannot be answered, too many wait, or the server stops.
        """
        queue = self._queues[slot]
        job = Job(request)
        queue.add(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            queue.remove(job)
            raise
        finally:
            if scope is not None:
                set_predicted(scope, Predicted(slot.name, job.model_version, job.rows))

    def close(self) -> None:
        """Refuse further requests, answer what waits, and end the threads."""
        for queue in self._queues.values():
            queue.close()
        for queue in self._queues.values():
            queue.join()
