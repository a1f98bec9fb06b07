"""What packages and files of code may use to add parts to nncli: the stable surface.

A name that is here keeps its meaning in all versions with the same first number. A name or parameter that is to go away
warns for one minor version first. Everything else of the package may change in any version. Parts are described on the
page "Extending"; `nncli plugins new KIND NAME` writes a package with one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nncli.base.errors import DataError, Location, NncliError, RunError, UsageError
from nncli.base.plugins import Command, load_code
from nncli.base.spec import (
    FiniteFloat,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PathText,
    PositiveFloat,
    PositiveInt,
    Spec,
    StrictBool,
    StrictStr,
)
from nncli.data.columns.parsing import read_numbers, read_text
from nncli.data.columns.raw_column import RawColumn
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.base import ColumnEncoder, Grid
from nncli.data.encoders.options import EncodingOptions
from nncli.data.formats.file_format import FileFormat, as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.registry import FormatEntry as FormatKind
from nncli.data.formats.streams import InputFile
from nncli.data.formats.writers import ColumnCheck, Sink, Writable
from nncli.data.sources.open import SourceKind
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.exporters.targets import ModelInfo, Runner
from nncli.exporters.targets import Target as ExportTarget
from nncli.nn.activations import ActivationBase, output_buffer
from nncli.nn.arrays import Array, BoundLayer, Codes, Floats, Mask, Matrix, scalar
from nncli.nn.initializers import Constant, Glorot, He, InitializerBase, Lecun, Normal, Uniform, Zeros
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.losses.amounts import Poisson as PoissonLoss
from nncli.nn.losses.base import BoundLoss, LossBase, bind_elementwise, bind_residual
from nncli.nn.losses.classification import ClassificationLoss
from nncli.nn.losses.survival import Cox as CoxLoss
from nncli.nn.losses.survival import EventLoss
from nncli.nn.optim.optimizers import DecoupledWeightDecay, OptimizerBase, Step
from nncli.nn.optim.schedules import ScheduleBase, TrainingLength
from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
from nncli.nn.program.program import Program
from nncli.nn.program.values import (
    Value,
    absolute,
    cos,
    exp,
    expm1,
    floor,
    is_nan,
    join,
    log,
    log1p,
    maximum,
    minimum,
    select,
    sin,
    sqrt,
    tanh,
)
from nncli.targets.classes import ClassificationTarget
from nncli.targets.metrics.metric import Metric
from nncli.targets.number import Numbers
from nncli.tracking.tracker import Ending, Point, TrackedRun, Tracker, TrackerKind
from nncli.tuning.sampler import SamplerKind

if TYPE_CHECKING:
    from nncli.api.plugin_check import PluginCheck

# fmt: off
__all__ = [
    "ActivationBase", "Array", "BoundLayer", "BoundLoss", "CategoryInput", "Checksum", "ClassificationLoss",
    "ClassificationTarget", "Codes", "ColumnAnomalies", "ColumnCheck", "ColumnEncoder", "Command", "Constant",
    "CoxLoss", "DataError", "DateInput", "DecoupledWeightDecay", "EncodingOptions", "Ending", "EventLoss",
    "ExportTarget", "ExportedFileError", "FileFormat", "FileOptions", "FiniteFloat", "Floats", "FormatKind",
    "Fraction", "Glorot", "Grid", "He", "InitializerBase", "InputFile", "LayerBase", "Lecun", "Location", "LossBase",
    "Mask", "Matrix", "Metric", "ModelInfo", "NncliError", "NonNegativeFloat", "NonNegativeInt", "Normal",
    "NumberInput", "Numbers", "OptimizerBase", "ParamGroup", "ParamSpec", "ParamViews", "PathText", "Point",
    "PoissonLoss", "PositiveFloat", "PositiveInt", "Program", "ProgramInput", "RawColumn", "ReadOptions", "RunError",
    "Runner", "SamplerKind", "ScheduleBase", "Sink", "SourceKind", "Spec", "Step", "StrictBool", "StrictStr", "Table",
    "TableReader", "TableSource", "TextInput", "TrackedRun", "Tracker", "TrackerKind", "TrainingContext",
    "TrainingLength", "Uniform", "UsageError", "Value", "Writable", "Zeros", "absolute", "as_tables",
    "bind_elementwise", "bind_residual", "check_plugin", "cos", "exp", "expm1", "floor", "is_nan", "join", "load_code",
    "log", "log1p", "maximum", "minimum", "output_buffer", "read_numbers", "read_text", "scalar", "select", "sin",
    "sqrt", "tanh",
]
# fmt: on


def check_plugin(what: str | Path) -> tuple[PluginCheck, ...]:
    """Check the parts of a name in packages, or of a file of code, as `nncli plugins check`; for a test.

    Raises:
        UsageError: there is no such part, or it cannot be loaded.
    """
    from nncli.api import plugin_check

    return plugin_check.check_plugin(what)
