"""`nncli train`: train from a configuration into a run directory, yielding typed events."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Sequence
from pathlib import Path

from nncli.analysis.evaluation.threshold_choice import threshold_options
from nncli.api.options import ClusterOptions, ResumeOptions, TrainOptions
from nncli.base.errors import UsageError
from nncli.base.findings import Finding, FindingCode, note, warning
from nncli.base.option import operation
from nncli.base.scratch import existing_parent
from nncli.config.loading import load
from nncli.config.schema import Config
from nncli.config.schema.training import seconds_of
from nncli.fitting.launch import Launch
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.timing.clock import TimeLimit
from nncli.fitting.train.events import Event, Finished
from nncli.fitting.train.single import resume_network, train_network
from nncli.runs.config import read_config
from nncli.runs.cross_validation import check_is_run, resume_command
from nncli.runs.manifest import check_not_selected
from nncli.runs.run import Run
from nncli.runs.run_name import check_run_name
from nncli.runs.saved_decision import read_decision
from nncli.tracking.tracker import TrackerChoice, parse_trackers


def train_events_with(
    config: Config | str | Path, options: TrainOptions, command: Sequence[str] = (), findings: Sequence[Finding] = ()
) -> Generator[Event, None, None]:
    """As `train`, event by event: `Started`, an `EpochReport` for every epoch, `Finished`.

    With members: `MembersStarted`, `MembersProgress` a few times a second, `Finished`. `findings` about a drafted
    configuration precede those of the training. After the failure of a tracker there is a `TrackingStopped`.
    """
    trackers = parse_trackers(options.track)
    yield from _tracked(_train(config, options, options.launch(command, findings)), trackers)


train_events = operation(TrainOptions)(train_events_with)


@operation(TrainOptions)
def train(config: Config | str | Path, options: TrainOptions) -> Finished:
    """Train from a configuration or its path, and return the final event.

    `config` is a `Config`, a path, or `-` for the standard input. `assignments` are for a path only. They take
    precedence over environment variables such as NNCLI_EPOCHS=10, which are read for a path only too. The workers of a
    Dask scheduler and this process need the table and the run directory under the same paths. A time limit is a number
    of seconds, or a duration: fewer epochs, members and rows are used as needed. It takes precedence over the
    configuration's. For trackers see the page "Track trainings with TensorBoard and MLflow".

    Raises:
        ConfigError, DataError: the training cannot start.
        DivergedError: the loss is not finite; the best epoch before that is saved.
        UsageError: there is no such tracker, or its package is not installed.
    """
    return _last(train_events_with(config, options))


@operation(ResumeOptions)
def resume(run: str | Path, options: ResumeOptions) -> Finished:
    """Resume a training that was stopped or killed, or train a finished one longer; see `resume_events`."""
    return _last(resume_events_with(run, options))


def _last(events: Generator[Event, None, None]) -> Finished:
    for event in events:
        if isinstance(event, Finished):
            return event
    raise AssertionError("a training ends with Finished or an error")


def _train(config: Config | str | Path, options: TrainOptions, launch: Launch) -> Generator[Event, None, None]:
    if not isinstance(config, Config):
        loaded = load(config, options.assignments, os.environ)
        if loaded.tune is not None:
            hint = f"For the search: nncli tune {shlex.quote(str(config))}"
            launch = launch.with_findings([note(FindingCode.SEARCH, "the section tune is ignored", hint=hint)])
        config = loaded.config
    elif options.assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    path = Path(options.output or config.output or "runs/model")
    check_run_name(path)
    limit = limit_of(config.time_limit if options.time_limit is None else options.time_limit)
    config = config.model_copy(update={"time_limit": None})
    if limit is not None and config.teacher is not None:
        message = "a time limit chooses rows and members, and those of a teacher are given"
        raise UsageError(message, hint="Set fewer epochs: --set epochs=15")
    if not config.is_ensemble:
        _refuse_scheduler(options)
    with table_copies(config, existing_parent(path)):
        if limit is not None:
            from nncli.fitting.ensemble.limited import train_within

            yield from train_within(limit, config, path, launch)
        elif config.is_ensemble:
            from nncli.fitting.ensemble.train import train_ensemble

            yield from train_ensemble(config, path, launch)
        else:
            yield from train_network(config, path, launch.command, launch.stop, findings=launch.findings)


def resume_events_with(
    path: str | Path, options: ResumeOptions, command: Sequence[str] = ()
) -> Generator[Event, None, None]:
    """Resume from the latest checkpoint of a run; the result has the same bits as an uninterrupted training.

    Raises:
        ConfigError: an assignment would change the epochs already trained; only `epochs` (which may grow),
            `checkpoint`, `memory_limit` and `workers` may change.
        DataError: a table has changed since the training started.
        RunError: the run is damaged, another training is writing it, or its backend is not installed.
        UsageError: there is no such tracker, or its package is not installed.
    """
    trackers = parse_trackers(options.track)
    yield from _tracked(_resume(path, options, command), trackers)


resume_events = operation(ResumeOptions)(resume_events_with)


def _resume(path: str | Path, options: ResumeOptions, command: Sequence[str]) -> Generator[Event, None, None]:
    check_is_run(Path(path), ", not a run", f"To resume: {resume_command(Path(path))}")
    run = Run.open(Path(path))
    manifest = run.load_manifest()
    check_not_selected(run.path, manifest.selection, "trained further")
    findings = []
    if manifest.status == "done" and not any(text.lstrip().startswith("epochs") for text in options.assignments):
        hint = f"To train longer: nncli train --resume {shlex.quote(str(path))} --set epochs=N"
        findings.append(note(FindingCode.ALREADY_FINISHED, "this training had finished; it is scored again", hint=hint))
    decision = read_decision(run)
    if decision is not None:
        command_words = ["nncli", "threshold", str(path), *threshold_options(decision), "--save"]
        message = "the saved decision is removed: it was chosen for the probabilities before"
        hint = f"Choose it again after the training: {shlex.join(command_words)}"
        findings.append(warning(FindingCode.DECISION_REMOVED, message, hint=hint))
    if manifest.members == 1:
        _refuse_scheduler(options)
    with table_copies(read_config(run.path), existing_parent(run.path)):
        if manifest.members > 1:
            from nncli.fitting.ensemble.train import resume_ensemble

            yield from resume_ensemble(run, options.assignments, options.launch(command, findings))
        else:
            yield from resume_network(run, options.assignments, command, options.stop, findings=findings)


def _tracked(events: Generator[Event, None, None], trackers: Sequence[TrackerChoice]) -> Generator[Event, None, None]:
    if trackers:
        from nncli.tracking.training_tracker import track_events

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


def _refuse_scheduler(options: ClusterOptions) -> None:
    if options.scheduler is not None:
        raise UsageError("--scheduler is for ensembles, and members is 1", hint="Set members: 8, say.")
