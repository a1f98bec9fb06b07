"""The places of the models of a server, by name; the model in a place may be replaced between two batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nncli.serving.models.run_files import FileStates, file_states
from nncli.serving.models.served_model import ServedModel


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
