"""The slots of the models that are served, and loading them again: when the files of a run change, or on SIGHUP."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TypeAlias

from polars.exceptions import PanicException

from nncli.base.errors import Location, NncliError, ResumeRun, RunError, in_terminal
from nncli.base.memory import release_unused_memory
from nncli.base.text import join_quoted, quote
from nncli.run_directory.filenames import CROSS_VALIDATION, FOLDS, HELD_OUT, MANIFEST, MEMBERS, MODEL, WEIGHTS
from nncli.serving.models.served_model import ServedModel
from nncli.serving.process.log import LOG
from nncli.serving.process.signals import notify

FileStates: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Name, device, inode, size and time of the last change of each file, sorted."""
SECONDS_BETWEEN_CHECKS = 1.0

Load = Callable[[str, Path], ServedModel]
OnResult = Callable[[str, bool], object]
"""What is called with the name of a model, and whether it was replaced."""


def file_states(run: Path) -> FileStates:
    """The states of the files that a model is read from; empty if there is no run.

    They change when the directory is replaced, when a link leads to another one, and when a file is written.
    """
    if not os.path.lexists(run / MANIFEST) and not os.path.lexists(run / CROSS_VALIDATION):
        return ()
    folds = _folders(str(run), FOLDS)
    folders = [str(run), *folds, *(member for folder in (str(run), *folds) for member in _folders(folder, MEMBERS))]
    names = (MANIFEST, CROSS_VALIDATION, MODEL, WEIGHTS, HELD_OUT)
    files = [os.path.join(folder, name) for folder in folders for name in names]  # noqa: PTH118
    return tuple(state for file in files for state in _state(file))


def _folders(folder: str, name: str) -> list[str]:
    """The folders of the members of an ensemble, or of the folds of a cross-validation; none of another run."""
    try:
        return sorted(entry.path for entry in os.scandir(os.path.join(folder, name)))  # noqa: PTH118
    except OSError:
        return []


def _state(file: str) -> FileStates:
    try:
        status = os.stat(file)  # noqa: PTH116
    except OSError:
        return ()
    return ((file, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns),)


class ModelSlot:
    """The place of a model in a server: `current` may be replaced at any time, and is read once for each batch.

    `files` are the states of the files that it was read from. The `problem` says why the run that is at the path now is
    not the one that is served; it is None if it is.
    """

    def __init__(self, path: Path, current: ServedModel, files: FileStates | None = None) -> None:
        self.path, self.current = path, current
        self.files = file_states(path) if files is None else files
        self.problem: str | None = None

    @classmethod
    def load(cls, name: str, path: Path) -> ModelSlot:
        """Load and verify a run, and predict a row.

        Raises:
            RunError: the run directory is missing, damaged, or not trained yet.
        """
        files = file_states(path)
        model = ServedModel.load(name, path)
        model.warm_up()
        return cls(path, model, files)

    @property
    def name(self) -> str:
        """The name of the model in addresses."""
        return self.current.name


class ModelSlots:
    """All models of a server, by name; the first is that of addresses without a name."""

    def __init__(self, slots: Sequence[ModelSlot]) -> None:
        self._slots = {slot.name: slot for slot in slots}

    @property
    def all(self) -> list[ModelSlot]:
        """The slots in the order of the command line."""
        return list(self._slots.values())

    def find(self, name: str | None) -> ModelSlot | None:
        """The slot of a model, of the first if `name` is None; None if there is none."""
        return self.all[0] if name is None else self._slots.get(name)


@dataclass
class _Watched:
    """A slot with the states of its files: when they were last read, and when they were last looked at."""

    slot: ModelSlot
    read: FileStates
    seen: FileStates


