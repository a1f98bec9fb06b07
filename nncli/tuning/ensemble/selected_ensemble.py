"""An ensemble of the best trials of a search, selected by their out-of-fold predictions, as a run directory.

Its members are the networks of the selected trials, with the weights of the selection. The predictions that the run is
scored by are cross-fitted: those of each fold are of the trials that the other folds select.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import Location, UsageError
from nncli.base.text import format_number
from nncli.models.predictions import Predictions
from nncli.runs.filenames import METRICS
from nncli.runs.loader import read_manifest
from nncli.runs.selection_record import SelectedTrial, SelectionRecord
from nncli.targets.number import ABSOLUTE_ERRORS
from nncli.tuning.ensemble.ensemble_run import write_ensemble_run
from nncli.tuning.ensemble.ensemble_selection import CandidatePredictions, Selection
from nncli.tuning.trials.finished_trial import FinishedTrial, read_trials

ROUNDS = 10
"""Picks that are tried, unless another number is given."""


@dataclass(frozen=True)
class SelectedEnsemble:
    """An ensemble of the best trials in the run directory `path`.

    `picks` are the numbers of the selected trials, and how often each was picked, the most first. `loss` is the mean of
    the `measure` of the rows that selected them, `cross_fitted_loss` that of rows whose predictions the other folds
    selected, and `best_loss` that of the single best trial, also selected by the other folds. `best_trial` is the best
    one of all rows. The search saw all rows when it proposed trials, so that both are somewhat too good.
    """

    path: Path
    picks: tuple[tuple[int, int], ...]
    measure: str
    loss: float
    cross_fitted_loss: float
    best_trial: int
    best_loss: float

    @property
    def is_better(self) -> bool:
        """Whether the cross-fitted loss is lower than that of the single best trial."""
        return self.cross_fitted_loss < self.best_loss

    @property
    def sentence(self) -> str:
        """The loss beside that of the single best trial, and whether it is lower; of a squared error the root."""
        is_square = self.measure == "squared error"
        ensemble, best = (sqrt(one) if is_square else one for one in (self.cross_fitted_loss, self.best_loss))
        name = "root mean squared error" if is_square else self.measure
        verdict = "" if self.is_better else "; the ensemble is not better than the best trial"
        return (
            f"selected by the {self.measure}; {name} {format_number(ensemble)} with each row by the picks of other "
            f"folds, {format_number(best)} with their best trial alone{verdict}"
        )


def write_selected_ensemble(
    trials: Mapping[int, Path],
    output: Path,
    rounds: int = ROUNDS,
    command: Sequence[str] = (),
    metric: str | None = None,
) -> SelectedEnsemble:
    """Select an ensemble from finished trials, by their numbers, and write it as a run directory.

    The trials are cross-validations with the same table and folds, or runs with the same validation rows. The directory
    is `output` or the first of `output-2` … that is free; an equal ensemble that is there is not written again. If the
    selection is a single network, it is the directory of that trial. They are selected by the `metric` of the search if
    it is the accuracy, or an absolute error; else by the log loss, the pinball loss or the squared error.

    Raises:
        UsageError: there is no trial, or two cannot be averaged.
        RunError: a trial is not finished, or damaged.
        DataError: the table has changed.
    """
    if rounds < 1:
        raise UsageError("an ensemble needs at least 1 pick", hint="For example --ensemble 10.")
    read = read_trials(trials)
    candidates, everything = candidates_of(read, metric), np.ones(len(read[0].held_out), np.bool_)
    selection = candidates.pick(rounds, everything)
    cross_fitted = candidates.cross_fit(rounds, read[0].parts)
    best, best_cross_fitted = candidates.pick(1, everything), candidates.cross_fit(1, read[0].parts)
    if not isfinite(selection.loss + cross_fitted.loss):
        raise UsageError(
            "the predictions of too many trials are not finite",
            location=Location(source=str(read[0].path)),
            hint="Search with lower learning rates.",
        )
    record = SelectionRecord(
        trials=tuple(
            SelectedTrial(number=read[i].number, path=os.path.relpath(read[i].path, output.parent), picks=count)
            for i, count in selection.counts.items()
        ),
        candidates=len(read),
        rounds=rounds,
        measure=candidates.measure,
        loss=selection.loss,
        cross_fitted_loss=cross_fitted.loss,
    )
    scored = _scored_predictions(read, cross_fitted.selections, read[0].parts)
    chosen = [read[i] for i in selection.counts]
    if len(chosen) == len(chosen[0].shares) == 1:
        path = chosen[0].path
    else:
        path = _existing(output, record) or write_ensemble_run(chosen, record, scored, output, command)
    return SelectedEnsemble(
        path=path,
        picks=tuple((one.number, one.picks) for one in record.trials),
        measure=record.measure,
        loss=record.loss,
        cross_fitted_loss=record.cross_fitted_loss,
        best_trial=read[best.picks[0]].number,
        best_loss=best_cross_fitted.loss,
    )


def candidates_of(trials: Sequence[FinishedTrial], metric: str | None = None) -> CandidatePredictions:
    """The held-out predictions of trials as candidates of a selection."""
    rows = trials[0].held_out
    values = np.stack([trial.held_out.predictions.loss_inputs for trial in trials])
    if rows.predictions.target.has_labels:
        of = CandidatePredictions.of_errors if metric == "accuracy" else CandidatePredictions.of_classes
        return of(values, rows.y, rows.weights)
    is_absolute = metric in ABSOLUTE_ERRORS
    return CandidatePredictions.of_numbers(values, rows.y, rows.weights, trials[0].first.loss, absolute=is_absolute)


def _scored_predictions(
    trials: Sequence[FinishedTrial],
    selections: Mapping[int, Selection],
    part: npt.NDArray[np.int64],
) -> Predictions:
    """The predictions of the rows of each part, by the trials that its selection has picked."""
    first = trials[0].held_out.predictions
    target, precision = first.target.joint([first.target], None), trials[0].first.network.precision
    values = np.empty(first.loss_inputs.shape)
    for k, selection in selections.items():
        own, total = part == k, np.zeros(first.loss_inputs[part == k].shape)
        for pick in selection.picks:
            total += trials[pick].held_out.predictions.loss_inputs[own]
        values[own] = total / len(selection.picks)
    if first.quantiles is not None:
        return Predictions.of_quantiles(target, values, first.levels, precision)
    values = values.astype(target.precision_of(precision)).astype(np.float64)  # as the mean of an ensemble
    return Predictions(target, values, precision)


def _existing(output: Path, record: SelectionRecord) -> Path | None:
    """The run directory `output` if it is this ensemble."""
    if not (output / METRICS).is_file():
        return None
    return output if read_manifest(output).selection == record else None
