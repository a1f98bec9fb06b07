"""The record of an ensemble whose members were selected from finished trainings, in its manifest."""

from __future__ import annotations

import shlex
from pathlib import Path

from nncli.base.errors import Location, RunError
from nncli.base.spec import FiniteFloat, NonNegativeInt, PositiveInt, Spec, StrictStr


class SelectedTrial(Spec):
    """A trial whose networks are members, its path from the folder of the run, and how often it was picked."""

    number: NonNegativeInt
    path: StrictStr
    picks: PositiveInt


class SelectionRecord(Spec):
    """How the members were selected from the `candidates` trials by their out-of-fold predictions.

    `rounds` picks were tried, and the trials have those of the best number of them. `loss` is the mean of the `measure`
    of the rows that selected the trials; `cross_fitted_loss` is that of rows whose predictions other folds selected.
    """

    trials: tuple[SelectedTrial, ...]
    candidates: PositiveInt
    rounds: PositiveInt
    measure: StrictStr
    loss: FiniteFloat
    cross_fitted_loss: FiniteFloat

    @property
    def text(self) -> str:
        """The selection in a line."""
        total = sum(trial.picks for trial in self.trials)
        shares = ", ".join(f"trial {trial.number} ({trial.picks}/{total})" for trial in self.trials)
        return f"{shares} of {self.candidates:,} trials, by the {self.measure} of out-of-fold predictions"


def check_not_selected(path: Path, selection: SelectionRecord | None, action: str) -> None:
    """Raise a RunError if the members of a run were selected from trials: it cannot be trained by itself."""
    if selection is None:
        return
    config = shlex.quote(str(path / "config.yaml"))
    raise RunError(
        f"nncli tune selected the members of this run from {selection.candidates:,} trials, so it cannot be {action}",
        location=Location(source=str(path)),
        hint=f"Select again with nncli tune, or train the trial of the largest weight: nncli train {config}",
    )