class Reloader:
    """A thread that replaces models by those that are at their paths now.

    A run is loaded once its files have not changed between two checks, so that one that is being copied is left alone.
    It is verified and predicts a row before it takes its place. If it cannot be loaded, or clients of the served model
    could not use it, the served one stays, and the log says why, once for every change of the files. A `request` loads
    all models at once, and replaces them also if clients must change. `on_result` is called after each attempt.
    """

    def __init__(
        self, slots: ModelSlots, load: Load = ServedModel.load, on_result: OnResult = lambda name, is_replaced: None
    ) -> None:
        self._watched = [_Watched(slot, slot.files, slot.files) for slot in slots.all]
        self._load, self._on_result = load, on_result
        self._is_closed = False
        self._requested, self._wake = Event(), Event()
        self._thread = Thread(target=self._work, name="nncli reload", daemon=True)

    def start(self) -> None:
        """Begin to watch the run directories."""
        self._thread.start()

    def request(self) -> None:
        """Load all models again, soon."""
        self._requested.set()
        self._wake.set()

    def close(self) -> None:
        """End the thread; a model that is being loaded is not waited for."""
        self._is_closed = True
        self._wake.set()

    def check(self, *, is_requested: bool = False) -> None:
        """Look at every run directory, and load the models that are to be replaced."""
        for watched in self._watched:
            if self._is_closed:
                return
            states = file_states(watched.slot.path)
            if not is_requested and states != watched.seen:
                watched.seen = states  # it may be in the midst of being copied
            elif is_requested or states != watched.read:
                watched.read = watched.seen = states
                self._reload(watched.slot, is_requested=is_requested)

    def _work(self) -> None:
        while not self._is_closed:
            self._wake.wait(SECONDS_BETWEEN_CHECKS)
            self._wake.clear()
            if not self._requested.is_set():
                self.check()
                continue
            self._requested.clear()
            notify("RELOADING=1")
            self.check(is_requested=True)
            if not self._is_closed:
                notify("READY=1")

    def _reload(self, slot: ModelSlot, *, is_requested: bool) -> None:
        served = slot.current
        try:
            new = self._load(slot.name, slot.path)
            _check_finished(new)
            new.warm_up()
            changes = incompatibilities(served, new)
            if changes and not is_requested:
                raise RunError(
                    f"clients could not go on: {'; '.join(changes)}",
                    location=Location(source=str(slot.path)),
                    hint="SIGHUP replaces the model all the same.",
                )
        except NncliError as error:
            self._keep(slot, f"{error.location or slot.path}: {error.message}. {error.hint or ''}".rstrip())
            return
        except (Exception, PanicException) as error:  # the server goes on, whatever a directory holds
            self._keep(slot, f"{slot.path}: {type(error).__name__}: {error}")
            return
        if self._is_closed:
            return
        slot.problem = None
        self._on_result(slot.name, True)
        if new.version == served.version:
            LOG.info("model %s: the run has not changed, version %s", slot.name, served.version)
            return
        slot.current = new
        for change in changes:
            LOG.warning("model %s: clients must change: %s", slot.name, change)
        LOG.info("model %s: version %s replaces %s", slot.name, new.version, served.version)
        warn_of_unfinished(slot)
        del served  # freed here, unless a batch or rows that wait for being profiled still use it: then after those
        release_unused_memory()

    def _keep(self, slot: ModelSlot, problem: str) -> None:
        slot.problem = problem
        self._on_result(slot.name, False)
        LOG.error("model %s: version %s stays: %s", slot.name, slot.current.version, problem)


def warn_of_unfinished(slot: ModelSlot) -> None:
    """Log that the training of a served run was stopped or failed, and could go on."""
    if (status := slot.current.manifest.status) != "done":
        resume = in_terminal(ResumeRun(slot.path))
        LOG.warning("model %s: its training has not ended, but %s; to go on: %s", slot.name, status, resume)


def _check_finished(model: ServedModel) -> None:
    if model.manifest.status == "running":
        raise RunError(
            "the training of this run has not finished",
            location=Location(source=str(model.run.path)),
            hint="It is loaded once it has.",
        )


def incompatibilities(served: ServedModel, new: ServedModel) -> list[str]:
    """What would fail for clients of the served model if the new one took its place.

    They would fail if the new model predicts something else, or refuses the rows that they send: it needs a column that
    the served one does not read, or cannot read the cells of one. What it no longer reads is ignored.
    """
    reasons = []
    old_target, target = served.model.spec.target, new.model.spec.target
    if not target.is_same_kind(old_target):
        reasons.append(f"it predicts {target.title} in place of {old_target.title}")
    unknown = [name for name in new.schema.required if name not in served.schema.by_name]
    if unknown:
        reasons.append(f"it needs columns that the served model does not read: {join_quoted(unknown)}")
    for feature in new.schema.features:
        old = served.schema.by_name.get(feature.name)
        if old is not None and old.input.kind != feature.input.kind and feature.input.kind in ("number", "date"):
            reasons.append(
                f"it reads {quote(feature.name)} as a {feature.input.kind}, and the served model as a {old.input.kind}"
            )
        if old is not None and old.is_optional and not feature.is_optional:
            reasons.append(f"{quote(feature.name)} may no longer be missing")
    return reasons
