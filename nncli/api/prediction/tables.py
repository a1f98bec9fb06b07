"""The predictions of tables in memory: of one, and chunk by chunk in memory that does not grow with the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import polars as pl

from nncli.api.options import MISSING_OR_SKIP, InvalidCellOptions, OutputColumns, PredictOptions
from nncli.base.errors import Advice, CellError, UsageError
from nncli.base.logs import log_duration
from nncli.base.text import join_quoted, quote
from nncli.data.encoders.anomalies import Anomalies, InvalidCells, InvalidCounts
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableLocation, as_source
from nncli.data.table import Table
from nncli.fitting.conformal import conformal_predictor, target_predictors
from nncli.models.conformal.predictor import ConformalPredictions, ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.ensemble import AnyModel, average_members, predict_members
from nncli.models.label_predictor import PredictedClasses, predict_classes
from nncli.models.predictions import Predictions
from nncli.models.read_table import read_to_predict
from nncli.nn.arrays import RowIndices
from nncli.run_directory.monitoring.profiler import Profile, Profiler
from nncli.run_directory.run import Run
from nncli.targets.conformal import lists_of
from nncli.targets.decision import decision_note
from nncli.targets.target_base import present
from nncli.targets.wording import Wording

OnInvalid: TypeAlias = Callable[[pl.DataFrame], object]
"""Called with the invalid cells of each chunk: the number of the row, the column, the value and the reason."""
OnSummary: TypeAlias = Callable[["PredictionSummary"], object]


UNUSUAL = "unusual"
"""The column of the names of columns whose cell is an anomaly, a list."""


@dataclass(frozen=True)
class PredictionSummary:
    """Counts of the rows of one or several tables, of their anomalies and of their invalid cells.

    `unknown_groups` counts rows of groups that were not calibrated. `profile` is that of the rows, if it was asked for.
    Of the rows, `empty` have no prediction, which the `wording` of a model explains.
    """

    rows: int = 0
    anomalies: Anomalies = field(default_factory=Anomalies)
    invalid: InvalidCounts = field(default_factory=InvalidCounts)
    unknown_groups: int = 0
    profile: Profile | None = None
    empty: int = 0
    wording: Wording | None = None

    def __add__(self, other: PredictionSummary) -> PredictionSummary:
        return PredictionSummary(
            self.rows + other.rows,
            self.anomalies + other.anomalies,
            self.invalid + other.invalid,
            self.unknown_groups + other.unknown_groups,
            self.profile + other.profile if self.profile and other.profile else self.profile or other.profile,
            self.empty + other.empty,
            self.wording or other.wording,
        )

    def notes(self, options: InvalidCellOptions) -> list[str]:
        """A line on the invalid cells, one on the anomalies and one on unknown groups, where there are any."""
        notes = [self.invalid.note(skipped=options.skips), self.anomalies.note]
        if self.unknown_groups:
            rows = f"{self.unknown_groups:,} row{'s' * (self.unknown_groups > 1)}"
            notes.append(f"{rows} of groups without held-out rows, which are calibrated like groups of few rows")
        if self.wording is not None:
            times = options.times if isinstance(options, OutputColumns) else ()
            notes += self.wording.notes(self.rows, self.empty, times)
        return [note for note in notes if note is not None]


ON_ERROR_HINT = Advice("To use the table all the same: ", *MISSING_OR_SKIP.parts, ".")


FramedPredictions: TypeAlias = Predictions | PredictedClasses | ConformalPredictions


class PredictedFrame(NamedTuple):
    """The predictions of one table, the counts of its rows, and their invalid cells."""

    frame: pl.DataFrame
    summary: PredictionSummary
    invalid: InvalidCells


@dataclass(frozen=True)
class TargetModels:
    """The model of each of several targets, which read the same columns, with its calibration if it has one."""

    models: Mapping[str, tuple[AnyModel, ConformalPredictor | None]]

    @property
    def first(self) -> AnyModel:
        """The model by which tables are read."""
        return next(iter(self.models.values()))[0]

    def predict(self, table: Table, options: PredictOptions) -> PredictedFrame:
        """The predictions of all targets, in columns such as `prediction_TARGET` and `proba_TARGET_CLASS`."""
        if options.proba and all("probabilities" not in model.spec.target.gives for model, _ in self.models.values()):
            options.check_columns(self.first)
        if options.times:
            options.check_columns(self.first)
        frames, summaries, once = list[pl.DataFrame](), list[PredictionSummary](), options
        for name, (model, conformal) in self.models.items():
            proba = options.proba and "probabilities" in model.spec.target.gives
            predicted = predict_whole_table(model, table, replace(once, proba=proba), conformal=conformal)
            columns = predicted.frame.columns[len(once.keep) :]
            frames.append(predicted.frame.rename({column: title_of(column, name) for column in columns}))
            summaries.append(predicted.summary)
            once = replace(options, keep=(), flag_unusual=False)
        unknown = max(summary.unknown_groups for summary in summaries)
        summary = replace(summaries[0], unknown_groups=unknown)
        titles = [title for frame in frames for title in frame.columns]
        if len(set(titles)) < len(titles):
            repeated = next(title for title in titles if titles.count(title) > 1)
            raise UsageError(f"two columns of the predictions would be {quote(repeated)}", hint="Rename a target.")
        return PredictedFrame(pl.concat(frames, how="horizontal"), summary, predicted.invalid)


def title_of(column: str, target: str) -> str:
    """The name of a column of the predictions of one of several targets."""
    if column == UNUSUAL:
        return column
    return f"proba_{target}_{rest}" if (rest := column.removeprefix("proba_")) != column else f"{column}_{target}"


AnyPredictor: TypeAlias = AnyModel | TargetModels


def load_predictor(run: Run, options: UncertaintyOptions) -> tuple[AnyPredictor, ConformalPredictor | None]:
    """The model of a run with its calibration; of several targets those of each."""
    if run.targets:
        return TargetModels(target_predictors(run, options)), None
    model = run.load_model()
    return model, conformal_predictor(run, model, options)


def predict_whole_table(
    model: AnyPredictor,
    table: Table,
    options: PredictOptions,
    *,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
) -> PredictedFrame:
    """Predict one table in memory; with `conformal`, also intervals or sets, and with `profiler` their profile."""
    if isinstance(model, TargetModels):
        return model.predict(table, replace(options, keep=tuple(dict.fromkeys(options.keep))))
    options.check_columns(model)
    proba, keep = options.proba, list(dict.fromkeys(options.keep))
    table.require(keep)
    with np.errstate(
        all="ignore"
    ):  # a value far out of the training range may overflow; that is seen in the predictions
        valid: ValidPredictions[FramedPredictions]
        profile = None
        if profiler is not None:
            profiled = predict_valid(model, table, options, partial(_predict_profiled, profiler, conformal))
            valid = ValidPredictions(profiled.predictions[0], profiled.table, profiled.rows, profiled.invalid)
            profile = profiled.predictions[1]
        elif conformal is not None:
            valid = predict_valid(model, table, options, conformal.predict)
        elif proba:
            valid = predict_valid(model, table, options, model.predict)
        else:
            valid = predict_valid(model, table, options, partial(predict_classes, model))
        predictions = valid.predictions
        predicted = predictions.frame(proba=proba)
        if options.times:
            curves = predictions.predictions if isinstance(predictions, ConformalPredictions) else predictions
            assert isinstance(curves, Predictions)
            at = present(model.spec.target.curve).columns(curves.values, options.times)
            predicted = predicted.with_columns(**at)
        if options.flag_unusual:
            predicted = predicted.with_columns(_unusual(model, valid.table, predictions.anomalies))
    duplicates = sorted(set(keep) & set(predicted.columns))
    if duplicates:
        message = f" {join_quoted(duplicates)} would appear twice: a column of the predictions has that name"
        raise UsageError(Advice(OutputColumns.use("keep"), message))
    kept = table.frame if valid.rows is None else table.frame[valid.rows]
    frame = pl.concat([kept[keep], predicted], how="horizontal") if keep else predicted
    unknown = predictions.unknown_groups if isinstance(predictions, ConformalPredictions) else 0
    counts = InvalidCounts.of(valid.invalid)
    wording = model.spec.head.wording
    empty = wording.empty_rows(predicted)
    summary = PredictionSummary(len(frame), predictions.anomalies, counts, unknown, profile, empty, wording)
    return PredictedFrame(frame, summary, valid.invalid)


def _unusual(model: AnyModel, table: Table, anomalies: Anomalies) -> pl.Series:
    """The names of the columns whose cell is an anomaly, for each row of a table with these anomalies."""
    names = [name for name in model.names if name in anomalies.columns]
    masks = np.zeros((len(table), len(names)), np.bool_)
    for j, mask in enumerate(model.unusual_cells(table, names).values()):
        masks[:, j] = mask
    items = pl.Series(names, dtype=pl.String).gather(pl.Series(np.nonzero(masks)[1], dtype=pl.Int64))
    return lists_of(items, masks.sum(axis=1)).alias(UNUSUAL)


def _predict_profiled(
    profiler: Profiler, conformal: ConformalPredictor | None, table: Table
) -> tuple[Predictions | ConformalPredictions, Profile]:
    """The predictions of a table and its profile; each member predicts once."""
    members = predict_members(profiler.model, table)
    predictions = average_members(profiler.model, members)
    profile = profiler.bin_codes(table, predictions, members).profile()
    return predictions if conformal is None else conformal.of_members(members, conformal.group_codes(table)), profile


P = TypeVar("P")


class ValidPredictions(NamedTuple, Generic[P]):
    """Predictions of a table without its `invalid` cells.

    `table` is what was predicted: with these cells missing, or only the `rows` (positions; None: all) without one.
    """

    predictions: P
    table: Table
    rows: RowIndices | None
    invalid: InvalidCells


def predict_valid(
    model: AnyModel, table: Table, options: InvalidCellOptions, predict: Callable[[Table], P]
) -> ValidPredictions[P]:
    """Predict a table by `predict`, with its invalid cells missing or without their rows.

    Raises:
        CellError: a cell cannot be read, and this is an error.
    """
    try:
        return ValidPredictions(predict(table), table, None, InvalidCells.none())
    except CellError as error:
        if options.fails:
            raise error.for_model(ON_ERROR_HINT) from None
    valid, rows, invalid = without_invalid_cells(model, table, options)
    return ValidPredictions(predict(valid), valid, rows, invalid)


def without_invalid_cells(
    model: AnyModel, table: Table, options: InvalidCellOptions
) -> tuple[Table, RowIndices | None, InvalidCells]:
    """A table with its invalid cells missing, or without their rows; the rows that are left (None: all); the cells."""
    invalid = model.invalid_cells(table)
    rows = invalid.valid_rows(len(table)) if options.skips else None
    return invalid.removed_from(table) if rows is None else table.take(rows), rows, invalid


PREDICTORS = 2
"""Threads that predict blocks of a file, while other threads read and write."""


def predict_source(
    model: AnyPredictor,
    location: TableLocation | None,
    options: PredictOptions,
    *,
    on_invalid: OnInvalid | None = None,
    on_summary: OnSummary | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    predictors: int | None = None,
) -> Iterator[pl.DataFrame]:
    """Predict every row of a table, or of the standard input if `location` is None, in order.

    Yields frames with the kept columns first, then `prediction` (`prediction_TARGET` for several targets) and, with
    `proba`, `proba_CLASS` for each class; with `conformal`, intervals or sets, see `ConformalPredictions.frame`. Memory
    does not grow with the file.

    A cell of a numeric or date column that cannot be read is an error, a missing cell, or its row is left out, as the
    options say. `on_invalid` is called with such cells. The options' `on_note` is called with every note on the
    reading, and after the last row with notes on invalid cells and on anomalies, such as unseen categories; instead of
    these, `on_summary` is called with the counts and, with a `profiler`, the profile of the rows. `predictors` threads
    predict at a time, by default two.

    Raises:
        UsageError: `proba` for a regression model.
        DataError: a column is missing.
        CellError: a cell cannot be read, and this is an error.
    """
    as_text, reader = conformal_columns(conformal), model.first if isinstance(model, TargetModels) else model
    if isinstance(model, TargetModels):
        as_text = tuple({name: None for _, of_target in model.models.values() for name in conformal_columns(of_target)})
    tables = read_to_predict(reader, location, keys=as_text, as_text=[*options.keep, *as_text])
    workers = predictor_threads(location) if predictors is None else predictors
    yield from predict_chunks(
        model,
        tables,
        options,
        on_invalid=on_invalid,
        on_summary=on_summary,
        conformal=conformal,
        profiler=profiler,
        workers=workers,
    )


def predictor_threads(location: TableLocation | None) -> int:
    """The number of threads that predict the chunks of a table: none for a pipe, whose rows are answered at once."""
    return 0 if open_reader(as_source(location)).is_read_once else PREDICTORS


def conformal_columns(conformal: ConformalPredictor | None) -> tuple[str, ...]:
    """The columns that a calibration reads besides the features, as text."""
    return () if conformal is None or conformal.row_groups is None else (conformal.row_groups.name,)


def predict_chunks(
    model: AnyPredictor,
    tables: Iterator[Table],
    options: PredictOptions,
    *,
    on_invalid: OnInvalid | None = None,
    on_summary: OnSummary | None = None,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
    workers: int = 0,
) -> Iterator[pl.DataFrame]:
    """Predict the chunks of a table; for `workers` see `prefetch_map`, for the rest `predict_source`."""
    on_invalid = on_invalid or (lambda _: None)
    summary, n_chunks = PredictionSummary(), 0
    of_targets = model.models.items() if isinstance(model, TargetModels) else [("", (model, conformal))]
    for name, (of_target, calibrated) in of_targets:
        decision = of_target.spec.decision
        notes = [*([] if decision is None else [decision_note(decision)]), *(calibrated.notes() if calibrated else [])]
        options.note(*(f"{quote(name)}: {text}" if name else text for text in notes))

    def work(table: Table) -> PredictedFrame:
        return predict_whole_table(model, table, options, conformal=conformal, profiler=profiler)

    with log_duration("reading, predicting and writing") as stage:
        for _, predicted in prefetch_map(_report_notes(tables, options), work, workers):
            summary, n_chunks = summary + predicted.summary, n_chunks + 1
            if len(predicted.invalid):
                on_invalid(predicted.invalid.frame)
            yield predicted.frame
        stage.details.append(f"{summary.rows:,} rows in {n_chunks:,} chunk{'' if n_chunks == 1 else 's'}")
    if on_summary is not None:
        on_summary(summary)
        return
    options.note(*summary.notes(options))


def _report_notes(tables: Iterator[Table], options: PredictOptions) -> Iterator[Table]:
    """Report the notes of each table before it is predicted: they may explain an error."""
    for table in tables:
        options.note(*table.notes)
        yield table
