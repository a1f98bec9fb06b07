"""What packages and files of code may use to add parts to nncli: the stable surface.

A name that is here keeps its meaning in all versions with the same first number. A name or parameter that is to go away
warns for one minor version first. Everything else of the package may change in any version. Parts are described on the
page "Extending"; `nncli plugins new KIND NAME` writes a package with one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nncli.extend.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nncli.api.plugin_check import PluginCheck
    from nncli.base.credentials import with_credentials
    from nncli.base.errors import (
        Advice,
        DataError,
        Location,
        NncliError,
        RunError,
        UsageError,
        UseOption,
        extra_required,
    )
    from nncli.base.plugins import Command, load_code
    from nncli.base.spec import (
        DistinctTexts,
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
    from nncli.base.text import format_number, quote
    from nncli.data.columns.hashing import Hashes, hash_numbers, hash_texts
    from nncli.data.columns.parsing import CellErrors, numbers_and_errors, raise_first, read_numbers, read_text
    from nncli.data.columns.raw_column import RawColumn
    from nncli.data.encoders.anomalies import ColumnAnomalies
    from nncli.data.encoders.column_encoder import ColumnEncoder, DependenceGrid
    from nncli.data.encoders.encoding_options import EncodingOptions
    from nncli.data.encoders.row_context import RowContext
    from nncli.data.formats.compression import SizeLimit
    from nncli.data.formats.file_format import FileFormat, as_tables
    from nncli.data.formats.read_options import ReadOptions
    from nncli.data.formats.registry import FileOptions, FormatKind
    from nncli.data.formats.sinks import ColumnCheck, Sink, Writable
    from nncli.data.formats.streams import InputFile, open_input, peek, read_exactly, translate_damage, wrong_format
    from nncli.data.sources.open import SourceKind
    from nncli.data.sources.table_reader import Checksum, TableReader
    from nncli.data.sources.table_source import TableSource
    from nncli.data.table import Table
    from nncli.exporters.formats import ExportFormat, ModelInfo, Runner
    from nncli.exporters.runtimes.process import ExportedFileError, run_program
    from nncli.nn.activations import ActivationBase, output_buffer
    from nncli.nn.arrays import Array, BoundLayer, Codes, Floats, Mask, Matrix, Precision, scalar
    from nncli.nn.initializers import Constant, Glorot, He, InitializerBase, Lecun, Normal, Uniform, Zeros
    from nncli.nn.layers.layer import LayerBase, TrainingContext
    from nncli.nn.losses import Loss, MSELoss
    from nncli.nn.losses.amounts import PoissonLoss
    from nncli.nn.losses.classification import ClassificationLoss, OrdinalLoss
    from nncli.nn.losses.loss import BoundLoss, LossBase, bind_elementwise, bind_residual
    from nncli.nn.losses.survival import CoxLoss, EventLoss
    from nncli.nn.optim.optimizers import DecoupledWeightDecay, OptimizerBase, Step
    from nncli.nn.optim.schedules import ScheduleBase, TrainingLength
    from nncli.nn.parameters import ParamGroup, ParamSpec, ParamViews
    from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, ProgramInput, TextInput
    from nncli.nn.program.program import OutputColumn, Program
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
    from nncli.nn.training.health import HEALTH_LEVELS
    from nncli.targets.classes import ClassificationTarget
    from nncli.targets.conformal import ConformalMethod, IntervalMethod, Region
    from nncli.targets.decision import Decision
    from nncli.targets.explained import Explained
    from nncli.targets.head import Head
    from nncli.targets.metrics.bootstrap import Samples
    from nncli.targets.metrics.metric import ScoreValues, resampled_scores
    from nncli.targets.metrics.registry import BoundMetric, Metric, metric_function
    from nncli.targets.metrics.regression import REGRESSION_METRICS, RegressionResamples, regression_scores
    from nncli.targets.monitoring import Monitoring
    from nncli.targets.number import NumberScoring, NumericTarget
    from nncli.targets.ordinal import OrdinalTarget
    from nncli.targets.output_columns import OutputNodes, number_columns
    from nncli.targets.scoring import Comparison, Measure, Scoring, SelectionLoss
    from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, missing_target_error
    from nncli.targets.views import ActualByPredicted, Intervals, View, Views
    from nncli.targets.wording import Wording
    from nncli.tracking.tracker import Ending, LoggedValue, Outcome, Point, TrackedRun, Tracker, TrackerKind
    from nncli.tuning.sampler import SamplerKind

# fmt: off
__all__ = [
    "HEALTH_LEVELS",
    "REGRESSION_METRICS",
    "UNSCALED",
    "ActivationBase",
    "ActualByPredicted",
    "Advice",
    "Array",
    "BoundLayer",
    "BoundLoss",
    "BoundMetric",
    "CategoryInput",
    "CellErrors",
    "Checksum",
    "ClassificationLoss",
    "ClassificationTarget",
    "Codes",
    "ColumnAnomalies",
    "ColumnCheck",
    "ColumnEncoder",
    "Command",
    "Comparison",
    "ConformalMethod",
    "Constant",
    "CoxLoss",
    "DataError",
    "DateInput",
    "Decision",
    "DecoupledWeightDecay",
    "DependenceGrid",
    "DistinctTexts",
    "EncodingOptions",
    "Ending",
    "EventLoss",
    "Explained",
    "ExportFormat",
    "ExportedFileError",
    "FileFormat",
    "FileOptions",
    "FiniteFloat",
    "FitOptions",
    "Floats",
    "FormatKind",
    "Fraction",
    "Glorot",
    "Hashes",
    "He",
    "Head",
    "InitializerBase",
    "InputFile",
    "IntervalMethod",
    "Intervals",
    "LayerBase",
    "Lecun",
    "Location",
    "LoggedValue",
    "Loss",
    "LossBase",
    "MSELoss",
    "Mask",
    "Matrix",
    "Measure",
    "Metric",
    "ModelInfo",
    "Monitoring",
    "NncliError",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Normal",
    "NumberInput",
    "NumberScoring",
    "NumericTarget",
    "OptimizerBase",
    "OrdinalLoss",
    "OrdinalTarget",
    "Outcome",
    "OutputColumn",
    "OutputNodes",
    "ParamGroup",
    "ParamSpec",
    "ParamViews",
    "PathText",
    "Point",
    "PoissonLoss",
    "PositiveFloat",
    "PositiveInt",
    "Precision",
    "Predicted",
    "Program",
    "ProgramInput",
    "RawColumn",
    "ReadOptions",
    "Region",
    "RegressionResamples",
    "RowContext",
    "RunError",
    "Runner",
    "SamplerKind",
    "Samples",
    "ScheduleBase",
    "ScoreValues",
    "Scoring",
    "SelectionLoss",
    "Sink",
    "SizeLimit",
    "SourceKind",
    "Spec",
    "Step",
    "StrictBool",
    "StrictStr",
    "Table",
    "TableReader",
    "TableSource",
    "TargetBase",
    "TextInput",
    "TrackedRun",
    "Tracker",
    "TrackerKind",
    "TrainingContext",
    "TrainingLength",
    "Truth",
    "Uniform",
    "UsageError",
    "UseOption",
    "Value",
    "View",
    "Views",
    "Wording",
    "Writable",
    "Zeros",
    "absolute",
    "as_tables",
    "bind_elementwise",
    "bind_residual",
    "check_plugin",
    "cos",
    "exp",
    "expm1",
    "extra_required",
    "floor",
    "format_number",
    "hash_numbers",
    "hash_texts",
    "is_nan",
    "join",
    "load_code",
    "log",
    "log1p",
    "maximum",
    "metric_function",
    "minimum",
    "missing_target_error",
    "number_columns",
    "numbers_and_errors",
    "open_input",
    "output_buffer",
    "peek",
    "quote",
    "raise_first",
    "read_exactly",
    "read_numbers",
    "read_text",
    "regression_scores",
    "resampled_scores",
    "run_program",
    "scalar",
    "select",
    "sin",
    "sqrt",
    "tanh",
    "translate_damage",
    "with_credentials",
    "wrong_format",
]
# fmt: on

__getattr__, __dir__ = lazy_names(__name__)


def check_plugin(what: str | Path) -> tuple[PluginCheck, ...]:
    """Check the parts of a name in packages, or of a file of code, as `nncli plugins check`; for a test.

    Raises:
        UsageError: there is no such part, or it cannot be loaded.
    """
    from nncli.api import plugin_check

    return plugin_check.check_plugin(what)
