"""A run that is served: its model in memory, which may be replaced between two batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import polars as pl

from nncli.conformal.options import UncertaintyOptions
from nncli.conformal.predictor import ConformalPredictor
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.monitoring.reference import Reference
from nncli.pipeline.calibration import conformal_predictor
from nncli.prediction.frame import predict_frame
from nncli.runs.run import Run
from nncli.serving.effects import EffectColumn, effect_columns, effects_of
from nncli.serving.input_schema import InputSchema
from nncli.serving.model_inputs import ModelInputs

MAX_CALIBRATIONS = 16
"""Calibrations for different levels that are kept."""


@dataclass(frozen=True)
class PredictionOptions:
    """What a request asks for; requests with equal options are predicted together."""

    proba: bool = False
    explain: bool = False
    uncertainty: UncertaintyOptions = field(default_factory=UncertaintyOptions)


@dataclass(frozen=True)
class ServedModel:
    """The model of a run in memory. Threads may share it."""

    name: str
    run: Run
    model: AnyModel
    schema: InputSchema
    reference: Reference | None = None
    _calibrations: dict[UncertaintyOptions, ConformalPredictor | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    @classmethod
    def load(cls, name: str, path: Path) -> ServedModel:
        """Load and verify a run.

        Raises:
            RunError: the run directory is missing, damaged, or not trained yet.
        """
        run = Run.open(path)
        model, reference = run.load_model(), run.load_reference()
        return cls(name, run, model, InputSchema.of(model, reference), reference)

    @cached_property
    def inputs(self) -> ModelInputs:
        """The columns that the model reads, with their typical values."""
        return ModelInputs.of(self.model, self.reference)

    def predict(self, table: Table, options: PredictionOptions) -> pl.DataFrame:
        """The predictions of every row, as `nncli predict` writes them; with `explain` followed by the effects.

        Raises:
            UsageError: the options do not fit the model.
            DataError: a column is missing, or a cell cannot be read.
        """
        conformal = self._calibrated(options.uncertainty)
        frame = predict_frame(self.model, table, proba=options.proba, keep=(), conformal=conformal).frame
        if not options.explain:
            return frame
        effects = effects_of(self.model, self.inputs.inputs, table)
        return pl.concat([frame, effects], how="horizontal")

    @property
    def effect_columns(self) -> tuple[EffectColumn, ...]:
        """The columns that `explain` adds."""
        return effect_columns(self.inputs.inputs, self.model)

    def _calibrated(self, options: UncertaintyOptions) -> ConformalPredictor | None:
        options.check(self.model.spec.target)
        if not options.levels:
            return None
        with self._lock:
            if options not in self._calibrations:
                while len(self._calibrations) >= MAX_CALIBRATIONS:
                    del self._calibrations[next(iter(self._calibrations))]
                self._calibrations[options] = conformal_predictor(self.run, self.model, options)
            return self._calibrations[options]


class ModelSlot:
    """The place of a model in a server: `current` may be replaced at any time, and is read once for each batch."""

    def __init__(self, path: Path, current: ServedModel) -> None:
        self.path, self.current = path, current

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
