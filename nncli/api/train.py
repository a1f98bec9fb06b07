"""`nncli train`: train from a configuration into a run directory, yielding typed events."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from nncli.analysis.evaluation.threshold_options import threshold_options
from nncli.base.errors import UsageError
from nncli.base.findings import Finding, FindingCode, note, warning
from nncli.base.scratch import existing_parent
from nncli.config.loading import load
from nncli.config.schema import Config
from nncli.config.schema.training import seconds_of
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.timing.clock import TimeLimit
from nncli.fitting.train.events import Event, Finished
from nncli.fitting.train.single import resume_network, train_network
from nncli.runs.config import read_config
from nncli.runs.cross_validation import check_is_run, resume_command
from nncli.runs.run import Run
from nncli.runs.run_name import check_run_name
from nncli.runs.saved_decision import read_decision
from nncli.runs.selection_record import check_not_selected
from nncli.tracking.choice import TrackerChoice, parse_trackers


def train(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
    time_limit: float | str | TimeLimit | None = None,
    track: Sequence[str] = (),
) -> Finished:
    """Train from a configuration or its path, and return the final event.

    Args:
        config: a `Config`, a path, or `-` for the standard input.
        output: the run directory; default: the configuration's.
        assignments: overrides such as `epochs=10` or `optimizer.type=adam`, for a path only. They take precedence over
            environment variables such as NNCLI_EPOCHS=10, which are read for a path only too.
        stop: called after every batch, or some twenty times a second in compiled loops; once it returns True, the
            training is saved and ends.
        scheduler: the address of a Dask scheduler whose workers train the members; they and this process need the table
            and the run directory under the same paths.
        time_limit: seconds, or a duration such as `5m`: fewer epochs, members and rows are used as needed. It takes
            precedence over the configuration's.
        track: where the metrics are also written to while the network is trained: `tensorboard`, `tensorboard=DIR`,
            `mlflow` or `mlflow=URI`; see the page "Track trainings with TensorBoard and MLflow".

    Raises:
        ConfigError, DataError: the training cannot start.
        DivergedError: the loss is not finite; the best epoch before that is saved.
        UsageError: there is no such tracker, or its package is not installed.
    """
    events = train_events(
        config,
        output=output,
        assignments=assignments,
        stop=stop,
        scheduler=scheduler,
        time_limit=time_limit,
        track=track,
    )
    return _last(events)


def resume(
    run: str | Path,
    *,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
    track: Sequence[str] = (),
) -> Finished:
    """Resume a training that was stopped or killed, or train a finished one longer; see `resume_events`."""
    return _last(resume_events(run, assignments=assignments, stop=stop, scheduler=scheduler, track=track))


def _last(events: Generator[Event, None, None]) -> Finished:
    for event in events:
        if isinstance(event, Finished):
            return event
    raise AssertionError("a training ends with Finished or an error")


def train_events(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
    findings: Sequence[Finding] = (),
    time_limit: float | str | TimeLimit | None = None,
    track: Sequence[str] = (),
) -> Generator[Event, None, None]:
    """As `train`, event by event: `Started`, an `EpochReport` for every epoch, `Finished`.

    With members: `MembersStarted`, `MembersProgress` a few times a second, `Finished`. `findings` about a drafted
    configuration precede those of the training. After the failure of a tracker there is a `TrackingStopped`.
    """
    trackers = parse_trackers(track)
    events = _train(config, output, assignments, command, stop, scheduler, findings, time_limit)
    yield from _tracked(events, trackers)


def _train(
    config: Config | str | Path,
    output: str | Path | None,
    assignments: Sequence[str],
    command: Sequence[str],
    stop: Callable[[], bool],
    scheduler: str | None,
    findings: Sequence[Finding],
    time_limit: float | str | TimeLimit | None,
) -> Generator[Event, None, None]:
    if not isinstance(config, Config):
        loaded = load(config, assignments, os.environ)
        if loaded.tune is not None:
            hint = f"For the search: nncli tune {shlex.quote(str(config))}"
            findings = [*findings, note(FindingCode.SEARCH, "the section tune is ignored", hint=hint)]
        config = loaded.config
    elif assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    path = Path(output or config.output or "runs/model")
    check_run_name(path)
    limit = limit_of(config.time_limit if time_limit is None else time_limit)
    config = config.model_copy(update={"time_limit": None})
    if limit is not None and config.teacher is not None:
        message = "a time limit chooses rows and members, and those of a teacher are given"
        raise UsageError(message, hint="Set fewer epochs: --set epochs=15")
    if not config.is_ensemble:
        _refuse_scheduler(scheduler)
    with table_copies(config, existing_parent(path)):
        if limit is not None:
            from nncli.fitting.ensemble.limited import train_within

            yield from train_within(limit, config, path, command, stop, scheduler, findings)
        elif config.is_ensemble:
            from nncli.fitting.ensemble.train import train_ensemble

            yield from train_ensemble(config, path, command, stop, scheduler, findings)
        else:
            yield from train_network(config, path, command, stop, findings=findings)


def resume_events(
    path: str | Path,
    *,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
    track: Sequence[str] = (),
) -> Generator[Event, None, None]:
    """Resume from the latest checkpoint of a run; the result has the same bits as an uninterrupted training.

    Raises:
        ConfigError: an assignment would change the epochs already trained; only `epochs` (which may grow),
            `checkpoint`, `memory_limit` and `workers` may change.
        DataError: a table has changed since the training started.
        RunError: the run is damaged, another training is writing it, or its backend is not installed.
        UsageError: there is no such tracker, or its package is not installed.
    """
    trackers = parse_trackers(track)
    yield from _tracked(_resume(path, assignments, command, stop, scheduler), trackers)


def _resume(
    path: str | Path,
    assignments: Sequence[str],
    command: Sequence[str],
    stop: Callable[[], bool],
    scheduler: str | None,
) -> Generator[Event, None, None]:
    check_is_run(Path(path), ", not a run", f"To resume: {resume_command(Path(path))}")
    run = Run.open(Path(path))
    manifest = run.load_manifest()
    check_not_selected(run.path, manifest.selection, "trained further")
    findings = []
    if manifest.status == "done" and not any(text.lstrip().startswith("epochs") for text in assignments):
        hint = f"To train longer: nncli train --resume {shlex.quote(str(path))} --set epochs=N"
        findings.append(note(FindingCode.ALREADY_FINISHED, "this training had finished; it is scored again", hint=hint))
    decision = read_decision(run)
    if decision is not None:
        command_words = ["nncli", "threshold", str(path), *threshold_options(decision), "--save"]
        message = "the saved decision is removed: it was chosen for the probabilities before"
        hint = f"Choose it again after the training: {shlex.join(command_words)}"
        findings.append(warning(FindingCode.DECISION_REMOVED, message, hint=hint))
    if manifest.members == 1:
        _refuse_scheduler(scheduler)
    with table_copies(read_config(run.path), existing_parent(run.path)):
        if manifest.members > 1:
            from nncli.fitting.ensemble.train import resume_ensemble

            yield from resume_ensemble(run, assignments, command, stop, scheduler, findings)
        else:
            yield from resume_network(run, assignments, command, stop, findings=findings)


def _tracked(events: Generator[Event, None, None], trackers: Sequence[TrackerChoice]) -> Generator[Event, None, None]:
    if trackers:
        from nncli.tracking.training import track_events

        events = track_events(events, trackers)
    yield from events


def limit_of(time_limit: float | str | TimeLimit | None) -> TimeLimit | None:
    """The time limit, from now on unless it has begun.

    Raises:
        UsageError: it is no duration.
    """
    if time_limit is None or isinstance(time_limit, TimeLimit):
        return time_limit
    try:
        return TimeLimit(seconds_of(time_limit))
    except ValueError as error:
        raise UsageError(f"the time limit: {error}", hint="For example 60s, 5m or 1h.") from error


def _refuse_scheduler(scheduler: str | None) -> None:
    if scheduler is not None:
        raise UsageError("--scheduler is for ensembles, and members is 1", hint="Set members: 8, say.")
