"""`nncli train`: train into a run directory, yielding typed events."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from nncli.api.options import ClusterOptions, TrainOptions, begun
from nncli.api.training_input import TrainingInput, copied_table, resolve_input
from nncli.base.errors import Advice, ResumeRun, RunCommand, SetKey, UsageError, UseOption
from nncli.base.findings import FindingCode, note, warning
from nncli.base.option import operation
from nncli.base.scratch import existing_parent
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import Event, Finished
from nncli.fitting.train.single import resume_network, train_network
from nncli.fitting.training_call import TrainingCall
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import check_is_run, resuming
from nncli.run_directory.listing import is_run
from nncli.run_directory.manifest import check_not_selected
from nncli.run_directory.run import Run


def train_events_with(
    config: Config | str | Path | None = None, *, options: TrainOptions, command: Sequence[str] = ()
) -> Generator[Event, None, None]:
    """As `train`, event by event: `Started`, an `EpochReport` for every epoch, `Health` for some of them,
    `Finished`. A `HealthWarning` says what is clearly wrong.

    With members: `MembersStarted`, `MembersProgress` a few times a second, `Finished`. After the failure of a
    tracker there is a `TrackingStopped`.
    """
    options.check_input(config)
    tracked = _trackers(options.track)
    if config is None:
        yield from _made_private(tracked(_resume(Path(options.resume or ""), options, command)), options)
        return
    with copied_table(config, options, options.output):
        given = resolve_input(config, options)
        call = options.training_call(command, given.findings)
        yield from _made_private(tracked(_train(given, options, call)), options)


train_events = operation(TrainOptions)(train_events_with)


@operation(TrainOptions)
def train(config: Config | str | Path | None = None, *, options: TrainOptions) -> Finished:
    """Train from a configuration or a table, or resume a run, and return the final event.

    `config` is a `Config`, a path, or `-` for the standard input; or a table, with `target`. `set` is for a
    path only. They take precedence over environment variables such as NNCLI_EPOCHS=10, which are read for a path only
    too. The workers of a Dask scheduler and this process need the table and the run directory under the same paths. A
    time limit is a number of seconds, or a duration: fewer epochs, members and rows are used as needed. It takes
    precedence over the configuration's. For trackers see the page "Track trainings with TensorBoard and MLflow".

    With `resume` instead of `config`, a training that was stopped or killed goes on from its latest checkpoint, to the
    same bits as without the interruption; a finished one is trained longer. `set` may change only `epochs` (which may
    grow), `checkpoint`, `memory_limit` and `workers`.

    Raises:
        ConfigError, DataError: the training cannot start; an assignment would change the epochs already trained, or a
            table has changed since.
        RunError: the run to resume is damaged, another training is writing it, or its backend is not installed.
        DivergedError: the loss is not finite; the best epoch before that is saved.
        UsageError: there is no such tracker, or its package is not installed.
    """
    for event in train_events_with(config, options=options):
        if isinstance(event, Finished):
            return event
    raise AssertionError("a training ends with Finished or an error")


def _train(given: TrainingInput, options: TrainOptions, call: TrainingCall) -> Generator[Event, None, None]:
    loaded = given.load()
    if isinstance(loaded, LoadedConfig):
        if loaded.tune is not None:
            hint = f"For the search: nncli tune {shlex.quote(str(given.config))}"
            call = call.with_findings([note(FindingCode.SEARCH, "the section tune is ignored", hint=hint)])
        config = loaded.config
    else:
        config = loaded
    path = options.new_directory(config.output or "runs/model")
    limit = begun(config.time_limit if options.time_limit is None else options.time_limit)
    config = config.model_copy(update={"time_limit": None, "private": config.private or options.private})
    if limit is not None and config.teacher is not None:
        message = "a time limit chooses rows and networks, and those of a teacher are given"
        raise UsageError(message, hint=Advice("Use fewer epochs: ", SetKey("epochs", "15")))
    if not config.is_ensemble:
        _refuse_scheduler(options)
    with table_copies(config, existing_parent(path)):
        if limit is not None:
            from nncli.fitting.ensemble.train import train_within

            yield from train_within(limit, config, path, call)
        elif config.is_ensemble:
            from nncli.fitting.ensemble.train import train_ensemble

            yield from train_ensemble(config, path, call)
        else:
            yield from train_network(
                config, path, call.command, call.stop, findings=call.findings, replaces=call.replaces
            )


def _resume(path: Path, options: TrainOptions, command: Sequence[str]) -> Generator[Event, None, None]:
    from nncli.analysis.evaluation.threshold_options import threshold_options
    from nncli.run_directory.saved_decision import read_decision

    check_is_run(path, ", not a run", Advice("To resume: ", resuming(path)))
    run = Run.open(path)
    manifest = run.load_manifest()
    manifest.check_not_private(run.path, "its training table")
    check_not_selected(run.path, manifest.selection, "trained further")
    manifest.check_learns_alone(path, "it is not trained further by itself")
    findings = []
    if manifest.status == "done" and not any(text.lstrip().startswith("epochs") for text in options.set):
        hint = Advice("To train longer: ", ResumeRun(path, (SetKey("epochs", "N"),)))
        findings.append(note(FindingCode.ALREADY_FINISHED, "this training had finished; it is scored again", hint=hint))
    complete = [of_target for of_target in run.targets.values() if is_run(of_target.path)]
    for decided in (run, *complete):
        decision = read_decision(decided)
        if decision is None:
            continue
        choice = (*threshold_options(decision), UseOption("save", "save", True))
        message = "the saved decision is removed: it was chosen for the probabilities before"
        hint = Advice("Choose it again after the training: ", RunCommand("threshold", (str(decided.path),), choice))
        findings.append(warning(FindingCode.DECISION_REMOVED, message, hint=hint))
    if manifest.members == 1:
        _refuse_scheduler(options)
    with table_copies(read_config(run.path), existing_parent(run.path)):
        if manifest.members > 1:
            from nncli.fitting.ensemble.train import resume_ensemble

            yield from resume_ensemble(run, options.set, options.training_call(command, findings))
        else:
            yield from resume_network(run, options.set, command, options.stop, findings=findings)


def _made_private(events: Events, options: TrainOptions) -> Events:
    """The events of a training whose run is made private once the training is done, by the option or the key."""
    for event in events:
        if not (isinstance(event, Finished) and (options.private or read_config(event.run).private)):
            yield event
            continue
        deque(events, maxlen=0)  # until the run is not locked any more
        if event.status == "done":
            from nncli.api.share import make_private, rare_notes

            texts = rare_notes(make_private(event.run))
        else:
            texts = ("the run keeps rows and paths until it is resumed and finished",)
        notes = [note(FindingCode.PRIVATE, text) for text in texts]
        yield replace(event, findings=(*event.findings, *notes))


Events: TypeAlias = Generator[Event, None, None]


def _trackers(words: Sequence[str]) -> Callable[[Events], Events]:
    """What passes the events of a training on, and gives them to the trackers."""
    if not words:
        return lambda events: events
    from nncli.tracking.tracker import parse_trackers
    from nncli.tracking.training_tracker import track_events

    choices = parse_trackers(words)
    return lambda events: track_events(events, choices)


def _refuse_scheduler(options: ClusterOptions) -> None:
    if options.scheduler is not None:
        message = Advice(ClusterOptions.use("scheduler"), " is for ensembles, and members is 1")
        raise UsageError(message, hint=Advice("Use ", SetKey("members", "8"), ", say."))
