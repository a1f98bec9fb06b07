"""One of several classes, named as in the table, each with a probability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from nncli.base.errors import Advice, DataError, SetKey, UsageError
from nncli.base.spec import Calibration, DistinctTexts, StrictStr, Task
from nncli.base.text import format_number, format_percent, join_quoted, quote
from nncli.data.columns.hashing import Hashes, hash_texts
from nncli.data.columns.parsing import CellErrors, parse_numbers, read_text
from nncli.data.columns.spellings import alternative_categories
from nncli.data.encoders.column_types import ColumnType
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask
from nncli.nn.losses import Loss
from nncli.nn.program.program import LabelType, OutputColumn
from nncli.nn.program.values import Value, is_nan, select
from nncli.targets.class_labels import ClassLabels, free_labels
from nncli.targets.decision import Decision, LabelThresholds, MostProbable, constant_decision
from nncli.targets.explained import Explained, ExplainedProbability, check_target
from nncli.targets.feature_scores import ClassScores, FeatureScores
from nncli.targets.kind import Refusal, SettingRule, T
from nncli.targets.metrics.bootstrap import ConfidenceInterval, Samples
from nncli.targets.metrics.classification import (
    POSITIVE_CLASS_METRICS,
    ClassificationScores,
    calibration_error,
    classification_scores,
    cost_metric,
    one_hot,
)
from nncli.targets.metrics.classification_resamples import LOG_LOSS_EPS, ClassificationResamples, log_loss_per_row
from nncli.targets.metrics.intervals import MEANS_OF_CLASSES, max_error_rate, positive_class_interval
from nncli.targets.metrics.metric import Metric, plugin_metrics, resampled_scores
from nncli.targets.metrics.registry import COST, METRICS, BoundMetric, metric_function
from nncli.targets.metrics.sums import UNKNOWN, ClassRows
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS, apply_temperature, lower_temperature
from nncli.targets.monitoring import Binned, Monitoring, Tracked, TrackedClasses, TrackedNumbers
from nncli.targets.output_columns import OutputNodes
from nncli.targets.probabilities import Probabilities
from nncli.targets.row_scores import Accuracy, RowScore
from nncli.targets.scoring import (
    Comparison,
    LinearFit,
    Measure,
    RareClass,
    Scoring,
    SelectionLoss,
    fit_logistic,
    softmax,
)
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, missing_target_error
from nncli.targets.training import ProbabilityCalibration
from nncli.targets.views import (
    ClassProbabilities,
    Confusions,
    Intervals,
    OneClass,
    PositiveClass,
    Reliability,
    Separation,
    View,
    Views,
)
from nncli.targets.wording import LabelWording, Wording

if TYPE_CHECKING:
    from nncli.targets.conformal import ConformalMethod


@dataclass(frozen=True)
class ClassCalibration(ProbabilityCalibration):
    """The probabilities of all classes have one temperature."""

    def takes(self, T: float) -> bool:
        return True

    def at(self, values: Floats, T: float) -> Floats:
        return apply_temperature(values, T)

    def lower(self, values: Value, T: float) -> Value:
        return lower_temperature(values, T)


class ClassTarget(Probabilities):
    """A target of two or more classes, named as in the table. Of two classes the second is the positive one."""

    noun: ClassVar[str] = "class"
    output_noun: ClassVar[str] = "class"
    output_nouns: ClassVar[str] = "classes"
    calibrations: ClassVar[tuple[Calibration, ...]] = ("auto", "none", "temperature")
    epoch_metrics: ClassVar[tuple[str, ...]] = (CALIBRATED_LOG_LOSS.name,)
    cell_kind: ClassVar[ColumnType | None] = ColumnType.CATEGORICAL
    draft_options: ClassVar[tuple[SettingRule, ...]] = (
        ("class_weight", "balanced", "all classes have the same total weight"),
    )
    family: ClassVar[Task] = "classification"
    default_loss: ClassVar[str] = "cross_entropy"
    default_metric: ClassVar[str] = "accuracy"
    linear_model: ClassVar[str] = "logistic regression"
    error_title: ClassVar[str] = "probability of the actual class"
    takes_fractions: ClassVar[bool] = False
    """Whether numbers with fractions can be classes."""
    further_metrics: ClassVar[tuple[Metric[ClassificationResamples], ...]] = ()
    """The metrics besides those of all classes, which are shown first."""

    name: StrictStr
    labels: Annotated[DistinctTexts, Field(min_length=2)]
    label_type: LabelType = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the target column, in a tuple as of numbers."""
        return (self.name,)

    @property
    def row_score(self) -> RowScore | None:
        return Accuracy()

    @property
    def gives(self) -> frozenset[str]:
        return super().gives | {"classes"}

    @property
    def class_labels(self) -> ClassLabels:
        return ClassLabels(self.labels, self.label_type)

    @property
    def decision_rule(self) -> MostProbable:
        return MostProbable(self.labels)

    @property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        return {self.name: self.labels}

    def uncertainty(self) -> ConformalMethod | None:
        from nncli.targets.conformal import SetMethod

        return SetMethod()

    def other_labels(self, rare: Sequence[str]) -> dict[str, str]:
        """`rare class 1` and so on, negative numbers for numbers; true and false keep their names."""
        if self.label_type == "boolean":
            return {}
        name = "rare class {}" if self.label_type == "text" else "-{}"
        return free_labels(rare, name, self.labels)

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """Fit the classes: sorted by number if all are whole numbers, else alphabetically.

        Of two classes the `positive` one comes last.

        Raises:
            DataError: there are fewer than two classes; or all are numbers, and one has a fraction or is nan.
        """
        (name,), positive = names, options.positive
        kind, cells = table.column(name).dtype, read_text(table, name)
        labels = cells.drop_nulls().unique()
        numbers = parse_numbers(labels, table.dialect_of(name))
        whole = not numbers.has_nulls()
        if whole and numbers.is_nan().any():
            raise missing_target_error(
                table, name, cells.is_in(labels.filter(numbers.is_nan()).to_list()).arg_max() or 0
            )
        if whole and not cls.takes_fractions and (numbers != numbers.floor()).any():
            fraction = labels.filter(numbers != numbers.floor()).sort()[0]
            raise DataError(
                f"the target has the value {quote(fraction)}: numbers with fractions cannot be classes",
                location=table.location(column=name),
                hint=Advice("For regression use ", SetKey("loss", "mse"), ", or choose another target."),
            )
        if len(labels) < 2:
            raise DataError(
                f"the target has {'only the class ' + quote(labels[0]) if len(labels) else 'no value'} in the "
                "training rows; classification needs two classes or more",
                location=table.location(column=name),
                hint="Choose another target, or add rows of another class.",
            )
        ordered = [label for _, label in sorted(zip(numbers if whole else [0.0] * len(labels), labels, strict=True))]
        spelling: LabelType = "text"
        if kind.is_integer():
            spelling = "integer"
        elif kind.is_float():
            spelling = "float"
        elif kind == pl.Boolean:
            spelling = "boolean"
        if positive in ordered and len(ordered) == 2:
            ordered.sort(key=lambda label: label == positive)
        return cls(name=name, labels=tuple(ordered), label_type=spelling)

    @classmethod
    def text_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    @classmethod
    def class_columns(cls, names: tuple[str, ...], *, ordered: bool = True) -> tuple[str, ...]:
        return names

    @classmethod
    def strata_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    @property
    def calibration(self) -> ProbabilityCalibration:
        return ClassCalibration()

    def no_temperature(self, *, is_monotone: bool, has_validation: bool) -> Refusal | None:
        if is_monotone and len(self.labels) > 2:
            what = "a temperature can lower the probability of high classes as a monotone column rises"
            return what, "Use auto or none."
        return super().no_temperature(is_monotone=is_monotone, has_validation=has_validation)

    @classmethod
    def estimator_loss(cls, loss: object, data: Mapping[str, object]) -> object:
        return loss or ("ordinal" if data.get("order") else cls.default_loss)

    @classmethod
    def classes_among(cls, values: Sequence[T]) -> Sequence[T]:
        return values

    @classmethod
    def count_outputs(cls, table: Table, names: tuple[str, ...]) -> int:
        """The number of classes."""
        return table.column(names[0]).n_unique()

    @classmethod
    def rows_to_fit(cls, training: Table, every: Table, *, of_several: bool = False) -> Table:
        """Every row of one of several targets: a split is stratified by one, so that classes of another may be rare."""
        return every if of_several else training

    @classmethod
    def refusal(cls, key: str, loss: str, names: tuple[str, ...]) -> Refusal | None:
        match key:
            case "output_activation":
                message = f"the target, {quote(names[0])}, is a class: {loss} has its own link function"
                return f"cannot be set when {message}", "Remove the key."
            case "class_weight" | "positive_class":
                return None
        return super().refusal(key, loss, names)

    def feature_scores(self, y: Truth, width: int) -> FeatureScores:
        return ClassScores(width, y, len(self.labels))

    def read(self, table: Table) -> Codes:
        """The class of each row as a code (rows,).

        Raises:
            DataError: a label is missing, or did not occur in the training rows; names its row.
        """
        cells, values = read_text(table, self.name), self.codes(table)
        if len(values) and values.min() < 0:
            row = int((values < 0).argmax())
            if cells[row] is None:
                raise missing_target_error(table, self.name, row)
            raise DataError(
                f"the class {quote(cells[row])} did not occur in the training rows",
                location=table.location(row=row, column=self.name),
                hint=f"The classes of the model are {join_quoted(self.labels)}.",
            )
        return values

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        """The cells whose class is unknown, in a list as of numbers."""
        unknown = (self.codes(table) < 0) & read_text(table, self.name).is_not_null().to_numpy()
        return [(self.name, CellErrors.of(unknown, "is a class that did not occur in the training rows", ""))]

    def codes(self, table: Table) -> Codes:
        """The class of each row as a code (rows,), -1 where a label is missing or unknown."""
        cells = read_text(table, self.name)

        def codes_of(labels: pl.Series) -> pl.Series:
            return labels.replace_strict(list(self.labels), range(len(self.labels)), default=-1, return_dtype=pl.Int64)

        codes = codes_of(cells)
        unknown = (codes < 0) & cells.is_not_null()
        if unknown.any():
            alternatives = alternative_categories(cells.filter(unknown), self.labels)
            codes = codes.scatter(unknown.arg_true(), codes_of(alternatives))
        values: Codes = codes.to_numpy()
        return values

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each label (rows,), in a list as of numbers."""
        return [hash_texts(read_text(table, self.name))]

    def explained(self) -> Explained:
        return ExplainedClass(self)

    def monitoring(self) -> Monitoring:
        return ClassMonitoring(self)

    def views(self, loss: Loss) -> Views:
        return ClassViews(self)

    def wording(self) -> Wording:
        return ClassWording(self)

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """`prediction`; with `proba` also `proba_CLASS` for each class."""
        columns = {"prediction": self.class_labels.column(predictions.classes, "prediction")}
        if proba:
            for j, label in enumerate(self.labels):
                columns[self.prefix + label] = pl.Series(predictions.values[:, j].astype(predictions.precision))
        return columns

    def lower_codes(self, values: Value, decision: Decision | None) -> Value:
        codes = self.decision_rule.lower(values, decision)
        return select(is_nan(values.columns([0])), -1.0, codes)

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        name, of_type, prefix = self.name, self.label_type, self.prefix
        return (
            OutputColumn("prediction", "class", nodes.codes, 0, name, None, self.labels, of_type),
            *(
                OutputColumn(prefix + label, "probability", nodes.values, j, name, None, (label,), of_type)
                for j, label in enumerate(self.labels)
            ),
        )

    @property
    def shown_outputs(self) -> slice:
        """The second of two classes alone."""
        return slice(1, 2) if len(self.labels) == 2 else slice(None)

    def accepts(self, member: TargetBase) -> bool:
        """A member may lack a rare class."""
        return super().accepts(member) and set(member.labels) <= set(self.labels)

    def positions_in(self, other: TargetBase) -> Codes | None:
        if self.labels == other.labels:
            return None
        positions = {label: j for j, label in enumerate(other.labels)}
        return np.array([positions.get(label, -1) for label in self.labels])

    def joint(self, targets: Sequence[TargetBase], positive: str | None) -> Self:
        """The target with the classes of all."""
        labels = list(dict.fromkeys(label for target in targets for label in target.labels))
        if len(labels) == len(self.labels):
            return self
        target = self.fit(Table(pl.DataFrame({self.name: labels}), ""), self.names, self._refit_options(positive))
        return target.model_copy(update={"label_type": self.label_type})

    def _refit_options(self, positive: str | None) -> FitOptions:
        """The options by which the classes of all members are fitted again."""
        return FitOptions(positive=positive)

    def check_truth(self, y: Truth, rows: int) -> None:
        if y.dtype != np.int64 or y.shape != (rows,):
            raise ValueError("y has another type or shape")
        if rows and not 0 <= y.min() <= y.max() < len(self.labels):
            raise ValueError("y: no such class")

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        metric, K = metric_function(name, *self.metric_tasks()), len(self.labels)
        if name in {metric.name for metric in POSITIVE_CLASS_METRICS} and K != 2:
            message = f"{name} needs two classes, and {quote(self.name)} has {K:,}"
            raise UsageError(message, hint="Use macro_f1 or balanced_accuracy.")
        if self.decision_rule.takes_largest(decision) or not METRICS[name].of_classes:
            return metric
        return lambda y, P, weights: metric(y, one_hot(self.decision_rule.codes(P, decision), K), weights)

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> ClassificationScores:
        costs = self._costs(predictions)
        codes = self._decided(predictions)
        last = plugin_metrics(*self.metric_tasks())
        return classification_scores(
            y, predictions.values, self.labels, weights, codes, costs, self.further_metrics, last
        )

    def _decided(self, predictions: Predicted) -> Codes | None:
        """The codes of the predicted classes (rows,) where they may not be the most probable ones; else None."""
        return None if self.decision_rule.takes_largest(predictions.decision) else predictions.classes

    def _costs(self, predictions: Predicted) -> Floats | None:
        """The costs (actual, predicted) by which classes are decided; None without."""
        return None if predictions.decision is None else predictions.decision.cost_of(self.labels)

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        resamples = ClassificationResamples(y, predictions.values, W, self._decided(predictions))
        costs = self._costs(predictions)
        of_costs = {} if costs is None else {COST.name: cost_metric(costs)}
        metrics = tuple(of_costs.get(name, METRICS[name]) for name in names)
        return [resampled_scores(metrics, resamples, y, predictions.values, W)]

    def interval_rows(self, y: Truth) -> dict[str, int]:
        """The rows of the class that a rate depends on: the rarest there is, or the positive class."""
        counts = np.bincount(y, minlength=2)
        rarest = int(counts[counts > 0].min())
        return dict.fromkeys((*MEANS_OF_CLASSES, "roc_auc"), rarest) | {"average_precision": int(counts[1])}

    def share_intervals(
        self, predictions: Predicted, y: Truth, weights: Floats | None, groups: Codes | None
    ) -> dict[str, ConfidenceInterval | None]:
        """Those of precision, recall and F1 of the positive class of two."""
        positive, predicted = y == 1, predictions.classes == 1
        names = ("f1", "precision", "recall") if len(self.labels) == 2 else ()
        return {name: positive_class_interval(name, positive, predicted, weights, groups) for name in names}

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        """The class shares."""
        counts = np.bincount(y, weights, minlength=len(self.labels)).astype(np.float64)
        return np.asarray(counts / counts.sum())

    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        """1 for a misclassified row."""
        return (predictions.classes != y).astype(np.float64), "error rate"

    def surprises(self, predictions: Predicted, y: Truth) -> Floats:
        """The log losses."""
        return np.asarray(-np.log(predictions.values[np.arange(len(y)), y].clip(LOG_LOSS_EPS)))

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        return "log_loss"

    @classmethod
    def verdict_metric(cls, loss: Loss) -> str:
        return cls.loss_metric(loss)

    def truth_texts(self, y: Truth) -> Truth:
        return np.array(self.labels)[y]

    def scoring(self, loss: Loss) -> Scoring:
        return ClassScoring(self)

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """The log loss, or for accuracy the error."""
        return self.row_errors(predictions, y)[0] if metric == "accuracy" else log_loss_per_row(y, predictions.values)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return "classification error" if metric == "accuracy" else "log loss"

    def is_mean_of_rows(self, metric: str) -> bool:
        return metric in ("log_loss", "accuracy")

    def format(self, value: float, form: Callable[[float], str] = format_number) -> str:
        return format_percent(value)

    def describe_output(self, output: str) -> str:
        return f"probability that {self.names[0]} is {output}"

    def view(
        self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None
    ) -> Separation | Confusions:
        """The probabilities of two classes; the confusion matrix of several."""
        w, K = np.ones(len(y)) if weights is None else weights, len(self.labels)
        if K == 2:
            decision = predictions.decision
            j, threshold = (1, 0.5) if isinstance(decision, LabelThresholds | None) else decision.cut(self.labels)
            labels = (self.labels[1 - j], self.labels[j])
            return Separation(labels, predictions.values[:, j], y == j, w, threshold)
        counts = np.bincount(y * K + predictions.classes, w, K * K).astype(np.float64).reshape(K, K)
        return Confusions(self.labels, counts)

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        actual, predicted = int(y[row]), int(predictions.classes[row])
        probability = format_percent(float(predictions.values[row, actual]))
        return self.labels[actual], self.labels[predicted], probability


@dataclass(frozen=True)
class ExplainedClass(ExplainedProbability):
    """Explained is the probability of the second of two classes, or of the predicted one of more."""

    target: ClassTarget
    option: ClassVar[Literal["class_label", "target"]] = "class_label"

    @property
    def of_classes(self) -> str:
        return self.target.name

    @property
    def in_each_row(self) -> tuple[str, ...]:
        return ()

    @property
    def targets(self) -> tuple[str, ...]:
        return self.target.names

    def named(self, class_label: str | None, target: str | None) -> str | None:
        check_target(target, self.targets)
        if class_label is not None:
            self.place(class_label)  # raises the error before any work
        return class_label

    def of_rows(self, values: Floats, decision: Decision | None) -> Codes:
        return (
            self.target.decision_rule.codes(values, decision)
            if len(self.target.labels) > 2
            else np.full(len(values), 1)
        )

    def selection(self, values: Floats, decision: Decision | None) -> Callable[[Floats], Floats]:
        places = self.of_rows(values, decision).clip(0)  # -1 has no probability, so that its effects are NaN
        return lambda each: np.take_along_axis(each, places[None, :, None], axis=2)

    def labels(self, predictions: pl.DataFrame) -> list[str | None]:
        if len(self.target.labels) == 2:
            return [self.target.labels[1]] * len(predictions)
        return predictions["prediction"].cast(pl.String).to_list()


@dataclass(frozen=True)
class ClassMonitoring(Monitoring):
    """Tracked are the most probable class, and the probability of the second of two classes or the largest of more."""

    target: ClassTarget

    def tracked(self, predictions: Predicted) -> tuple[Tracked, ...]:
        values, labels = predictions.values, self.target.labels
        positive, p = (labels[1], values[:, 1]) if len(labels) == 2 else ("", values.max(axis=1))
        codes = np.where(np.isnan(p), -1, values.argmax(axis=1))
        return (TrackedClasses(self.target.name, labels, codes), TrackedNumbers(positive, "probability", p))

    def class_names(self, most: int) -> tuple[str, ...]:
        codes = np.arange(min(len(self.target.labels), most))
        return tuple(self.target.class_labels.column(codes, "prediction").cast(pl.String))

    def predicted_classes(self, frame: pl.DataFrame) -> tuple[pl.Series, ...]:
        return (frame.get_column("prediction"),) if "prediction" in frame.columns else ()

    def truth(self, table: Table) -> Truth | None:
        """The class codes (rows,), -1 where a cell is missing and UNKNOWN where it is another class."""
        if self.target.name not in table.names:
            return None
        codes = self.target.codes(table)
        unknown = codes < 0
        if unknown.any():
            codes = np.where(unknown & read_text(table, self.target.name).is_not_null().to_numpy(), UNKNOWN, codes)
        return codes

    def estimates(self, predictions: Predicted, truth: Truth | None, tracked: Sequence[Binned]) -> ClassRows | None:
        return ClassRows.of(predictions.values, predictions.classes, *tracked[-1], truth) if tracked else None


@dataclass(frozen=True)
class ClassViews(Views):
    """The probabilities of each class, and of two classes the rows by that of the second."""

    target: ClassTarget

    def of_rows(
        self, predictions: Predicted, y: Truth, weights: Floats | None, baseline: Predicted
    ) -> tuple[View, ...]:
        P, labels = predictions.values, self.target.labels

        def of_class(k: int) -> OneClass:
            return OneClass(y == k, P[:, k], weights)

        error = calibration_error(y, P, weights)
        if len(labels) != 2:
            most_probable = "the most probable class", P.max(axis=1), P.argmax(axis=1) == y
            return (ClassProbabilities(of_class, Reliability(*most_probable, weights, error)),)
        second = of_class(1)
        reliability = Reliability(labels[1], second.probability, second.is_positive, weights, error)
        return (ClassProbabilities(of_class, reliability), PositiveClass(labels[1], second))


@dataclass(frozen=True)
class ClassWording(LabelWording):
    """The words of classes, of which a row has one."""

    target: ClassTarget

    def task(self, quoted: Callable[[str], str]) -> str:
        return f"classifies {quoted(self.target.name)} into {len(self.target.labels):,} classes"

    def baseline(self, baseline: Predicted, quoted: Callable[[str], str]) -> str:
        return quoted(self.target.labels[int(baseline.classes[0])])

    def decided_baseline(self, baseline: Predicted) -> str:
        usual = f"{self.target.decision_rule.usual} of the class shares"
        how = usual if baseline.decision is None else "class of the lowest cost for all"
        return f"Those of the baseline are the {how}."

    def without_errors(self, predictions: Predicted, y: Truth) -> str:
        if len(y) < 2 or (predictions.classes != y).any():
            return ""
        bound = format_percent(max_error_rate(len(y)))
        return f"No row is misclassified. With {len(y):,} rows the error rate may still be {bound}."


class ClassificationTarget(ClassTarget):
    """Classes that a loss of a classification is for."""

    task: Literal["classification"] = "classification"

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        return (np.where(signal > 0, "yes", "no"),)

    @classmethod
    def example_predictions(cls, rng: np.random.Generator, rows: int) -> tuple[npt.NDArray[Any], Floats]:
        return rng.integers(0, 2, rows), rng.dirichlet([1.0, 1.0], rows)


def _costs_of_rows(predictions: Predicted, y: Truth) -> Floats:
    """What the predicted classes (rows,) cost."""
    costs = None if predictions.decision is None else predictions.decision.cost_of(predictions.target.labels)
    return _errors(predictions, y) if costs is None else np.asarray(costs[y, predictions.classes], np.float64)


def _errors(predictions: Predicted, y: Truth) -> Floats:
    return np.asarray(predictions.classes != y, np.float64)


LOG_LOSS = Measure("log loss", lambda predictions, y: log_loss_per_row(y, predictions.values))
ERROR_RATE = Measure("error rate", _errors, of_classes=True)


@dataclass(frozen=True)
class ClassScoring(Scoring):
    """Classes are compared by the log loss.

    By the error rate the better of two models of a rare class would be the one that never predicts it, so it is shown
    beside only, or the cost of a row if the classes of all are decided by the same costs.
    """

    target: ClassTarget

    @property
    def classes(self) -> tuple[str, ...]:
        return self.target.labels

    @property
    def in_common(self) -> Comparison:
        return Comparison((LOG_LOSS,), beside=ERROR_RATE)

    def comparison(self, decision: Decision | None) -> Comparison:
        costs = constant_decision(decision, self.target.labels)
        if costs is None:
            return self.in_common
        beside = Measure("cost per row", _costs_of_rows, key=costs, is_square=False, of_classes=True)
        return Comparison((LOG_LOSS,), beside=beside)

    @property
    def linear(self) -> LinearFit | None:
        def fit(X: Floats, y: Truth, w: Floats, new: Floats) -> Floats:
            return softmax(new @ fit_logistic(X, np.eye(self.target.n_outputs)[y], w, softmax))

        return fit

    def rare_classes(self, predictions: Predicted, y: Truth) -> tuple[RareClass, ...]:
        codes, labels = predictions.classes, self.target.labels
        counts = np.bincount(y, minlength=len(labels))
        rare = np.flatnonzero((counts > 0) & (counts < len(y) / len(labels))).tolist()
        return tuple(RareClass(labels[c], int(counts[c]), float((codes[y == c] == c).mean())) for c in rare)

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        """By the log loss, or for the accuracy by the classification error."""
        if metric == "accuracy":

            def errors(p: Floats, rows: Mask) -> Floats:
                return np.asarray(self.target.decision_rule.codes(p, None) != y[rows], np.float64)

            return SelectionLoss(points, errors, "classification error")
        of_truth = np.take_along_axis(points, y[None, :, None], axis=2)[:, :, 0]
        return SelectionLoss(of_truth, lambda p, _: -np.log(p.clip(LOG_LOSS_EPS, 1.0)), "log loss")
