"""The rows of a run that its intervals and sets are calibrated with."""

from __future__ import annotations

from nncli.base.errors import Location, RunError
from nncli.models.held_out_rows import HeldOutRows
from nncli.runs.filenames import CONFIG, HELD_OUT
from nncli.runs.loader import check_not_removed
from nncli.runs.run import Run


def calibration_rows(run: Run) -> HeldOutRows:
    """The held-out rows of a run.

    Raises:
        RunError: there are none, or the file is damaged.
    """
    rows = run.load_held_out()
    if rows is not None and len(rows):
        return rows
    place = Location(source=str(run.path))
    manifest = run.load_manifest()
    check_not_removed(run.path, manifest, HELD_OUT)
    if manifest.validation_rows:
        raise RunError(
            "intervals and sets are calibrated by the predictions of held-out rows, which this run of an older version "
            "does not keep",
            location=place,
            hint=f"Train again: nncli train {run.path / CONFIG}",
        )
    raise RunError(
        "there are no rows to calibrate intervals or sets with: all rows were used for training",
        location=place,
        hint=f"Train again with validation rows: nncli train {run.path / CONFIG} --set validation=0.2",
    )
