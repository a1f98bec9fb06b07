"""The time to an event, of which some rows are censored: predicted are survival curves and their medians."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from nncli.base.bounds import LARGEST
from nncli.base.errors import DataError, UsageError
from nncli.base.option import Needed
from nncli.base.rounding import rounded_apart
from nncli.base.spec import DistinctTexts, PositiveFloat, StrictStr, Task
from nncli.base.text import format_number, format_percent, join_quoted, quote
from nncli.data.columns.hashing import Hashes, hash_numbers
from nncli.data.columns.parsing import CellErrors, numbers_and_errors, raise_first, unit_of
from nncli.data.sample_weights import row_counts
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats, Mask, Precision
from nncli.nn.losses import MIN_PROBABILITY, Loss, target_keys
from nncli.nn.losses.survival import survival_losses
from nncli.nn.program.program import OutputColumn
from nncli.nn.program.values import Value, log, maximum, minimum, select
from nncli.targets.decision import Decision
from nncli.targets.explained import Explained, ExplainedProbability, Shorten
from nncli.targets.joined import JoinedColumns, events
from nncli.targets.kind import Refusal
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.registry import BUILT_IN, BoundMetric, metric_function, metric_title
from nncli.targets.metrics.survival import (
    BRIER,
    OF_ENTRIES,
    SURVIVAL,
    SURVIVAL_LOSS,
    SURVIVAL_METRICS,
    SurvivalRows,
    SurvivalScores,
    calibration_at,
    kaplan_meier,
    scored_times,
)
from nncli.targets.output_columns import OutputNodes
from nncli.targets.scoring import Comparison, Measure, Scoring, SelectionLoss
from nncli.targets.target_base import UNSCALED, FitOptions, Predicted, TargetBase, Truth, missing_target_error
from nncli.targets.views import Intervals, SurvivalCurves, View, Views
from nncli.targets.wording import Wording

if TYPE_CHECKING:
    from nncli.targets.conformal import LowerBoundMethod

MOST_BINS, EVENTS_PER_BIN = 20, 8
"""Bins of time at most, and the events that each has at least, unless the loss says how many there are."""
PREFIX = "survival_"
"""How the names of the columns of the survival at a time begin."""
GROUPS = 3
"""Groups of rows by predicted risk whose curves are shown."""


@dataclass(frozen=True)
class SurvivalCurve:
    """The survival over time: the probability that an event is after a time, of which a target predicts some values.

    The values (rows, edges) are those at the ends of the bins of time, `edges`. Within a bin the hazard is constant, so
    that the logarithm of the survival is straight there, and beyond the last one the survival stays as it is.
    """

    edges: tuple[float, ...]

    @property
    def times(self) -> Floats:
        """The times (bins + 1,), from 0 on, between which the logarithms are straight."""
        return np.array([0.0, *self.edges])

    def at(self, values: Floats, times: Floats) -> Floats:
        """The survival (rows, times) at some times."""
        edges, logs = self.times, self.logarithms(values)
        time = np.clip(times, 0.0, edges[-1])
        place = np.clip(np.searchsorted(edges, time, "left"), 1, len(edges) - 1)
        share = (time - edges[place - 1]) / (edges[place] - edges[place - 1])
        return np.asarray(np.exp(logs[:, place - 1] * (1.0 - share) + logs[:, place] * share))

    def columns(self, values: Floats, times: Sequence[float]) -> Mapping[str, pl.Series]:
        """The columns of predictions, by name, of the survival at some times."""
        S = self.at(values, np.array(times, np.float64))
        return {survival_name(time): pl.Series(column) for time, column in zip(times, S.T, strict=True)}

    def logarithms(self, values: Floats) -> Floats:
        """The logarithms (…, rows, bins + 1) of the survival at `times`."""
        S = np.concatenate([np.ones((*values.shape[:-1], 1)), values], axis=-1)
        return np.asarray(np.log(np.maximum(S, MIN_PROBABILITY)))

    def lower_logarithms(self, values: Value) -> list[Value]:
        """The operations of `logarithms`, a column (rows, 1) for each time."""
        logs = [log(maximum(values.columns([k]), MIN_PROBABILITY)) for k in range(values.width)]
        return [values.columns([0]) * 0.0, *logs]

    def medians(self, values: Floats) -> Floats:
        """The times (rows,) at which the survival is 1/2; infinite where that is after the last bin."""
        S = np.maximum(np.concatenate([np.ones((len(values), 1)), values], axis=1), MIN_PROBABILITY)
        above = np.log(S[:, :-1] * 2.0) / np.maximum(np.log(S[:, :-1]) - np.log(S[:, 1:]), MIN_PROBABILITY)
        # A sum in order: a row's bits depend on the row alone.
        median = np.cumsum(np.clip(above, 0.0, 1.0) * np.diff(self.edges, prepend=0.0), axis=1)[:, -1]
        return np.where(values[:, -1] > 0.5, np.inf, median)

    def lower_medians(self, values: Value) -> Value:
        """The operations of `medians`."""
        before, *logs = self.lower_logarithms(values)
        half, median = float(np.log(2.0)), before
        for width, after in zip(np.diff(self.edges, prepend=0.0).tolist(), logs, strict=True):
            share = (before + half) / maximum(before - after, MIN_PROBABILITY)
            median, before = median + minimum(maximum(share, 0.0), 1.0) * width, after
        return select(values.columns([values.width - 1]) > 0.5, np.inf, median)

    def risk(self, values: Floats) -> Floats:
        """The sum (rows,) over the bins of the cumulative hazard, which is higher for earlier events."""
        return np.asarray(-np.log(np.maximum(values, MIN_PROBABILITY)).sum(axis=1))

    def observed(self, y: Truth) -> tuple[Floats, Mask]:
        """The times (rows,) for which rows were observed, and whether each ended with the event."""
        return y[:, 0], y[:, 1] == 1.0


class SurvivalTarget(JoinedColumns):
    """The time to an event in the columns `names`: the time, whether it is that of the event, and perhaps the start.

    The truth y is (rows, names) of numbers, 1 for an event and 0 for a censored row. Predicted values (rows, edges)
    are the probabilities that the event is after the ends of the bins of time, `edges`. Within a bin the hazard is
    constant, and beyond the last event nothing is known: a median that is later is missing.
    """

    task: Literal["survival"] = "survival"

    noun: ClassVar[str] = "time to an event"
    output_noun: ClassVar[str] = "time"
    output_nouns: ClassVar[str] = "times"
    prefix: ClassVar[str] = PREFIX
    family: ClassVar[Task] = SURVIVAL
    default_loss: ClassVar[str] = "survival"
    estimator_hint: ClassVar[str] = "; use NNSurvivalAnalysis"
    default_metric: ClassVar[str] = "concordance"
    linear_model: ClassVar[str] = "proportional hazards"
    error_title: ClassVar[str] = SURVIVAL_LOSS.title
    no_target_weights: ClassVar[str] = "a time and its event are one target"

    names: Annotated[DistinctTexts, Field(min_length=2, max_length=3)]
    edges: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
    unit: StrictStr | None = None

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...], options: FitOptions = UNSCALED) -> Self:
        """Fit the bins of time: between quantiles of the times of events.

        Raises:
            DataError: a cell cannot be read, or no event is after the time 0.
        """
        unit = unit_of(table, names[0])
        y = cls(names=names, edges=(1.0,), unit=unit).read(table)
        counts = None if options.weights is None else row_counts(options.weights)
        has_event = (y[:, 1] == 1.0) & (y[:, 0] > 0.0)
        if counts is not None:
            has_event &= counts > 0.0
        times = np.sort(y[has_event, 0])
        if not len(times):
            of_events = (
                f"{quote(names[1])} must be yes, 1 or true in rows with the event, and no, 0 or false in others."
            )
            of_times = (
                f"{quote(names[0])} must be the time from the start to the event, in such units that most are above 0."
            )
            raise DataError(
                f"no row has the event {quote(names[1])} after the time 0",
                location=table.location(column=names[1]),
                hint=of_times if y[:, 1].any() else of_events,
            )
        below = np.arange(1.0, len(times) + 1.0)  # events up to each time
        if counts is not None:
            below = np.cumsum(counts[has_event][np.argsort(y[has_event, 0], kind="stable")])
        bins = options.bins or min(max(int(below[-1] // EVENTS_PER_BIN), 2), MOST_BINS)
        places = np.searchsorted(below, np.arange(1, bins + 1) * below[-1] / bins).clip(max=len(times) - 1)
        return cls(names=names, edges=tuple(np.unique(times[places]).tolist()), unit=unit)

    @classmethod
    def written_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """The time; the loss names the other columns."""
        return names[:1]

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        return np.abs(signal) + 0.1, rng.choice(["yes", "no"], len(signal))

    @classmethod
    def estimator_loss(cls, loss: object, data: Mapping[str, object]) -> object:
        """The loss without the event, the second column of y, which has no start."""
        if not isinstance(loss, dict) or not loss:
            return loss or cls.default_loss
        event, *others = target_keys(loss.get("type")) or ("event",)
        if start := next((key for key in others if loss.get(key) is not None), None):
            raise ValueError(f"an estimator has no {start} of rows; use nncli.train with loss.{start}")
        return {key: item for key, item in loss.items() if key != event}

    @classmethod
    def varying_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """None: all rows may have the event."""
        return ()

    @classmethod
    def text_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """The event."""
        return names[1:2]

    @classmethod
    def note(cls, table: Table, names: tuple[str, ...]) -> str | None:
        y = cls(names=names, edges=(1.0,), unit=unit_of(table, names[0])).read(table)
        events = int(y[:, 1].sum())
        censored = f"; the others, {format_percent(1.0 - events / max(len(y), 1))}, are censored"
        text = f"{quote(names[0])} is the time to the event {quote(names[1])}, which {events:,} of {len(y):,} rows have"
        return text + censored * (events < len(y))

    def read(self, table: Table) -> Floats:
        """The times, 1 for an event or 0 for a censored row, and the starts, if there are any (rows, names)."""
        y, errors = self._read(table)
        for name, of_column in errors:
            raise_first(table, name, of_column)
        for name, column in zip(self.names, y.T, strict=True):
            if np.isnan(column).any():
                raise missing_target_error(table, name, int(np.isnan(column).argmax()))
        return y

    def _read(self, table: Table) -> tuple[Floats, list[tuple[str, list[CellErrors]]]]:
        """The targets (rows, names), NaN for a missing or wrong cell, and the cells that cannot be read."""
        time, event, *start = self.names
        columns = {time: numbers_and_errors(table, time, self.unit, alternatives=True), event: events(table, event)}
        times, errors = columns[time]
        errors += CellErrors.of(times < 0.0, "is a time below 0", "Write the time since the start, 0 or more.")
        in_unit = "Correct the cell, or write the column in a larger unit."
        errors += CellErrors.of(times > LARGEST, f"is a time above {LARGEST:g}", in_unit)
        for name in start:
            entries, of_entries = columns[name] = numbers_and_errors(
                table, name, unit_of(table, name), alternatives=True
            )
            hint = f"{quote(name)} is the time from which on the row was observed."
            of_entries += CellErrors.of(entries >= times, f"is not before {quote(time)} of the same row", hint)
            of_entries += CellErrors.of(entries < 0.0, "is a time below 0", hint)
        return np.column_stack([columns[name][0] for name in self.names]), [
            (name, columns[name][1]) for name in self.names
        ]

    def cell_errors(self, table: Table) -> list[tuple[str, list[CellErrors]]]:
        return self._read(table)[1]

    @property
    def truth_columns(self) -> tuple[tuple[str, bool], ...]:
        return tuple((name, j == 1) for j, name in enumerate(self.names))

    def hash_cells(self, table: Table) -> list[Hashes]:
        return [hash_numbers(column) for column in self.read(table).T]

    @property
    def removed_units(self) -> list[tuple[str, str | None]]:
        return [(self.names[0], self.unit)]

    @property
    def title(self) -> str:
        return f"{quote(self.names[0])} to the event {quote(self.names[1])} ({self.task}, {len(self.edges):,} bins)"

    @property
    def predicted_names(self) -> tuple[str, ...]:
        """The time."""
        return self.names[:1]

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(survival_name(time) for time in self.edges)

    def uncertainty(self) -> LowerBoundMethod | None:
        """Lower bounds, unless rows enter late: those whose event was before they entered are not in the table."""
        from nncli.targets.conformal import LowerBoundMethod

        return LowerBoundMethod(self) if len(self.names) == 2 else None

    # Outputs of the network, and predictions

    def encode(self, y: Truth, precision: Precision = "float64") -> Truth:
        """The shares of the bins in which rows are at risk, and 1 for the bin of an event (rows, 2 edges)."""
        edges = np.array(self.edges)
        lower = np.concatenate([[0.0], edges[:-1]])

        def shares(times: Floats) -> Floats:
            return np.asarray(np.clip((times[:, None] - lower) / (edges - lower), 0.0, 1.0))

        at_risk, events = shares(y[:, 0]), np.zeros((len(y), len(edges)))
        if len(self.names) > 2:
            at_risk -= shares(y[:, 2])
        rows = np.flatnonzero((y[:, 1] == 1.0) & (y[:, 0] <= edges[-1]))
        places = np.searchsorted(edges, y[rows, 0], "left")
        at_risk[rows, places], events[rows, places] = 0.0, 1.0
        return np.concatenate([at_risk, events], axis=1).astype(precision)

    def encode_predictions(self, values: Floats, precision: Precision) -> Truth:
        """The targets whose loss is the expected one of the predicted times."""
        before = np.concatenate([np.ones((len(values), 1)), values[:, :-1]], axis=1)
        return np.concatenate([values, before - values], axis=1).astype(precision)

    @property
    def gives(self) -> frozenset[str]:
        return super().gives | {"curve"}

    @property
    def curve(self) -> SurvivalCurve:
        return SurvivalCurve(self.edges)

    def lower_codes(self, values: Value, decision: Decision | None) -> Value:
        """The operations of medians."""
        return self.curve.lower_medians(values)

    def program_outputs(self, nodes: OutputNodes) -> tuple[OutputColumn, ...]:
        (name,) = names = self.predicted_names
        return (
            OutputColumn("prediction", "value", nodes.codes, 0, name),
            *(OutputColumn(title, "curve", nodes.values, k, name) for k, title in enumerate(self.output_names)),
            *(bounds.columns(names)[0] for bounds in nodes.bounds),
        )

    def columns(self, predictions: Predicted, *, proba: bool = False) -> Mapping[str, pl.Series]:
        """`prediction`, the median time, null after the last bin; with `proba` `survival_TIME` for each edge."""
        median = self.curve.medians(predictions.values)
        columns = {"prediction": pl.Series(np.where(np.isinf(median), np.nan, median), nan_to_null=True)}
        if proba:
            for name, S in zip(self.output_names, predictions.values.T, strict=True):
                columns[name] = pl.Series(S.astype(predictions.precision))
        return columns

    def program_columns(self, predictions: Predicted) -> Mapping[str, pl.Series]:
        """Those with the curve, and an infinite median after the last bin."""
        return {
            **self.columns(predictions, proba=True),
            "prediction": pl.Series(self.curve.medians(predictions.values)),
        }

    def distributions(self, values: Floats) -> tuple[Floats, ...]:
        return values, 1.0 - values

    def explained(self) -> Explained:
        return ExplainedSurvival(self)

    def views(self, loss: Loss) -> Views:
        return SurvivalViews(self)

    def wording(self) -> Wording:
        return SurvivalWording(self)

    @property
    def shown_outputs(self) -> slice:
        middle = (len(self.edges) - 1) // 2
        return slice(middle, middle + 1)

    def without_cells(self) -> Self:
        return self.model_copy(update={"edges": rounded_apart(self.edges)})

    def accepts(self, member: TargetBase) -> bool:
        return super().accepts(member) and self.is_same(member)

    def is_same(self, other: TargetBase) -> bool:
        return isinstance(other, SurvivalTarget) and (self.names, self.edges) == (other.names, other.edges)

    def align(self, values: Floats, source: TargetBase) -> Floats:
        """The curves at the edges of this target."""
        if not isinstance(source, SurvivalTarget) or source.edges == self.edges:
            return values
        return source.curve.at(values, np.array(self.edges))

    # Scores

    def _rows(self, y: Floats, values: Floats, weights: Floats | None) -> SurvivalRows:
        event, start = y[:, 1] == 1.0, y[:, 2] if len(self.names) > 2 else None
        times = scored_times(y[:, 0], event) if len(y) else np.empty(0)
        w = np.ones(len(y)) if weights is None else weights
        return SurvivalRows(y[:, 0], event, start, self.curve.risk(values), times, self.curve.at(values, times), w)

    def _values(self, name: str, rows: SurvivalRows, losses: Callable[[], Floats], W: Samples) -> Samples:
        if name == SURVIVAL_LOSS.name:
            return np.asarray(W @ losses() / W.sum(axis=1))
        return rows.values(name, W)

    @property
    def _score_names(self) -> list[str]:
        names = [metric.name for metric in SURVIVAL_METRICS]
        return [name for name in names if len(self.names) == 2 or name in OF_ENTRIES]

    def metric(self, name: str, decision: Decision | None = None) -> BoundMetric:
        metric_function(name, self.family)
        if name not in self._score_names:
            reason = (
                "cannot score rows with a start" if name in BUILT_IN else "of a plugin cannot score times to an event"
            )
            hint = f"Choose from {join_quoted(self._score_names)}."
            raise UsageError(f"the metric {quote(name)} {reason}", hint=hint)

        def value(y: Truth, values: Floats, weights: Floats | None) -> float:
            if name not in self._score_names or not len(y):
                return np.nan
            rows = self._rows(y, values, weights)
            return float(self._values(name, rows, lambda: self._losses(y, values), rows.weight[None])[0])

        return value

    def _losses(self, y: Truth, values: Floats) -> Floats:
        return survival_losses(values, self.encode(y))

    def scores(self, predictions: Predicted, y: Truth, weights: Floats | None, loss: Loss) -> tuple[SurvivalScores]:
        W = (np.ones(len(y)) if weights is None else weights)[None]
        with np.errstate(all="ignore"):
            (values,) = self.samples(predictions, y, W, self._score_names, loss)
        pairs = zip(self._score_names, values[0].tolist(), strict=True)
        return (SurvivalScores(tuple((name, value if np.isfinite(value) else None) for name, value in pairs)),)

    def samples(self, predictions: Predicted, y: Truth, W: Samples, names: Sequence[str], loss: Loss) -> list[Samples]:
        # The pairs have the mean weights of the resamples, those of the rows.
        rows = self._rows(y, predictions.values, W.mean(axis=0))
        return [
            np.column_stack(
                [self._values(name, rows, lambda: self._losses(y, predictions.values), W) for name in names]
            )
        ]

    def baseline(self, y: Truth, weights: Floats | None) -> Floats:
        """The Kaplan-Meier curve, in which half a row survives the last event."""
        start = y[:, 2] if len(self.names) > 2 else None
        curve = kaplan_meier(y[:, 0], y[:, 1] == 1.0, weights, start).at(np.array(self.edges))
        rows = len(y) if weights is None else row_counts(weights).sum()
        return np.maximum(curve, 0.5 / max(rows, 1))

    def row_losses(self, loss: Loss, predicted: Floats, y: Truth, scale: Floats | float) -> Floats:
        return self._losses(y, predicted)

    def row_errors(self, predictions: Predicted, y: Truth) -> tuple[Floats, str]:
        """The Brier score of each row, the mean over time; the loss where that is unknown."""
        rows = self._rows(y, predictions.values, None)
        if rows.start is None and len(rows.times):
            return rows.integrated_brier, metric_title(BRIER)
        return self._losses(y, predictions.values), SURVIVAL_LOSS.title

    def surprises(self, predictions: Predicted, y: Truth) -> Floats:
        """The negative log-likelihoods."""
        return self._losses(y, predictions.values)

    @classmethod
    def loss_metric(cls, loss: Loss) -> str:
        """The integrated Brier score, which bins of time do not change, unless rows enter late."""
        return BRIER if len(loss.target_columns) < 2 else SURVIVAL_LOSS.name

    @classmethod
    def verdict_metric(cls, loss: Loss) -> str:
        return cls.loss_metric(loss)

    def scoring(self, loss: Loss) -> Scoring:
        return CurveScoring(self, loss)

    def test_losses(self, metric: str, loss: Loss, predictions: Predicted, y: Truth) -> Floats:
        """The Brier score of each row, the mean over time, or else the negative log-likelihood."""
        if metric == BRIER and len(self.names) == 2:
            return self._rows(y, predictions.values, None).integrated_brier
        return self._losses(y, predictions.values)

    @classmethod
    def test_loss_name(cls, metric: str) -> str:
        return metric_title(BRIER) if metric == BRIER else SURVIVAL_LOSS.title

    def is_mean_of_rows(self, metric: str) -> bool:
        return metric in (BRIER, SURVIVAL_LOSS.name)

    # Words and pictures for reports

    def format(self, value: float, form: Callable[[float], str] = format_number) -> str:
        return format_percent(value)

    def format_error(self, value: float, form: Callable[[float], str] = format_number) -> str:
        return form(value)

    def describe_output(self, output: str) -> str:
        return f"probability that {quote(self.names[1])} is after {output.removeprefix(PREFIX)}"

    def view(
        self, predictions: Predicted, y: Truth, weights: Floats | None, intervals: Intervals | None
    ) -> SurvivalCurves:
        """The curves of groups of rows by predicted risk, observed and predicted, and the calibration at a time."""
        S, event, start = predictions.values, y[:, 1] == 1.0, y[:, 2] if len(self.names) > 2 else None
        w = np.ones(len(y)) if weights is None else weights
        times = np.concatenate([[0.0], np.linspace(0.0, self.edges[-1], 61)[1:]])
        groups = [
            rows
            for rows in np.array_split(np.argsort(self.curve.risk(S), kind="stable"), GROUPS)
            if w[rows].sum() > 0.0
        ]
        observed = [
            kaplan_meier(y[rows, 0], event[rows], w[rows], None if start is None else start[rows]).at(times)
            for rows in groups
        ]
        predicted = [np.average(self.curve.at(S[rows], times), axis=0, weights=w[rows]) for rows in groups]
        middle = self.shown_outputs.start
        calibration = calibration_at(y[:, 0], event, S[:, middle], self.edges[middle], w)
        return SurvivalCurves(
            self.names[:2], times, np.array(observed), np.array(predicted), self.edges[middle], calibration
        )

    def outcome(
        self, predictions: Predicted, y: Truth, row: int, error: float, form: Callable[[float], str] = format_number
    ) -> tuple[str, str, str]:
        (median,) = self.curve.medians(predictions.values[[row]]).tolist()
        last = f"after {form(self.edges[-1])}"
        actual = form(float(y[row, 0])) if y[row, 1] == 1.0 else f"after {form(float(y[row, 0]))}"
        return actual, last if np.isinf(median) else form(median), form(error)


@dataclass(frozen=True)
class ExplainedSurvival(ExplainedProbability):
    """Explained is the survival at the middle edge."""

    def of_rows(self, values: Floats, decision: Decision | None) -> Codes:
        return np.full(len(values), self.target.shown_outputs.start)

    @property
    def in_place(self) -> tuple[str, ...]:
        return self.target.output_names[self.target.shown_outputs]

    def subject(self, shorten: Shorten) -> str:
        return shorten(self.target.describe_output(self.in_place[0]))


@dataclass(frozen=True)
class SurvivalViews(Views):
    """The curves, which the picture has, too."""

    def of_rows(
        self, predictions: Predicted, y: Truth, weights: Floats | None, baseline: Predicted
    ) -> tuple[View, ...]:
        return (self.target.view(predictions, y, weights, None),)


@dataclass(frozen=True)
class SurvivalWording(Wording):
    """The words of times to an event, and of their curves."""

    target: SurvivalTarget

    @property
    def added_by_proba(self) -> tuple[str, ...]:
        return ("survival curve",)

    def answer(self, quoted: Callable[[tuple[str, ...]], str]) -> str:
        return self.target.noun

    def baseline(self, baseline: Predicted, quoted: Callable[[str], str]) -> str:
        return SurvivalScores.baseline

    def refusal(self, needed: Needed) -> Refusal:
        instead = "Leave it out, and use the survival curve."
        match needed:
            case "prediction_set":
                return "needs a row to have one of several classes; this model predicts the time to an event", instead
            case "interval":
                entered = quote(self.target.names[-1])
                return f"needs rows that were all observed from 0 on; here they were from {entered} on", instead
            case "classes":
                why = "is for classes, and this model predicts the time to an event"
                return why, "Leave it out: the file has the median and the survival curve."
        return super().refusal(needed)

    def empty_rows(self, frame: pl.DataFrame) -> int:
        return frame["prediction"].null_count()

    def notes(self, rows: int, empty: int, times: Sequence[float]) -> list[str]:
        last, notes = self.target.edges[-1], list[str]()
        event = f"the last event of the training, {format_number(last)}"
        if empty:
            message = f"{empty:,} of {rows:,} medians are after {event}, and empty"
            notes.append(f"{message}; at and proba add the survival curve")
        if max(times, default=0.0) > last:
            notes.append(f"some times of at are after {event}, where the survival stays as it is")
        return notes


def survival_name(time: float) -> str:
    """The column of the survival at a time."""
    return f"{PREFIX}{time:.12g}"


@dataclass(frozen=True)
class CurveScoring(Scoring):
    """Curves, which may be of other times in each run, are compared by the Brier score or the log-likelihood."""

    target: SurvivalTarget
    loss: Loss

    @property
    def in_common(self) -> Comparison:
        metric = self.target.loss_metric(self.loss)

        def prepare(predictions: Predicted, y: Truth) -> Floats:
            return predictions.target.test_losses(metric, self.loss, predictions, y)

        return Comparison((Measure(self.target.test_loss_name(metric), prepare),))

    def selection(self, points: Floats, y: Truth, metric: str | None) -> SelectionLoss:
        """By the negative log-likelihood."""
        return SelectionLoss(points, lambda S, rows: self.target._losses(y[rows], S), self.target.error_title)
