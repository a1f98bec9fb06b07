"""`nncli track`: write the metrics of a finished run to TensorBoard or MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nncli.base.errors import Advice, Location, NncliError, UsageError, UseOption
from nncli.run_directory.run import is_search
from nncli.tracking.tracker import TrackerChoice, parse_trackers
from nncli.tracking.tracker_thread import is_connection_error, reason_of
from nncli.tracking.training_tracker import track_finished_run
from nncli.tuning.tracking import track_directory


@dataclass(frozen=True)
class Tracked:
    """A run directory that was written to a tracker, such as `mlflow=http://127.0.0.1:5000`, under a name."""

    run: Path
    tracker: str
    name: str


def track(*runs: str | Path, to: Sequence[str]) -> tuple[Tracked, ...]:
    """Write runs, ensembles, cross-validations and searches to trackers, as `train` with `track` does meanwhile.

    A run that a tracker has already is continued there: nothing is written twice.

    Args:
        runs: run directories.
        to: `tensorboard`, `tensorboard=DIR`, `mlflow` or `mlflow=URI`, one or several.

    Raises:
        UsageError: there is no such tracker, or its package is not installed.
        RunError: a run directory is missing or damaged, or its training has not ended.
        NncliError: a tracker cannot be written to.
    """
    choices = parse_trackers(to)
    if not choices:
        raise UsageError("track needs a tracker", hint=Advice("For example ", UseOption("to", "to", "tensorboard")))
    return tuple(tracked for run in runs for tracked in _track(Path(run), choices))


def _track(run: Path, choices: Sequence[TrackerChoice]) -> Iterator[Tracked]:
    for choice in choices:
        try:
            with closing(choice.open(run)) as tracker:
                name = track_directory(run, tracker) if is_search(run) else track_finished_run(run, tracker)
        except NncliError:
            raise
        except Exception as error:
            message = f"{choice.title} cannot be written to: {reason_of(error)}"
            hint = "Check that the server runs and its address is right." if is_connection_error(error) else None
            raise NncliError(message, location=Location(source=choice.target), hint=hint) from error
        yield Tracked(run, str(choice), name)
