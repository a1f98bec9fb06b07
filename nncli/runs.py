"""The run directory: its only writer and reader.

    config.yaml        the configuration, every default written out; trains the same model again
    model.safetensors  the weights of the best epoch, by name
    model.json         encoder, target, network and loss; what the weights mean
    history.csv        a row per epoch
    metrics.json       scores on training and validation rows, and the trivial guess's
    manifest.json      where it all came from

Paths inside a run directory are its own; moved elsewhere it still predicts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import ValidationError

from nncli.config.schema import Config
from nncli.config.writing import dump
from nncli.data.targets import ClassTarget
from nncli.errors import NncliError, Place, RunError, UsageError, listed, quoted
from nncli.files import write_bytes, write_text
from nncli.model import FORMAT, Model, ModelSpec
from nncli.nn.parameters import Parameters
from nncli.specification import Specification
from nncli.training.loop import EpochReport

CONFIG = "config.yaml"
WEIGHTS = "model.safetensors"
MODEL = "model.json"
HISTORY = "history.csv"
METRICS = "metrics.json"
MANIFEST = "manifest.json"

DAMAGED = "Restore the directory from a copy, or train again."

Status = Literal["running", "done", "stopped", "failed"]


class DataRecord(Specification):
    """A table that went in: where it was, the SHA-256 of its bytes (null for a pipe, read but once), and its rows."""

    path: str
    sha256: str | None
    rows: int


class Machine(Specification):
    """Where it ran."""

    system: str
    processor: str
    cores: int


class Manifest(Specification):
    """Where a run came from. Times are ISO 8601 in UTC, durations seconds."""

    format: Literal[1] = FORMAT
    status: Status
    nncli: str
    command: tuple[str, ...]
    started: str
    finished: str | None
    seconds: float | None
    seed: int
    data: DataRecord
    validation_data: DataRecord | None
    training_rows: int
    validation_rows: int
    features: int
    parameters: int
    epochs: int
    best_epoch: int
    versions: dict[str, str]
    machine: Machine


@dataclass(frozen=True)
class Run:
    """A run directory at `path`."""

    path: Path

    @classmethod
    def create(cls, wanted: Path) -> Run:
        """Make a new directory: `wanted`, or `wanted-2`, `wanted-3` … when that exists. Never one that exists.

        Raises:
            UsageError: `wanted` is no name for a new folder.
            NncliError: it cannot be made.
        """
        if not wanted.name:
            raise UsageError(
                "this folder exists, and a run is never put into a folder that does",
                place=Place(source=str(wanted)),
                hint="Name a new folder, such as runs/first.",
            )
        try:
            str(wanted).encode()
        except UnicodeEncodeError:
            raise UsageError(
                "the run directory's name is not UTF-8 text",
                place=Place(source=os.fsencode(wanted).decode("utf-8", "backslashreplace")),
                hint="Name another one with -o.",
            ) from None
        n = 1
        while True:
            path = wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir()
            except FileExistsError:
                if not wanted.parent.is_dir():
                    raise NncliError(
                        "cannot make the run directory: a part of its path is a file",
                        place=Place(source=str(path)),
                        hint="Name another place with -o.",
                    ) from None
                n += 1
            except OSError as error:
                raise NncliError(
                    f"cannot make the run directory: {error.strerror or error}",
                    place=Place(source=str(path)),
                    hint="Name another place with -o.",
                ) from error
            else:
                return cls(path)

    @classmethod
    def open(cls, path: Path) -> Run:
        """A run directory that exists.

        Raises:
            RunError: there is none, or it is not a run directory.
        """
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises when the name is too long
            raise RunError(
                "there is no such run directory",
                place=Place(source=str(path)),
                hint="`nncli train CONFIG` makes one and prints its path.",
            )
        if not (path / MODEL).is_file():
            hint = (
                "The training that made it has not finished, or failed."
                if (path / CONFIG).exists()
                else "Is this the right path?"
            )
            raise RunError(f"not a trained run: it holds no {MODEL}", place=Place(source=str(path)), hint=hint)
        return cls(path)

    def save_config(self, config: Config) -> None:
        """Write config.yaml."""
        header = "# The configuration of this run, every default written out.\n"
        write_text(self.path / CONFIG, header + dump(config.model_dump(mode="json")))

    def save_model(self, model: Model) -> None:
        """Write model.safetensors and model.json."""
        arrays = {name: np.ascontiguousarray(view) for name, view in model.parameters.named.items()}
        write_bytes(self.path / WEIGHTS, safetensors.numpy.save(arrays))
        write_text(self.path / MODEL, model.spec.model_dump_json(indent=1) + "\n")

    def save_history(self, reports: Iterable[EpochReport], metric: str | None) -> None:
        """Write history.csv; the column of the metric bears its name, `val_accuracy` say."""
        names = [field.name for field in fields(EpochReport)]
        titles = [f"val_{metric}" if name == "metric" and metric else name for name in names]
        lines = [",".join(titles)]
        lines += [",".join(_cell(getattr(report, name)) for name in names) for report in reports]
        write_text(self.path / HISTORY, "\n".join(lines) + "\n")

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        write_text(self.path / METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")

    def save_manifest(self, manifest: Manifest) -> None:
        """Write manifest.json."""
        write_text(self.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def load_model(self) -> Model:
        """The trained model.

        Raises:
            RunError: a file is damaged, disagrees with the others, or was written by a newer nncli.
        """
        spec = self._read_spec()
        self._check(spec)
        return Model(spec, self._read_weights(spec))

    def _error(self, name: str, message: str, hint: str) -> RunError:
        return RunError(message, place=Place(source=str(self.path / name)), hint=hint)

    def _read_spec(self) -> ModelSpec:
        try:
            text = (self.path / MODEL).read_text("utf-8")
            version = json.loads(text).get("format")
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise self._error(MODEL, "the file cannot be read as JSON", DAMAGED) from error
        if isinstance(version, int) and version > FORMAT:
            raise self._error(
                MODEL, f"written in format {version}; this nncli reads up to {FORMAT}", "Install a newer nncli."
            )
        try:
            return ModelSpec.model_validate_json(text)
        except (ValidationError, ValueError) as error:
            raise self._error(MODEL, "the file is damaged: it does not describe a model", DAMAGED) from error

    def _check(self, spec: ModelSpec) -> None:
        """Raise a RunError when the parts of a model do not fit each other."""
        encoder, target, network, loss = spec.encoder, spec.target, spec.network, spec.loss
        classes = isinstance(target, ClassTarget)
        tables = [(c.name, c.slots, c.embedding_width) for c in encoder.embedded]
        fits = (
            network.features == encoder.width
            and [(e.name, e.slots, e.width) for e in network.embeddings] == tables
            and (loss.task == "classes") == classes
            and network.outputs == loss.outputs(len(target.labels if isinstance(target, ClassTarget) else target.names))
            and (isinstance(target, ClassTarget) or len(target.names) == len(target.centers) == len(target.scales))
        )
        try:
            network.layout  # noqa: B018 - asked for its ValueError
        except ValueError:
            fits = False
        if not fits:
            raise self._error(MODEL, "the file is damaged: its parts do not fit each other", DAMAGED)

    def _read_weights(self, spec: ModelSpec) -> Parameters:
        try:
            arrays = safetensors.numpy.load_file(self.path / WEIGHTS)
        except (OSError, safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
            raise self._error(WEIGHTS, "the file is missing or damaged", DAMAGED) from error
        layout, precision = spec.network.layout, spec.network.precision
        shapes = {slot.name: slot.shape for slot in layout.slots}
        if arrays.keys() != shapes.keys():
            odd = sorted(arrays.keys() ^ shapes.keys())
            raise self._error(
                WEIGHTS, f"does not belong to {MODEL}: {listed(odd)} is in one and not the other", DAMAGED
            )
        for name, shape in shapes.items():
            if arrays[name].shape != shape or arrays[name].dtype != precision:
                raise self._error(WEIGHTS, f"{quoted(name)} does not have the shape that {MODEL} says", DAMAGED)
            if not np.isfinite(arrays[name]).all():
                raise self._error(WEIGHTS, f"{quoted(name)} holds what is not a finite number", DAMAGED)
        parameters = layout.empty(precision)
        for name, view in parameters.named.items():
            view[...] = arrays[name]
        return parameters


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
