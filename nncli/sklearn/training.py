"""Training from a table in memory to a run directory in memory.

Both pass through a temporary folder, so that an estimator trains exactly as `nncli train` does, to the bit. With the
folder the smallest training takes some 50 ms, so a second way without it would save little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from nncli.api.load import Loaded, load
from nncli.api.train import train_events
from nncli.base.errors import ConfigError, DataError, NncliError, in_python
from nncli.config.errors.messages import validate
from nncli.config.loading import TABULAR, TEXTBOOK, with_preset
from nncli.config.schema import Config
from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import read
from nncli.data.dialect import DEFAULT_MISSING_VALUES
from nncli.fitting.train.events import Finished, MembersStarted, Started
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel
from nncli.nn.training.epoch import DivergedError
from nncli.run_directory.run import Run, from_bytes, to_bytes
from nncli.run_directory.saved_decision import calibration_rows
from nncli.targets.target import TargetKind, kind_of


@dataclass(frozen=True)
class TargetColumns:
    """The target columns of a training table, and the name of its sample weight column."""

    target: pl.DataFrame
    weight: str | None

    def section(self, written: Mapping[str, object], table: str) -> dict[str, object]:
        """The `data` section of the configuration. No class label counts as a missing value."""
        defaults = DEFAULT_MISSING_VALUES if written.get("default_missing_values", True) else ()
        missing = written.get("missing_values", ())
        labels = {label for name in self.target.columns for label in self.target[name].cast(pl.String).unique()}
        keys: dict[str, object] = {"path": table, "target": self.target.columns}
        if isinstance(missing, list | tuple):
            words = dict.fromkeys((*defaults, *missing))
            keys["missing_values"] = [word for word in words if word not in labels]
            keys["default_missing_values"] = bool(defaults) and labels.isdisjoint(defaults)
        return {**written, **keys} if self.weight is None else {**written, **keys, "sample_weight": self.weight}


@dataclass(frozen=True)
class Request:
    """The configuration of an estimator, a file or a mapping, and the `parameters` that override it.

    Of the target columns of a time to an event the second one is the event, which the loss names.
    """

    config: Mapping[str, object] | str | Path | None
    parameters: Mapping[str, object]
    kind: TargetKind

    def config_of(self, table: str, columns: TargetColumns) -> Config:
        """The configuration of a training on `table`, with the default loss of the task.

        The default quality of the preset tabular is `fast`: an ensemble of 4.

        Raises:
            ConfigError: the configuration is invalid.
            ValueError: the loss is for the other task.
        """
        document = self._document
        value, section = document.value, document.value.get("data") or {}
        data = columns.section(section, table) if isinstance(section, dict) else section  # for validation to refuse
        preset = value.get("preset") or (TEXTBOOK if "layers" in value else TABULAR)
        quality = value.get("quality") or ("fast" if preset == TABULAR else None)
        loss = self.kind.estimator_loss(value.get("loss"), section if isinstance(section, dict) else {})
        value = {**value, "data": data, "loss": loss, "quality": quality}
        config = validate(Config, with_preset(replace(document, value=value)))
        if config.loss is None:
            return config
        kind, expected = kind_of(config.loss), self.kind
        if kind.family != expected.family:
            what, hint = f"the loss {config.loss.type} is for {kind.task_name()}", kind.estimator_hint
            raise ValueError(f"{what}, but this estimator is for {expected.task_name()}{hint}")
        return config.model_copy(update={"loss": config.loss.naming(columns.target.columns[1:])})

    @property
    def _document(self) -> Document:
        if isinstance(self.config, str | Path):
            document = read(self.config)
        else:
            document = Document(plain(self.config or {}), MappingProxyType({}), "the parameters", ())
        marks = {path: mark for path, mark in document.spans.items() if path[0] not in self.parameters}
        value = {**document.value, **plain(self.parameters)}
        return replace(document, value=value, spans=MappingProxyType(marks))


@dataclass(frozen=True)
class Fitted:
    """The result of a training: the files of its run directory, its model, and notes for the user."""

    files: dict[str, bytes]
    model: Loaded
    epochs: int
    notes: tuple[str, ...]


def plain(value: Any) -> Any:
    """Convert NumPy and container types to the plain types of a configuration."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def fit(request: Request, frame: pl.DataFrame, columns: TargetColumns) -> Fitted:
    """Train on a frame that holds features, target and sample weights.

    Raises:
        ValueError: the configuration is invalid or does not fit the table, or the table cannot be used.
        DivergedError: the loss is not finite.
    """
    with TemporaryDirectory(prefix="nncli-") as folder:
        table, run = Path(folder) / "table.parquet", Path(folder) / "run"
        frame.write_parquet(table)
        notes: tuple[str, ...] = ()
        try:
            for event in train_events(request.config_of(str(table), columns), output=run):
                if isinstance(event, Started | MembersStarted):
                    notes = tuple(finding.on_one_line(in_python) for finding in event.findings)
                if isinstance(event, Finished):
                    epochs = event.epochs
        except NncliError as error:
            raise _in_memory(error, str(table)) from error
        return Fitted(to_bytes(run), load(run), epochs, notes)


def load_packed(files: Mapping[str, bytes]) -> Loaded:
    """Load the model from the files of a run directory."""
    with TemporaryDirectory(prefix="nncli-") as folder:
        run = Path(folder) / "run"
        from_bytes(files, run)
        return load(run)


def calibrate_packed(files: Mapping[str, bytes], model: AnyModel, options: UncertaintyOptions) -> ConformalPredictor:
    """The model, calibrated for the level of the options by the files of its run directory.

    Raises:
        UsageError: the options do not fit the model, or there are too few held-out rows.
        RunError: there are no held-out rows.
    """
    with TemporaryDirectory(prefix="nncli-") as folder:
        run = Path(folder) / "run"
        from_bytes(files, run)
        return ConformalPredictor.of(model, calibration_rows(Run.open(run)), options)


def _in_memory(error: NncliError, table: str) -> Exception:
    """The error for a table in memory, without its path; ValueError for a wrong configuration or table."""
    if isinstance(error, DataError) and error.location and error.location.source == table:
        error.location = replace(error.location, source="the training rows")
    if isinstance(error, DivergedError):
        what, _, _ = error.message.partition(";")  # the rest says what was kept in the run directory
        return DivergedError(what, hint=error.hint)
    return ValueError(str(error)) if isinstance(error, ConfigError | DataError) else error
