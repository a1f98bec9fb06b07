"""What every kind of target is: the interface of a target, which rooms above ask and never for its name.

A kind of target is one class: how its cells are read, what a network's outputs become, which columns predictions have,
how they are scored, and what they have: labels, probabilities, intervals or sets. A new kind is one class beside the
others, its name in the union of target.py, and a loss whose `task` is that of the class.

Arrays: y (rows, targets) are numbers in their own units, or y (rows,) the codes of classes; `values` (rows, outputs)
are predicted numbers or probabilities.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nncli.base.errors import Advice, DataError, UsageError, UseOption
from nncli.base.option import Needed
from nncli.base.spec import Task
from nncli.base.text import format_number, join_quoted, quote
from nncli.data.columns.hashing import Hashes
from nncli.data.columns.parsing import CellErrors, readable
from nncli.data.encoders.row_context import RowContext
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Precision, RowIndices
from nncli.nn.losses import Loss, LossBase, TargetScaling
from nncli.nn.program.program import OutputColumn
from nncli.nn.program.values import Value
from nncli.targets.class_labels import NO_CLASSES, ClassLabels
from nncli.targets.decision import NO_DECISION, Decision, DecisionRule
from nncli.targets.explained import Explained
from nncli.targets.head import Head
from nncli.targets.metrics.bootstrap import ConfidenceInterval, Samples
from nncli.targets.metrics.classification import ClassificationScores
from nncli.targets.metrics.metric import ScoreValues
from nncli.targets.metrics.registry import BoundMetric, metric_names
from nncli.targets.monitoring import Monitoring
from nncli.targets.output_columns import OutputNodes
from nncli.targets.training import TrainingBase
from nncli.targets.views import Intervals, View, Views
from nncli.targets.wording import Wording

if TYPE_CHECKING:
    from nncli.targets.conformal import ConformalMethod
    from nncli.targets.multitarget import TargetPart
    from nncli.targets.scoring import Scoring
    from nncli.targets.survival import SurvivalCurve

Truth: TypeAlias = NDArray[Any]
"""True targets: class codes (rows,), or numbers (rows, targets) in their own units."""


class FitOptions(NamedTuple):
    """How a target is fitted: the `scaling` of numbers; with `clip`, predictions stay in the range of the rows.

    Numbers are relative to the `context` of the rows, if there is one. `positive` is the second of two classes, and
    `order` all classes that are ordered, lowest first. Without it the order is that of the classes of `every` row, if
    the table has not all of them. Time has so many `bins`, 0 for as many as suit the rows. Rows count by their sample
    `weights` (rows,).
    """

    scaling: TargetScaling = "none"
    clip: bool = False
    positive: str | None = None
    order: tuple[str, ...] = ()
    bins: int = 0
    weights: Floats | None = None
    context: RowContext | None = None
    every: Table | None = None


UNSCALED = FitOptions()

P = TypeVar("P")

Scores: TypeAlias = ClassificationScores | tuple[ScoreValues, ...]
"""Scores of classes, or of each number."""


class Predicted(Protocol):
    """Predictions of rows; see `nncli.models.predictions.Predictions`."""

    @property
    def target(self) -> TargetBase: ...
    @property
    def points(self) -> Floats: ...
    @property
    def values(self) -> Floats: ...
    @property
    def quantiles(self) -> Floats | None: ...
    @property
    def levels(self) -> tuple[float, ...]: ...
    @property
    def precision(self) -> Precision: ...
    @property
    def decision(self) -> Decision | None: ...
    @property
    def classes(self) -> Codes: ...
    @property
    def exposure(self) -> Floats | None: ...
    @property
    def relative_to(self) -> RowContext | None: ...
    def without_context(self) -> Predicted: ...
    @property
    def standard_deviations(self) -> Floats | None: ...


class TargetBase(TrainingBase):
    """A kind of target, fitted on the training rows; a saved model tells kinds apart by `task`.

    A kind has `names` and `labels`, and must do what is abstract: what comes first. All else it may do: a part, or a
    method, that it does not have is that of numbers, or gives nothing. Rooms above call the parts: those that depend on
    the target alone are `parts`, `class_labels`, `decision_rule`, `calibration` and `curve`; those that depend on its
    loss, too, are of its `head`.
    """

    plugin_kind: ClassVar[str | None] = "targets"

    task: Task = ""

    output_noun: ClassVar[str] = "target"
    """What an output of the network stands for, in messages."""
    output_nouns: ClassVar[str] = "targets"
    """Several of them."""
    family: ClassVar[Task] = "regression"
    """The task whose metrics it shares."""
    default_metric: ClassVar[str] = "rmse"
    """The metric that is shown for each epoch if the configuration names none."""
    linear_model: ClassVar[str] = "ridge regression"
    """The linear model of this kind that a network is compared with."""
    error_title: ClassVar[str] = "error"
    """What the largest errors of rows are shown as."""

    if TYPE_CHECKING:  # fields or properties

        @property
        def names(self) -> tuple[str, ...]:
            """The names of the target columns."""

        @property
        def labels(self) -> tuple[str, ...]:
            """The names of the classes, or of the labels that a row may have; none for numbers."""

    # What a kind must do: cells

    @classmethod
    @abstractmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """Fit the target to the training rows of a table.

        Raises:
            DataError: a cell cannot be an answer, or the rows do not suffice.
        """

    def joint(self, targets: Sequence[TargetBase], positive: str | None) -> Self:
        """The target of a model whose members have these `targets`, of which this is the first.

        `positive` is the second of two classes. It is the target itself where all members have that of the whole table.
        """
        return self

    @abstractmethod
    def read(self, table: Table) -> Truth:
        """The targets y of a table.

        Raises:
            DataError: a cell is missing, or cannot be an answer; names its row.
        """

    @abstractmethod
    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        """The cells of each target that cannot be read."""

    @abstractmethod
    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each cell (rows,), for each target."""

    # What a kind must do: predictions and their scores

    @abstractmethod
    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """The columns of predictions by name; with `proba` also of the probabilities, if there are any."""

    @abstractmethod
    def scoring(self, loss: Loss) -> Scoring:
        """How predictions by a loss are compared."""

    @abstractmethod
    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        """A metric as a function of (y, values, weights); the mean over several targets. NaN when undefined.

        A `decision` makes classes of the probabilities.

        Raises:
            UsageError: there is no such metric for the target.
        """

    @abstractmethod
    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> Scores:
        """Every metric. `weights` (rows,) are sample weights, or None."""

    @abstractmethod
    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        """(resamples, names) for each target: metrics for every row of weights in `W` (resamples, rows)."""

    @abstractmethod
    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        """The values (outputs,) that the baseline predicts for any row, from the training rows."""

    @abstractmethod
    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        """An error of each row (rows,) that everyone understands, and its name."""

    # What a kind must do: comparisons of models

    @classmethod
    @abstractmethod
    def loss_metric(cls, loss: Loss) -> str:
        """The metric that goes with a loss."""

    @abstractmethod
    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """A loss of each row (rows,) whose mean goes with the metric, for paired tests."""

    @classmethod
    @abstractmethod
    def test_loss_name(cls, metric: str) -> str:
        """The name of `test_losses`."""

    @abstractmethod
    def is_mean_of_rows(self, metric: str) -> bool:
        """Whether the metric is the mean of `test_losses`, or the root of it."""

    # What a kind must do: pictures and words

    @abstractmethod
    def view(self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None) -> View:
        """What the picture of the predictions of some rows is made of; `intervals` are those of numbers, if known."""

    @abstractmethod
    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        """The actual and the predicted value of a row as text, and what `error_title` says of it."""

    # What a kind may do: parts, of which each does nothing by itself, and what is said of it

    @property
    def parts(self) -> tuple[TargetPart, ...]:
        """The targets that it consists of, each with a run of its own; none for one target. A row may lack some."""
        return ()

    @property
    def is_relative(self) -> bool:
        """Whether predictions are relative to the context of their rows, if they have one.

        Models of older versions only add the logarithm of the exposure before the link.
        """
        return False

    def other_labels(self, rare: Sequence[str]) -> dict[str, str]:
        """Other names for some labels, which tell nothing about the table."""
        return {}

    def without_cells(self) -> Self:
        """The target with rounded numbers where it holds cells of single rows, as a private run keeps it."""
        return self

    @classmethod
    def class_order(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> tuple[str, ...]:
        """The classes of a table from the lowest on, before a fit; none of a kind without an order.

        Raises:
            DataError: the order is not understood.
        """
        return ()

    @classmethod
    def listed(cls, labels: Sequence[str]) -> str:
        """Labels as messages list them."""
        return join_quoted(labels)

    @classmethod
    def task_name(cls) -> Task:
        """The name of the task that losses of this kind have."""
        task: Task = cls.model_fields["task"].default
        return task

    def head(self, loss: Loss) -> Head:
        """The parts of this target with the loss that it is learned by."""
        parts = self.scoring(loss), self.explained(), self.monitoring(), self.wording(), self.views(loss)
        return Head(self, loss, *parts)

    def explained(self) -> Explained:
        """Which output an explanation is of."""
        return Explained(self)

    def monitoring(self) -> Monitoring:
        """What drift of predictions is measured of."""
        return Monitoring(self)

    def views(self, loss: Loss) -> Views:
        """What sections on predictions are made of."""
        return Views(self)

    def wording(self) -> Wording:
        """What is said of predictions."""
        return Wording(self)

    def uncertainty(self) -> ConformalMethod | None:
        """What makes predictions regions that cover a share of new rows; None where nothing does."""
        return None

    @property
    def title(self) -> str:
        """What is predicted, and the task."""
        return f"{join_quoted(self.names)} ({self.task})"

    @property
    def predicted_names(self) -> tuple[str, ...]:
        """The target columns that are predicted; others tell more about them."""
        return self.names

    @property
    def class_labels(self) -> ClassLabels:
        """The classes of which a row has one; none where it has no class."""
        return NO_CLASSES

    @property
    def decision_rule(self) -> DecisionRule:
        """How predicted values become classes or labels."""
        return NO_DECISION

    @property
    def curve(self) -> SurvivalCurve | None:
        """The curve over time that its predicted values are of; None where they are of no curve."""
        return None

    @property
    def gives(self) -> frozenset[str]:
        """What predictions can have, which some options need, as an interval or a set."""
        method = self.uncertainty()
        return frozenset() if method is None else frozenset({method.option})

    def require(self, needed: Needed, option: UseOption, instead: Advice | None = None) -> None:
        """Refuse an option that needs what predictions do not have, perhaps with another hint.

        Raises:
            UsageError: they do not have it.
        """
        if needed not in self.gives:
            why, hint = self.wording().refusal(needed)
            raise UsageError(Advice(option, f" {why}"), hint=instead or hint or None)

    # Cells

    @classmethod
    def rows_with_target(cls, table: Table, names: tuple[str, ...], *, every: bool = True) -> RowIndices:
        """The positions of the rows from which something can be learned; see the function of that name."""
        return rows_with_target(table, names, every=every)

    @classmethod
    def note(cls, table: Table, names: tuple[str, ...]) -> str | None:
        """What a training says of how the target is read; None if there is nothing to say."""
        return None

    @property
    def truth_columns(self) -> tuple[tuple[str, bool], ...]:
        """The columns of y of a kind that reads text and has no classes by name, and whether each is yes or no."""
        return tuple((name, True) for name in self.output_names)

    def truth_texts(self, y: Truth) -> Truth:
        """The targets as people know them: the names of classes, or the numbers."""
        return y

    @property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        """The words in the cells of each column, where each is a class or a label of its own."""
        return {}

    @property
    def removed_units(self) -> list[tuple[str, str | None]]:
        """The targets with the unit that is stripped from their cells, or None."""
        return []

    @property
    def class_orders(self) -> list[tuple[str, tuple[str, ...]]]:
        """The targets whose classes are ordered, with these, lowest first."""
        return []

    # Outputs of the network, and predictions

    @property
    def n_outputs(self) -> int:
        """The number of values that are predicted for a row."""
        return len(self.output_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each predicted value is of: a target or a class."""
        return self.labels or self.names

    @property
    def scale(self) -> Floats | float:
        """What a training loss divides errors by: the scale (targets,) of numbers."""
        return 1.0

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        """Targets as the loss takes them: codes, or numbers in the precision of the network."""
        return y

    def loss_targets(self, y: Truth) -> Truth:
        """Targets as `per_row` of the loss takes them: encoded, or in the units to which `decode` returns."""
        return self.encode(y)

    def encode_predictions(self, values: Floats, precision: Precision) -> Truth:
        """Predictions (rows, outputs) of another model as the loss takes them, for a kind without labels."""
        return self.encode(values, precision)

    def decode(self, values: Floats) -> Floats:
        """Predicted values (…, outputs) from those of the loss's inverse link."""
        return values

    def decode_vjp(self, values: Floats, d: Floats) -> Floats:
        """The gradient with respect to `values`, before `decode`, from that after it; both (rows, outputs)."""
        return d

    def lower_decode(self, values: Value, repeats: int = 1) -> Value:
        """The operations of `decode` for values (rows, outputs · repeats), with adjacent columns of each output."""
        return values

    def clip_relative(self, values: Floats) -> Floats:
        """Relative values (rows, outputs, …), within those of the training rows if these are kept."""
        return values

    def clip_relative_vjp(self, values: Floats, d: Floats) -> Floats:
        """The gradient with respect to `values`, before `clip_relative`, from that after it; both (rows, outputs)."""
        return d

    def lower_clip_relative(self, values: Value) -> Value:
        """The operations of `clip_relative`."""
        return values

    def lower_codes(self, values: Value, decision: Decision | None) -> Value:
        """The operations of what is decided by values: the codes (rows, 1) of classes, -1 where a value is NaN."""
        return values

    def lower_standard_deviations(self, loss: Loss, quantiles: Value) -> Value | None:
        """The operations of the standard deviations (rows, targets) of predicted distributions; None without these."""
        return None

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        """The columns of a program, which exporters print.

        There are none where a program cannot compute the columns of predictions, so that a model cannot be exported.
        """
        return ()

    def precision_of(self, precision: Precision) -> Precision:
        """The precision that predicted values are rounded to, by that of the network."""
        return "float64"

    def shown(self, values: Floats) -> Floats:
        """The numbers that the columns of predictions show, from predicted ones or their quantiles."""
        return values

    def lower_shown(self, values: Value) -> Value:
        """The operations of `shown`."""
        return values

    def is_probability(self, column: str) -> bool:
        """Whether a column of predictions, by its name, is one that `proba` adds."""
        return False

    def program_columns(self, predictions: Predicted) -> Mapping[str, pl.Series]:
        """The columns that an exported program prints, by name."""
        return self.columns(predictions, proba=True)

    @property
    def shown_outputs(self) -> slice:
        """The outputs that partial dependence shows."""
        return slice(None)

    def signs(self, truths: Iterable[Truth]) -> tuple[int, ...]:
        """The signs (targets,) that bounds of numbers keep, by the targets y of all rows; none where they keep none."""
        return ()

    # Members of an ensemble, folds and students

    def accepts(self, member: TargetBase) -> bool:
        """Whether a model of this target can have a member of that one."""
        return self.is_same_kind(member)

    def is_same_kind(self, other: TargetBase) -> bool:
        """Whether another target is of the same kind, and of the same columns."""
        return (self.task, self.names) == (other.task, other.names)

    def accepts_loss(self, loss: LossBase, temperature: float = 1.0) -> bool:
        """Whether a model can have this loss, and probabilities of this temperature."""
        return loss.task == self.task and self.calibration.takes(temperature)

    def is_same(self, other: TargetBase) -> bool:
        """Whether two targets have the same columns and classes, so that predictions can be compared."""
        return self == other

    def positions_in(self, other: TargetBase) -> Codes | None:
        """The position (outputs,) of each output among those of `other`, -1 where it has none; None if all agree."""
        return None

    def align(self, values: Floats, source: TargetBase) -> Floats:
        """Values (rows, outputs) of a model of the target `source`, in the order of this one; 0 where it has none."""
        positions = self.positions_in(source)
        if positions is None:
            return values
        aligned, has_own = np.zeros((len(values), len(positions))), positions >= 0
        aligned[:, has_own] = values[:, positions[has_own]]
        return aligned

    # Arrays in files

    @property
    def is_whole(self) -> bool:
        """Whether every field has one value per target."""
        return True

    def check_truth(self, y: Truth, rows: int) -> None:
        """Raise a ValueError unless an array of a file can be the targets of so many rows."""
        if y.dtype != np.float64 or y.shape != (rows, len(self.names)):
            raise ValueError("y has another type or shape")

    # Scores

    @classmethod
    def metric_names(cls) -> tuple[str, ...]:
        """The metrics that a configuration may name."""
        return metric_names(*cls.metric_tasks())

    @classmethod
    def metric_tasks(cls) -> tuple[Task, ...]:
        """The tasks whose metrics it has: that of its family, and those of the kinds that it extends, its own last."""
        extended = (kind.task_name() for kind in reversed(cls.__mro__) if issubclass(kind, TargetBase))
        return tuple(dict.fromkeys(task for task in (cls.family, *extended) if task))

    def interval_rows(self, y: Truth) -> dict[str, int]:
        """The number of rows that a metric depends on, by its name, where it is not all."""
        return {}

    def share_intervals(
        self, predictions: Predicted, y: Truth, weights: Floats | None, groups: Codes | None
    ) -> dict[str, ConfidenceInterval | None]:
        """The intervals of the metrics, by name, that are shares of some rows, so that no resamples are needed."""
        return {}

    def row_losses(self, loss: Loss, predicted: Floats, y: Truth, scale: Floats | float) -> Floats:
        """The training loss of each row (rows,) from the points, in units that suit several targets.

        `scale` is that of the target the model was trained with.
        """
        return loss.per_row(predicted, self.loss_targets(y))

    def surprises(self, predictions: Predicted, y: Truth) -> Floats:
        """The errors (rows,) by which rows with the largest ones are found."""
        return self.row_errors(predictions, y)[0]

    # Choosing among models

    @classmethod
    def verdict_metric(cls, loss: Loss) -> str:
        """The metric by which a model is better than the baseline or not."""
        has_metric = loss.deviance_power is not None or loss.has_distribution
        return cls.loss_metric(loss) if has_metric else "rmse"

    @classmethod
    def difference(cls, metric: str, loss: Loss, other: Loss) -> str | None:
        """Why the metric of a model with one loss is not that of one with the other; None if both are comparable."""
        return None

    # Words and pictures for reports

    def format(self, value: float, form: Callable[[float], str] = format_number) -> str:
        """A predicted value, or an error, as text; numbers are written by `form`."""
        return form(value)

    def format_error(self, value: float, form: Callable[[float], str] = format_number) -> str:
        """An error of `row_errors` as text."""
        return self.format(value, form)

    def format_change(self, value: float, form: Callable[[float], str] = format_number) -> str:
        """The size of a change of a predicted value, as text; of a percentage in percentage points."""
        return self.format(abs(value), form).replace("%", "points")

    def describe_output(self, output: str) -> str:
        """What the predicted value of an output is."""
        return f"prediction of {output}"


def present(part: P | None) -> P:
    """A part of a target that is there: an option that needs one is refused before by `TargetBase.require`."""
    assert part is not None
    return part


def missing_target_error(table: Table, name: str, row: int) -> DataError:
    """The error for a row without a target."""
    cell, hint = table.column(name)[row], "Fill in the cell, or remove the row."
    if isinstance(cell, str):
        hint = f"Fill in the cell, or add {quote(cell)} to data.missing_values to leave such rows out."
    return DataError("the target is missing", location=table.location(row=row, column=name), hint=hint)


def rows_with_target(table: Table, names: tuple[str, ...], *, every: bool = True) -> RowIndices:
    """Positions of the rows that have a value for every target, or else for any.

    Raises:
        DataError: there is no such column, or its type cannot be a target.
    """
    table.require(names)
    present = np.empty((len(names), len(table)), bool)
    for has, name in zip(present, names, strict=True):
        cells = table.column(name)
        _check_type(table, name)
        has[:] = cells.is_not_null().to_numpy()
        if cells.dtype.is_float():
            has &= ~cells.is_nan().fill_null(False).to_numpy()
    return np.flatnonzero(present.all(axis=0) if every else present.any(axis=0))


def _check_type(table: Table, name: str) -> None:
    """Raise a DataError if a target has a type of dates or times, lists, objects or bytes."""
    try:
        readable(table, name)
    except DataError as error:
        kind = table.column(name).dtype
        hint = "Convert it to numbers, such as the days until a date, or to text for classes."
        raise DataError(
            error.message.replace("the column", "the target"),
            location=error.location,
            hint=hint if kind.is_temporal() else "Name another column as data.target.",
        ) from None
