"""`nncli diagnose`: say what went wrong in the training of a run, with the settings that help."""

from __future__ import annotations

from pathlib import Path

from nncli.analysis.diagnosis import TrainingDiagnosis, diagnose_run
from nncli.analysis.evaluation.held_out import run_copies
from nncli.api.options import DiagnoseOptions
from nncli.base.option import operation


def diagnose_with(run: str | Path, options: DiagnoseOptions) -> TrainingDiagnosis:
    """Say what went wrong in the training of a run, the costliest first, with the settings that help.

    A run is scored by the averaged predictions of its best epochs, on rows that the networks were not trained on.
    With `tries`, each remedy is trained shortly on the same folds, and what it does to the score is kept in the run.
    The losses of the epochs, the measurements of health.csv and the training rows are looked at; without the table of
    the run the findings about rows are left out, and a note says so.

    Raises:
        RunError: it is not a run directory, or one of its files is damaged.
    """
    path = Path(run)
    with run_copies(path):
        return diagnose_run(path, rates=options.rates, tries=options.tries)


diagnose = operation(DiagnoseOptions)(diagnose_with)
