"""The profiles of the rows that are served, which `nncli drift` reads.

The rows of some batches are kept, and profiled together on a thread beside the answers. It works at most a twentieth of
the time: a server that answers more rows than that allows profiles a sample of them.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Condition, Lock, Thread, get_native_id
from time import perf_counter

import numpy as np
import polars as pl

from nncli.base.errors import NncliError
from nncli.data.table import Table
from nncli.nn.arrays import Counts
from nncli.run_directory.monitoring.profiler import BinCodes, Profile, Profiler
from nncli.run_directory.monitoring.reference import NumberBins, Reference
from nncli.serving.models.served_model import ServedModel

MAX_ROWS = 4_096
"""Rows of a model that wait for being profiled; of a batch with more a random sample is kept."""
MAX_BYTES = 1 << 24
"""Bytes of the rows of all models that wait."""
SECONDS = 10.0
"""Time that rows wait at most, so that many are profiled together."""
LEAST_PAUSE, PAUSE_RATIO = 2.0, 19.0
"""Seconds between two times that rows are profiled, and their ratio to the seconds that it took."""
NICENESS = 10
"""The priority of the thread where each has one of its own (Linux): 0 is the usual, 19 the lowest."""


@dataclass(frozen=True)
class ServedProfile:
    """The profile of the rows of a model, and the histograms of their predictions.

    `histograms` are the rows by bin of each of `Reference.numbers`, for which the answers count, not the members.
    """

    profile: Profile
    reference: Reference
    histograms: tuple[Counts, ...]

    def is_of(self, profiler: Profiler) -> bool:
        """Whether rows that the model of the profiler predicts can be added."""
        return (self.profile.reference, self.profile.decision) == (profiler.reference.checksum, profiler.decision)

    @classmethod
    def empty(cls, profiler: Profiler) -> ServedProfile:
        """That of no row."""
        reference = profiler.reference
        histograms = tuple(np.zeros(bins.n_bins, np.int64) for bins in reference.numbers)
        return cls(Profile.empty(reference, profiler.decision), reference, histograms)

    def add(self, codes: BinCodes) -> ServedProfile:
        """That of more rows, with their bins."""
        new = _histograms(self.reference, codes)
        histograms = tuple(histogram + other for histogram, other in zip(self.histograms, new, strict=True))
        return ServedProfile(self.profile + codes.profile(), self.reference, histograms)


def _histograms(reference: Reference, codes: BinCodes) -> Iterator[Counts]:
    for bins, binned in zip(reference.predictions, codes.tracked, strict=True):
        if isinstance(bins, NumberBins):
            yield np.bincount(binned, minlength=bins.n_bins).astype(np.int64)


class ServedProfiles:
    """The profiles of all models by name, since the start or since they were taken."""

    def __init__(self) -> None:
        self._waiting: list[tuple[ServedModel, Table]] = []
        self._rows = Counter[str]()
        self._versions: dict[str, str] = {}
        self._bytes = 0
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None
        self._profiling = Lock()
        self._profiles: dict[str, ServedProfile] = {}
        self._random = np.random.default_rng(0)

    def add(self, model: ServedModel, table: Table) -> None:
        """Keep predicted rows for the profile, as far as there is room. It takes some microseconds."""
        if model.profiler is None or not len(table):
            return
        with self._changed:
            if self._versions.setdefault(model.name, model.version) != model.version:
                self._forget(model.name)
                self._versions[model.name] = model.version
            free = MAX_ROWS - self._rows[model.name]
            if free <= 0 or self._closed:
                return
            if len(table) > free:
                table = table.take(np.sort(self._random.choice(len(table), free, replace=False)))
            size = int(table.frame.estimated_size())
            if self._bytes + size > MAX_BYTES:
                return
            self._waiting.append((model, table))
            self._rows[model.name] += len(table)
            self._bytes += size
            if self._thread is None:
                self._thread = Thread(target=self._work, name="nncli profile", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1 or self._is_full():
                self._changed.notify_all()

    def current(self) -> dict[str, ServedProfile]:
        """The profiles by the name of the model, without the rows that wait."""
        return dict(self._profiles)

    def profile(self, model: ServedModel, *, take: bool = False) -> Profile | None:
        """The profile of all rows of a model; None without a reference. If it is taken, another one begins."""
        if model.profiler is None:
            return None
        self._profile_waiting()
        with self._profiling:
            kept = self._profiles.get(model.name)
            if kept is None or not kept.is_of(model.profiler):
                return ServedProfile.empty(model.profiler).profile
            if take:
                empty = Profile.empty(kept.reference, kept.profile.decision)
                self._profiles[model.name] = replace(kept, profile=empty)
            return kept.profile

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _forget(self, name: str) -> None:
        """Drop the rows of a version that was replaced, which hold its model in memory."""
        self._waiting = [(model, table) for model, table in self._waiting if model.name != name]
        self._bytes = sum(int(table.frame.estimated_size()) for _, table in self._waiting)
        self._rows.pop(name, None)

    def _is_full(self) -> bool:
        return max(self._rows.values(), default=0) >= MAX_ROWS

    def _work(self) -> None:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                self._changed.wait_for(lambda: self._closed or self._is_full(), SECONDS)
                if self._closed:
                    return
            start = perf_counter()
            self._profile_waiting()
            pause = max(LEAST_PAUSE, PAUSE_RATIO * (perf_counter() - start))
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)

    def _profile_waiting(self) -> None:
        with self._profiling:
            with self._changed:
                waiting, self._waiting, self._rows, self._bytes = self._waiting, [], Counter(), 0
            for model, table in _joined(waiting):
                try:
                    self._profile(model, table)
                except Exception:  # what is served must go on
                    logging.getLogger(__name__).exception("%d rows are not in the profile", len(table))

    def _profile(self, model: ServedModel, table: Table) -> None:
        profiler = model.profiler
        assert profiler is not None
        with np.errstate(all="ignore"):
            try:
                _, codes = profiler.predict(table)
            except NncliError:  # the true values, which no prediction needs, cannot be read
                names = [name for name in table.names if name in model.model.names]
                table = replace(table, frame=table.frame[names])
                _, codes = profiler.predict(table)
        kept = self._profiles.get(model.name)
        if kept is None or not kept.is_of(profiler):  # the first rows of a model, or of its next version
            kept = ServedProfile.empty(profiler)
        self._profiles[model.name] = kept.add(codes)


def _joined(waiting: list[tuple[ServedModel, Table]]) -> Iterator[tuple[ServedModel, Table]]:
    """The tables of each model, those with the same columns as one."""
    groups: dict[object, list[tuple[ServedModel, Table]]] = {}
    for model, table in waiting:
        key = (id(model), tuple(table.frame.schema.items()), table.dialect)
        groups.setdefault(key, []).append((model, table))
    for group in groups.values():
        model, first = group[0]
        frame = pl.concat([table.frame for _, table in group])
        yield model, Table(frame, first.source, dialect=first.dialect)
