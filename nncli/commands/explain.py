"""`nncli explain`: a run directory and rows in; out comes what the model leans on, and why it says what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.commands.evaluate import read_data
from nncli.config.schema import Config
from nncli.data.encoders.target import Target, rows_with_target
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.store.scratch import Scratch
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.errors import DataError, Location, UsageError
from nncli.evaluation.held_out import predict_held_out
from nncli.inspection.attribution import Attributions, attribute, select_output
from nncli.inspection.encoded_rows import EncodedRows, Rows, Spoken
from nncli.inspection.partial_dependence import PartialDependence, partial_dependence
from nncli.inspection.permutation_importance import (
    Importance,
    Scorer,
    permutation_importance,
    rank_by_prediction_change,
)
from nncli.metrics.registry import DEFAULT_METRIC, metric_names
from nncli.pipeline.prepare.load import load_labelled_rows
from nncli.pipeline.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.runs.run import Run
from nncli.text import quote
from nncli.utils.logs import log_duration

if TYPE_CHECKING:
    from nncli.data.io.dataframes import Frame

Tell = Callable[[str, int, int], object]

MOST_ROWS = 5_000
"""Rows that are looked at where nobody says how many: more would narrow the intervals by little, and take long."""
MOST_ATTRIBUTED = 1_000
"""Rows that are taken apart where nobody says how many: each takes the network some hundred times."""


@dataclass(frozen=True)
class Explanation:
    """What the model leans on, in the columns of the person's table.

    `loss` and `score`, of the `metric`, are those of the `labelled` rows as they are, and `importances` what shuffling
    does to them, the most important column first; None where no row has a target. `dependences` are those of the top
    columns. `attributions` are there if they were asked for, of the rows with the numbers `attributed`, from 1.
    `rows` were looked at, of `table_rows`; `notes` are for the person to read.
    """

    rows: int
    table_rows: int
    labelled: int
    loss_name: str
    loss: float | None
    metric: str
    score: float | None
    importances: tuple[Importance, ...] | None
    dependences: tuple[PartialDependence, ...]
    attributions: Attributions | None
    attributed: Rows
    notes: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """All but the attributions; null is what is not a finite number."""
        each = None if self.importances is None else [_finite(asdict(one)) for one in self.importances]
        return {
            "rows": self.rows,
            "table_rows": self.table_rows,
            "labelled": self.labelled,
            **_finite({"loss_name": self.loss_name, "loss": self.loss, "metric": self.metric, "score": self.score}),
            "importance": each,
            "dependence": [
                {
                    "column": one.column,
                    "points": one.points,
                    "outputs": list(one.outputs),
                    "meaning": one.meaning,
                    "predictions": [[v if isfinite(v) else None for v in row] for row in one.predictions.tolist()],
                }
                for one in self.dependences
            ],
            "notes": list(self.notes),
        }


def explain(
    run: str | Path,
    data: str | Path | Frame | None = None,
    *,
    rows: int | None = None,
    repeats: int = 5,
    top: int = 6,
    attributions: bool = False,
    of: str | None = None,
    tell: Tell = lambda *_: None,
) -> Explanation:
    """Explain a trained run by what it makes of some rows.

    Args:
        run: a run directory.
        data: a file or a frame, whose target may be missing; `-` is the standard input; None are the rows that the run
            was validated on, by their weights, of which each member of an ensemble speaks of those alone that it never
            saw.
        rows: at most so many are looked at, drawn with the run's seed; default: 5,000, for attributions 1,000.
        repeats: how often every column is shuffled.
        top: how many columns have their dependence told.
        attributions: whether each row's prediction is taken apart too.
        of: the class, or the target among several, that is taken apart; see `attribute`.
        tell: called with what is being done, how much of it is done, and how much there is.

    Raises:
        UsageError: a number is too small, or there is no output `of` that name.
        RunError: the run directory is missing or damaged.
        DataError: the table cannot be read, or lacks a column or a row; or `data` is None and the run's own is gone.
    """
    if repeats < 1 or top < 0 or (rows is not None and rows < 1):
        raise UsageError("rows and repeats must be 1 or more, and the top columns 0 or more")
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        model, manifest = opened.load_model(), opened.load_manifest()
    target = model.spec.target
    if of is not None:
        select_output(target, np.empty((0, 1)), of)  # or it is said now
    config = check_config_unchanged(opened, manifest, ())
    table, notes, spoken, weights = _table(run, data, model, config.data.sample_weight)
    if not len(table):
        raise DataError("the table has no rows", place=Location(source=table.source), hint="Is this the right file?")
    rng = np.random.default_rng(config.seed)
    drawn = _draw(len(table), rows or MOST_ROWS, rng)
    if len(drawn) < len(table):
        notes.append(f"looked at {len(drawn):,} of {len(table):,} rows, drawn with the run's seed")
    part = table.take(drawn)
    with log_duration("encoding"):
        heard = None if spoken is None else spoken[:, drawn]
        encoded = EncodedRows.of(model, part, heard, None if weights is None else weights[drawn])
    if encoded.strangers.note:
        notes.append(encoded.strangers.note)

    labelled = _labelled(part, target)
    judged = Scorer(model, target.read(part.take(labelled)) if len(labelled) else np.empty(0), _metric(config, target))
    found, loss, score = None, None, None
    if len(labelled):
        loss, score = judged.as_it_is(encoded.take(labelled))
        with log_duration("shuffling columns") as told:
            found = permutation_importance(encoded.take(labelled), judged, repeats, rng, tell)
            told.details.append(f"{len(found):,} columns, {len(labelled):,} rows")
        ranked = [one.column for one in found]
    else:
        notes.append("the table has no target to judge by, so nothing is said of importance")
        ranked = rank_by_prediction_change(encoded, rng) if top else []
    with log_duration("predicting along columns"):
        curves = partial_dependence(encoded, part, ranked[:top], rng, tell)

    taken, few = None, np.empty(0, np.int64)
    if attributions:
        few = _draw(len(part), rows or MOST_ATTRIBUTED, rng)
        if len(few) < len(part):
            notes.append(f"attributed {len(few):,} of the rows; --rows says of how many more")
        background, note = _background(opened, config, model, encoded)
        notes += [note] if note else []
        with log_duration("taking predictions apart") as told:
            taken = attribute(encoded.take(few), background, of, tell)
            told.details.append(f"{len(few):,} rows")
        if taken.missed:
            notes.append(_completeness_note(taken))
    return Explanation(
        rows=len(part),
        table_rows=len(table),
        labelled=len(labelled),
        loss_name=judged.loss_name,
        loss=loss,
        metric=judged.metric,
        score=score,
        importances=found,
        dependences=curves,
        attributions=taken,
        attributed=_numbers(part)[few],
        notes=tuple(notes),
    )


def _table(
    run: str | Path, data: str | Path | Frame | None, model: AnyModel, weight: str | None
) -> tuple[Table, list[str], Spoken | None, Weights | None]:
    """The rows to look at, notes on them, which members may speak of them, and how much each counts.

    The run's own rows count by their weights, as in its scores; those of another table all count the same, as in
    `nncli evaluate`.
    """
    if data is None:
        judged = predict_held_out(run)
        notes = (
            [] if judged.split == "validation" else ["the run held no rows out: these are the rows it was trained on"]
        )
        if weight is not None:
            notes.append(f"rows count by their weights, {quote(weight)}")
        return judged.table, notes, judged.spoken, judged.weights
    table = read_data(model, data)
    notes = list(table.notes)
    if weight is not None:
        notes.append(f"all rows count the same, as in nncli evaluate; the run's own count by {quote(weight)}")
    return table, notes, None, None


def _draw(n: int, most: int, rng: np.random.Generator) -> Rows:
    """Positions of at most so many of n rows, ascending."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _metric(config: Config, target: Target) -> str:
    """The metric that the run watched, if that is one; else accuracy or the root of the mean squared error."""
    return config.metric if config.metric in metric_names(target.task) else DEFAULT_METRIC[target.task]


