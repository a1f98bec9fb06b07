"""Several labels of a row, each with a probability: columns of yes and no, or one column of separated labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from nncli.base.errors import Advice, DataError, SetKey
from nncli.base.option import Needed
from nncli.base.spec import Calibration, DistinctTexts, StrictStr, Task
from nncli.base.text import format_number, format_percent, join_quoted, quote
from nncli.data.columns.hashing import Hashes, hash_numbers
from nncli.data.columns.parsing import CellErrors, raise_first, read_text
from nncli.data.columns.spellings import NO, YES, category_keys
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask, Precision, RowIndices
from nncli.nn.losses import MIN_PROBABILITY, Loss
from nncli.nn.losses.labels import logistic, lower_logistic
from nncli.nn.program.program import OutputColumn
from nncli.nn.program.values import Value, is_nan, log, maximum, select
from nncli.targets.class_labels import free_labels
from nncli.targets.decision import Decision, EachLabel
from nncli.targets.explained import Explained, ExplainedProbability
from nncli.targets.feature_scores import FeatureScores, NumberScores
from nncli.targets.joined import JoinedColumns
from nncli.targets.kind import Refusal, SettingRule, T
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.classification import calibration_error
from nncli.targets.metrics.labels import (
    LABEL_METRICS,
    MULTILABEL,
    LabelResamples,
    LabelScores,
    as_two_classes,
    hamming_losses,
    label_log_losses,
    label_scores,
)
from nncli.targets.metrics.metric import plugin_metrics, resampled_scores
from nncli.targets.metrics.registry import METRICS, BoundMetric, metric_function
from nncli.targets.metrics.sums import LabelSums, TrueSums
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS
from nncli.targets.monitoring import Monitoring
from nncli.targets.output_columns import OutputNodes
from nncli.targets.scoring import Comparison, LinearFit, Measure, Scoring, SelectionLoss, fit_logistic
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, rows_with_target
from nncli.targets.training import ProbabilityCalibration
from nncli.targets.views import ClassProbabilities, Intervals, LabelRates, OneClass, Reliability, View, Views
from nncli.targets.wording import LabelWording, Wording

SEPARATORS = "|;,"
"""What separates labels in a cell; the first that a column has is that of the column."""
JOIN = "|"
"""What separates predicted labels where the target has columns of yes and no."""
MAX_CELLS = 50_000_000
"""Rows times labels at most."""
MAX_SHOWN = 4
"""Labels of a row that reports show."""


@dataclass(frozen=True)
class LabelCalibration(ProbabilityCalibration):
    """The probabilities of all labels have one temperature, as of two classes each."""

    def takes(self, T: float) -> bool:
        return True

    def at(self, values: Floats, T: float) -> Floats:
        """σ(logit p / T) for each label."""
        p, q = (np.log(np.maximum(x, MIN_PROBABILITY, dtype=np.float64)) for x in (values, 1.0 - values))
        return logistic((p - q) / T)

    def lower(self, values: Value, T: float) -> Value:
        return lower_logistic((log(maximum(values, MIN_PROBABILITY)) - log(maximum(1.0 - values, MIN_PROBABILITY))) / T)

    def as_classes(self, y: Truth, values: Floats, weights: Floats | None) -> tuple[Codes, Floats, Floats | None]:
        """Every label of each row as a row of two classes."""
        P, codes, cell_weights = as_two_classes(y, values, weights)
        return codes, P, cell_weights


class MultilabelTarget(JoinedColumns):
    """Two or more labels of which a row has any number, in the columns `names`: one for each, or one for all.

    In the only column, labels are separated by the `separator`, and an empty cell means that a row has none. In
    columns of yes and no an empty cell is a missing label, which is neither learned nor scored.
    """

    task: Literal["multilabel"] = "multilabel"
    noun: ClassVar[str] = "set of labels"
    output_noun: ClassVar[str] = "label"
    output_nouns: ClassVar[str] = "labels"
    calibrations: ClassVar[tuple[Calibration, ...]] = ("auto", "none", "temperature")
    epoch_metrics: ClassVar[tuple[str, ...]] = (CALIBRATED_LOG_LOSS.name,)
    default_loss: ClassVar[str] = "binary_cross_entropy"
    draft_settings: ClassVar[tuple[SettingRule, ...]] = (("loss", default_loss, "a row has any number of the labels"),)
    family: ClassVar[Task] = MULTILABEL
    default_metric: ClassVar[str] = "micro_f1"
    linear_model: ClassVar[str] = "logistic regression"
    error_title: ClassVar[str] = "Hamming loss"
    no_target_weights: ClassVar[str] = "the labels of a row count the same"

    names: DistinctTexts
    labels: Annotated[DistinctTexts, Field(min_length=2)]
    separator: StrictStr | None = None

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """The labels of a table: the names of its columns of yes and no, or those in its only column, by letter.

        Raises:
            DataError: there are fewer than two labels, or too many, or a cell is neither yes nor no, or cells have
            different separators.
        """
        if len(names) > 1:
            target = cls(names=names, labels=names)
            for name in names:
                raise_first(table, name, target._yes_no(table, name)[1])
            return target
        (name,) = names
        cells = read_text(table, name).drop_nulls()
        separator = next((mark for mark in SEPARATORS if cells.str.contains(mark, literal=True).any()), None)
        if separator is None:
            raise DataError(
                f"no cell of {quote(name)} has several labels, separated by {' or '.join(SEPARATORS)}",
                location=table.location(column=name),
                hint=Advice(
                    *("For one class of each row use ", SetKey("loss", "cross_entropy"), ". For labels in columns of "),
                    "yes and no, name all of these columns as data.target.",
                ),
            )
        _check_one_separator(table, name, separator)
        labels = tuple(sorted(_split(cells, separator)["label"].unique().to_list()))
        if len(labels) * len(table) > MAX_CELLS:
            raise DataError(
                f"{len(labels):,} labels of {len(table):,} rows are too many; at most {MAX_CELLS:,} cells are possible",
                location=table.location(column=name),
                hint="Is the column text? Else remove rare labels.",
            )
        if len(labels) < 2:
            raise DataError(
                f"the only label of {quote(name)} is {join_quoted(labels)}, and a model needs two or more",
                location=table.location(column=name),
                hint="Name another column as data.target.",
            )
        return cls(names=names, labels=labels, separator=separator)

    @classmethod
    def label_columns(cls, columns: Sequence[T]) -> Sequence[T]:
        return columns

    @classmethod
    def text_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    @classmethod
    def rows_with_target(cls, table: Table, names: tuple[str, ...], *, every: bool = True) -> RowIndices:
        """The rows with a cell in any of several columns; with one column all, unless all cells are empty.

        Raises:
            DataError: there is no such column, or its type cannot be a target.
        """
        rows = np.unique(np.concatenate([rows_with_target(table, (name,)) for name in names]))
        return np.arange(len(table)) if len(names) == 1 and len(rows) else rows

    @classmethod
    def note(cls, table: Table, names: tuple[str, ...]) -> str | None:
        target = cls.fit(table, names)
        y = target.read(table)
        text = f"{len(target.labels):,} labels, {np.nansum(y) / max(len(y), 1):.3g} of them in a row"
        if target.separator is None:
            missing = int(np.isnan(y).sum())
            empty = f"; {missing:,} of {y.size:,} cells are empty, and are neither learned nor scored"
            return text + (empty if missing else "")
        none = int((y.sum(axis=1) == 0.0).sum())
        text = f"{quote(names[0])} has {text}, separated by {quote(target.separator)}"
        text += f"; {none:,} rows are empty, which means none of the labels" if none else ""
        if joined := [label for label in target.labels if set(label) & set(SEPARATORS)]:
            text += f"; {join_quoted(joined[:MAX_SHOWN])} {'is one label' if len(joined) == 1 else 'are a label each'}"
        return text

    @property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        return {} if self.separator is None else {self.names[0]: self.labels}

    def _yes_no(self, table: Table, name: str) -> tuple[Floats, list[CellErrors]]:
        """1 for yes, 0 for no and NaN for an empty cell (rows,), and the other cells, which are NaN too."""
        cells = read_text(table, name)
        words = category_keys(cells, folds_case=True)
        is_yes, is_no = words.is_in(list(YES)), words.is_in(list(NO))
        y = np.where(is_yes.fill_null(False).to_numpy(), 1.0, np.where(is_no.fill_null(False).to_numpy(), 0.0, np.nan))
        others = np.isnan(y) & cells.is_not_null().to_numpy()
        hint = f"Write 1 and 0, or yes and no. Is {quote(name)} a label, which a row has or not?"
        return y, CellErrors.of(others, "is neither yes nor no", hint)

    def cells(self, table: Table) -> tuple[Floats, list[tuple[str, list[CellErrors]]]]:
        """The targets (rows, labels), NaN for a missing label, and the cells of each column that cannot be read."""
        if self.separator is None:
            read = [(name, *self._yes_no(table, name)) for name in self.names]
            return np.column_stack([y for _, y, _ in read]), [(name, errors) for name, _, errors in read]
        (name,) = self.names
        pairs = _split(read_text(table, name), self.separator)
        codes = pairs["label"].replace_strict(
            list(self.labels), range(len(self.labels)), default=-1, return_dtype=pl.Int64
        )
        rows, columns, y = pairs["row"].to_numpy(), codes.to_numpy(), np.zeros((len(table), len(self.labels)))
        y[rows[columns >= 0], columns[columns >= 0]] = 1.0
        unknown = np.zeros(len(table), np.bool_)
        unknown[rows[columns < 0]] = True
        hint = f"The labels of the model are {join_quoted(self.labels)}."
        return y, [(name, CellErrors.of(unknown, "has a label that did not occur in the training table", hint))]

    def read(self, table: Table) -> Floats:
        """1 for the labels of each row, 0 for others, and NaN for missing ones (rows, labels)."""
        y, errors = self.cells(table)
        for name, of_column in errors:
            raise_first(table, name, of_column)
        return y

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        return self.cells(table)[1]

    def hash_cells(self, table: Table) -> list[Hashes]:
        """A hash of each label (rows,), or of all labels of the only column."""
        y = self.read(table)
        if self.separator is None:
            return [hash_numbers(label) for label in y.T]
        place = np.random.default_rng(0).integers(1, 1 << 62, len(self.labels), dtype=np.int64).astype(np.uint64)
        return [(y.astype(np.uint64) * place).sum(axis=1, dtype=np.uint64)]

    def explained(self) -> Explained:
        return ExplainedLabel(self)

    def monitoring(self) -> Monitoring:
        return LabelMonitoring(self)

    def views(self, loss: Loss) -> Views:
        return LabelViews(self)

    def wording(self) -> Wording:
        return MultilabelWording(self)

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        return np.asarray(y.astype(precision))

    def check_truth(self, y: Truth, rows: int) -> None:
        if y.dtype != np.float64 or y.shape != (rows, len(self.labels)):
            raise ValueError("y has another type or shape")
        if not ((y == 0.0) | (y == 1.0) | np.isnan(y)).all():
            raise ValueError("y: neither 0 nor 1")

    @property
    def title(self) -> str:
        return f"{join_quoted(self.names)} ({self.task}, {len(self.labels):,} labels)"

    def other_labels(self, rare: Sequence[str]) -> dict[str, str]:
        """`rare label 1` and so on; names of columns are no secret."""
        return {} if self.separator is None else free_labels(rare, "rare label {}", self.labels)

    # Outputs of the network, and predictions

    @property
    def decision_rule(self) -> EachLabel:
        return EachLabel(self.labels)

    @property
    def is_whole(self) -> bool:
        return self.separator is not None or self.names == self.labels

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """`prediction`, the labels of a row; with `proba` also `proba_LABEL` for each label."""
        separator = self.separator or JOIN
        sets, which = np.unique(predictions.classes, axis=0, return_inverse=True)
        words = [separator.join(self.labels[j] for j in np.flatnonzero(row)) for row in sets]
        columns = {"prediction": pl.Series("prediction", words, dtype=pl.String).gather(which.ravel())}
        if proba:
            for j, label in enumerate(self.labels):
                columns[self.prefix + label] = pl.Series(predictions.values[:, j].astype(predictions.precision))
        return columns

    def program_columns(self, predictions: Predicted) -> Mapping[str, pl.Series]:
        """`proba_LABEL` and then `prediction_LABEL`, 1 or 0, for each label."""
        undefined = np.isnan(predictions.values)
        decided = np.where(undefined, np.nan, predictions.classes)
        return {
            f"{prefix}_{label}": pl.Series(values[:, j])
            for prefix, values in (("proba", predictions.values), ("prediction", decided))
            for j, label in enumerate(self.labels)
        }

    def lower_codes(self, values: Value, decision: Decision | None) -> Value:
        return select(is_nan(values), values, self.decision_rule.lower(values, decision))

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        each, values, codes = [*enumerate(self.labels)], nodes.values, nodes.codes
        return (
            *(OutputColumn(f"proba_{label}", "probability", values, j, label) for j, label in each),
            *(OutputColumn(f"prediction_{label}", "decided", codes, j, label) for j, label in each),
        )

    @property
    def calibration(self) -> ProbabilityCalibration:
        return LabelCalibration()

    def distributions(self, values: Floats) -> tuple[Floats, ...]:
        return values, 1.0 - values

    def accepts(self, member: TargetBase) -> bool:
        return super().accepts(member) and self.labels == member.labels

    # Scores

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        metric = metric_function(name, self.family)
        if decision is None or not METRICS[name].of_classes:
            return metric
        return lambda y, P, weights: metric(y, self.decision_rule.codes(P, decision).astype(np.float64), weights)

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> LabelScores:
        return label_scores(y, predictions.values, self.labels, weights, predictions.classes == 1)

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        decided, P, by_name = (
            predictions.classes.astype(np.float64),
            predictions.values,
            {m.name: m for m in (*LABEL_METRICS, *plugin_metrics(self.task))},
        )
        columns = []
        for name in names:
            values = decided if by_name[name].of_classes else P
            columns.append(resampled_scores((by_name[name],), LabelResamples(y, values, W), y, values, W))
        return [np.column_stack(columns)]

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        """The share of the rows with each label, among those that have it or not."""
        w = (np.ones(len(y)) if weights is None else weights)[:, None] * ~np.isnan(y)
        total = w.sum(axis=0)
        return np.asarray((w * (y == 1.0)).sum(axis=0) / np.where(total > 0.0, total, 1.0))

    def feature_scores(self, y: Truth, width: int) -> FeatureScores:
        """Scores by labels, of which some rows lack some."""
        return NumberScores(width, np.where(np.isnan(y), self.baseline(y, None), y) if np.isnan(y).any() else y)

    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        """The share of the labels of each row that are wrong."""
        return hamming_losses(y, predictions.classes.astype(np.float64)), "Hamming loss"

    def surprises(self, predictions: Predicted, y: Truth) -> Floats:
        """The log losses."""
        return label_log_losses(y, predictions.values)

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        return "log_loss"

    @classmethod
    def verdict_metric(cls, loss: Loss) -> str:
        return "log_loss"

    def scoring(self, loss: Loss) -> Scoring:
        return LabelScoring(loss)

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """The log loss, or for the Hamming loss that."""
        if metric == "hamming_loss":
            return self.row_errors(predictions, y)[0]
        return label_log_losses(y, predictions.values)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return "Hamming loss" if metric == "hamming_loss" else "log loss"

    def is_mean_of_rows(self, metric: str) -> bool:
        return metric in ("log_loss", "hamming_loss", "exact_match", "label_ranking_average_precision")

    # Words and pictures for reports

    def format(self, value: float, form: Callable[[float], str] = format_number) -> str:
        return format_percent(value)

    def describe_output(self, output: str) -> str:
        return f"probability of the label {output}"

    def view(self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None) -> LabelRates:
        """Precision, recall and F1 of each label, with its threshold."""
        scores = label_scores(y, predictions.values, self.labels, weights, predictions.classes == 1)
        return LabelRates(scores.by_class, self.decision_rule.thresholds(predictions.decision).thresholds)

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        actual, predicted = (self._words(labels) for labels in (y[row] == 1.0, predictions.classes[row] == 1))
        return actual, predicted, format_percent(error)

    def _words(self, mask: Mask) -> str:
        """The labels of a mask (labels,), the first of many."""
        labels = [self.labels[j] for j in np.flatnonzero(mask)]
        more = f" and {len(labels) - MAX_SHOWN:,} more" if len(labels) > MAX_SHOWN else ""
        return (", ".join(labels[:MAX_SHOWN]) or "none") + more


@dataclass(frozen=True)
class ExplainedLabel(ExplainedProbability):
    """Explained is the probability of the most probable label."""

    def of_rows(self, values: Floats, decision: Decision | None) -> Codes:
        return np.asarray(values.argmax(axis=1))


@dataclass(frozen=True)
class LabelMonitoring(Monitoring):
    """Of labels, hits and log losses are summed."""

    target: MultilabelTarget

    def truth(self, table: Table) -> Truth | None:
        return self.target.cells(table)[0] if {*self.target.names} <= {*table.names} else None

    def errors(self, predictions: Predicted, truth: Truth, rows: slice | Codes) -> TrueSums:
        name = ", ".join(self.target.names)
        return LabelSums.of(name, truth[rows], predictions.values[rows], predictions.classes[rows])


@dataclass(frozen=True)
class LabelViews(Views):
    """The probabilities of each label, of the rows that do not lack it."""

    def of_rows(
        self, predictions: Predicted, y: Truth, weights: Floats | None, baseline: Predicted
    ) -> tuple[View, ...]:
        def of_label(k: int) -> OneClass:
            present = ~np.isnan(y[:, k])
            w = None if weights is None else weights[present]
            return OneClass(y[present, k] == 1.0, predictions.values[present, k], w)

        codes, P, w = self.target.calibration.as_classes(y, predictions.values, weights)
        reliability = Reliability("a label", P[:, 1], codes == 1, w, calibration_error(codes, P, w))
        return (ClassProbabilities(of_label, reliability),)


@dataclass(frozen=True)
class MultilabelWording(LabelWording):
    """The words of labels, of which a row has any number."""

    def task(self, quoted: Callable[[str], str]) -> str:
        return f"predicts which of {len(self.target.labels):,} {self.target.output_nouns} a row has"

    def baseline(self, baseline: Predicted, quoted: Callable[[str], str]) -> str:
        return LabelScores.baseline

    def refusal(self, needed: Needed) -> Refusal:
        instead = "Leave it out, and use the calibrated probability of each label."
        match needed:
            case "prediction_set":
                why = "needs a row to have one of several classes, and a row of this model has any number of"
                return f"{why} {len(self.target.labels):,} labels, each with a probability of its own", instead
            case "interval":
                return "needs numbers; this model predicts labels, each with a probability", instead
            case "classes":
                each = "Leave it out: the file has the probability of each label, and whether it is predicted."
                return "is for classes, and this model predicts several labels", each
        return super().refusal(needed)


def _check_one_separator(table: Table, name: str, separator: str) -> None:
    """Raise a DataError at the first cell whose labels seem to be separated by another mark than `separator`.

    A label with such a mark in it counts as several if all of its parts are labels of other cells, or any of them
    is, unless the label is also one of several of a cell.
    """
    cells = read_text(table, name)
    pairs = _split(cells, separator)
    others = f"[{re.escape(SEPARATORS.replace(separator, ''))}]"
    plain = frozenset(pairs.filter(~pl.col("label").str.contains(others))["label"])
    several = frozenset(pairs.filter(pl.col("label").count().over("row") > 1)["label"])
    for row, label in pairs.filter(pl.col("label").str.contains(others)).iter_rows():
        parts = [part for word in re.split(others, label) if (part := word.strip())]
        present = [part in plain for part in parts]
        if parts and (all(present) or (any(present) and label not in several)):
            mark = next(mark for mark in label if mark in SEPARATORS)
            first = int(cells.str.contains(separator, literal=True).arg_max() or 0)
            raise DataError(
                f"the labels of {quote(cells[row])} are separated by {quote(mark)}, and those of "
                f"{quote(cells[first])} in row {table.location(row=first).row:,} by {quote(separator)}",
                location=table.location(row=row, column=name),
                hint=f"Separate all labels of the column by {quote(separator)}. If {quote(label)} is one label, write "
                f"it without {quote(mark)}.",
            )


def _split(cells: pl.Series, separator: str) -> pl.DataFrame:
    """The `label`s of cells, each with its `row`, without spaces around them and empty ones."""
    frame = pl.DataFrame({"row": np.arange(len(cells)), "label": cells.fill_null("").str.split(separator)})
    return frame.explode("label").with_columns(pl.col("label").str.strip_chars()).filter(pl.col("label") != "")


def _logistic_regression(X: Floats, y: Truth, w: Floats, new: Floats) -> Floats:
    return logistic(new @ fit_logistic(X, y, w, logistic))


@dataclass(frozen=True)
class LabelScoring(Scoring):
    """Labels are compared by the loss that runs share."""

    loss: Loss

    @property
    def linear(self) -> LinearFit | None:
        return _logistic_regression

    def comparison(self, decision: Decision | None) -> Comparison:
        loss, name = self.loss, self.loss.per_row_name.replace("_", " ")
        if not loss.is_comparison_measure:
            return self.in_common
        own = Measure(name, lambda predictions, y: loss.per_row(predictions.values, y), key=loss, is_square=False)
        return Comparison((own,))

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        return SelectionLoss(points, lambda P, rows: label_log_losses(y[rows], P), "log loss")