def _labelled(table: Table, target: Target) -> Rows:
    """Positions of the rows whose target is there; none where the table has no such column."""
    there = set(target.names) <= set(table.names)
    return rows_with_target(table, target.names) if there else np.empty(0, np.int64)


def _background(run: Run, config: Config, model: AnyModel, rows: EncodedRows) -> tuple[EncodedRows, str | None]:
    """The rows whose mean is the baseline of attributions: of the run's table, or else, with a note, the `rows`."""
    try:
        check_tables_unchanged(config, run.load_manifest())
    except DataError as error:
        return rows, f"the average row is that of this table, not of the run's: {error.message}"
    with Scratch() as scratch:
        stored = load_labelled_rows(config, config.data.path, scratch)
        few = _draw(len(stored), MOST_ROWS, np.random.default_rng(config.seed))
        some, weight = stored.take(few), config.data.sample_weight
        weights = None if weight is None else read_weights(some.columns([weight]), weight)
        return EncodedRows.of(model, some.columns(model.names), weights=weights), None


def _completeness_note(found: Attributions) -> str:
    """A note on rows that do not add up."""
    many = "1 row" if found.missed == 1 else f"{found.missed:,} rows"
    finite = found.error[np.isfinite(found.error)]
    by = f"up to {finite.max():.2g}" if len(finite) == len(found.error) else "what is no number"
    return f"of {many} the columns do not add up to the prediction but for {by}; {found.tolerance:.2g} was aimed at"


def _numbers(table: Table) -> Rows:
    return np.arange(table.first_row, table.first_row + len(table)) if table.numbers is None else table.numbers


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in values.items()}
