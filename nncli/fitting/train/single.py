"""Training one network, from a configuration or from the latest checkpoint of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nncli.base.errors import Location, RunError
from nncli.base.findings import Finding
from nncli.base.scratch import Scratch, existing_parent
from nncli.base.threads import blas_kernel
from nncli.config.schema import Config
from nncli.fitting.prepare.execution import Execution, choose_execution
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.timing import TrainingPlan, estimate_of
from nncli.fitting.train.events import Event
from nncli.fitting.train.provenance import (
    check_config_unchanged,
    check_epochs_grow,
    check_tables_unchanged,
    command_line,
    lengthened,
    new_manifest,
    other_blas,
    recorded_execution,
)
from nncli.fitting.train.session import TrainingSession
from nncli.models.held_out_rows import HeldOutRows
from nncli.nn.training.state import TrainState
from nncli.run_directory.checkpoints import load_checkpoint
from nncli.run_directory.loader import read_spec
from nncli.run_directory.manifest import MANIFEST, MEMBERS, MODEL, SCORED
from nncli.run_directory.run import Run


def train_network(
    config: Config,
    path: Path,
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    *,
    findings: Sequence[Finding] = (),
    with_checks: bool = True,
    snapshots: bool = False,
    plan: TrainingPlan | None = None,
    execution: Execution | None = None,
    replaces: bool = False,
) -> Generator[Event, None, None]:
    """Train one network into a new run directory, yielding `Started`, an `EpochReport` per epoch, `Health` for
    some, and `Finished`.

    `findings` precede those of the training. `with_checks` adds the warnings about the rows; for a member of an
    ensemble the ensemble has them. With `snapshots` the weights after some epochs are kept, for a choice among them
    after the training. A `plan` has the loaded table, and what a time limit changed. The `execution` is chosen unless
    that of another run is given. A run that has the `path` is removed if the new one `replaces` it.

    Raises:
        RunError: the backend of the given execution is missing.
    """
    started, plan = datetime.now(UTC), plan or TrainingPlan(config)
    with Scratch(existing_parent(path)) as scratch:
        prepared = prepare(config, scratch, table=plan.table, with_checks=with_checks, snapshots=snapshots)
        of_execution = None
        if execution is None:
            execution, of_execution = choose_execution(prepared)
        else:
            execution.check_available(str(path))
        with execution.activate(prepared, [*findings, *([of_execution] if of_execution else [])]) as prepared:
            state = TrainState.create(
                prepared.spec.network,
                config.optimizer,
                prepared.streams,
                execution.n_shards,
                prepared.fitted,
                prepared.arguments.loss,
            )
            manifest = new_manifest(
                prepared.config,
                started,
                command,
                execution,
                table_rows=prepared.table_rows,
                training_rows=len(prepared.training),
                validation_rows=0 if prepared.validation is None else len(prepared.validation),
                features=len(prepared.spec.encoder.columns),
                parameters=prepared.spec.network.layout.size,
                time_limit=plan.decision,
            )
            if path.parent.name == MEMBERS:  # the ensemble has the runs of its targets
                manifest = manifest.model_copy(update={"targets": ()})
            seconds = None if snapshots or not with_checks else estimate_of(prepared)
            if seconds is not None and prepared.config.teacher is not None and prepared.config.teacher.refit:
                seconds *= 2.0
            with Run.create(path, prepared.config, prepared.spec, manifest, replaces=replaces) as run:
                run.save_training_rows(prepared.recorded_rows)
                scored = _scored_network(prepared, run, execution, (), stop)
                yield from TrainingSession(prepared, run, state, [], [], manifest, stop, seconds, scored).run()


def resume_network(
    run: Run,
    assignments: Sequence[str],
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    *,
    findings: Sequence[Finding] = (),
    with_checks: bool = True,
    snapshots: bool = False,
) -> Generator[Event, None, None]:
    """Resume the training of one network from its latest checkpoint; the result has the same bits.

    `findings` precede those of the training.
    """
    with run.locked() as run, Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = check_config_unchanged(run, manifest, assignments)
        execution = recorded_execution(manifest)
        execution.check_available(str(run.path))
        check_tables_unchanged(config, manifest)
        prepared = prepare(config, scratch, with_checks=with_checks, snapshots=snapshots)
        saved_spec = read_spec(run.path, manifest).model_copy(
            update={"temperature": 1.0, "decision": None}
        )  # the temperature is fitted again at the end, and a decision is for the probabilities of the old weights
        if prepared.spec != saved_spec:
            raise RunError(
                f"{MODEL} does not match this configuration and table",
                location=Location(source=str(run.path)),
                hint="Train again from its config.yaml.",
            )
        with execution.activate(prepared, [*findings, *other_blas(manifest)]) as prepared:
            state = TrainState.create(prepared.spec.network, config.optimizer, prepared.streams, execution.n_shards)
            reports, health = load_checkpoint(run.path, state, owner=manifest.checkpoint_owner)
            check_epochs_grow(prepared.config, state.epoch)
            machine = manifest.machine.model_copy(update={"blas": blas_kernel()})
            update = {
                "status": "running",
                "command": command_line(command) or manifest.command,
                "machine": machine,
                "lengthened": lengthened(run, manifest, config),
                "decided": None,
            }
            manifest = manifest.model_copy(update=update)
            run.save_manifest(manifest)
            run.save_spec(saved_spec)  # the old temperature and decision do not fit the weights to come
            run.save_config(config)
            run.save_training_rows(prepared.recorded_rows)
            scored = _scored_network(prepared, run, execution, assignments, stop)
            yield from TrainingSession(prepared, run, state, reports, health, manifest, stop, None, scored).run()


def _scored_network(
    prepared: PreparedTraining, run: Run, execution: Execution, assignments: Sequence[str], stop: Callable[[], bool]
) -> Callable[[], HeldOutRows | None] | None:
    """Of a refit, a function that trains the network which the validation rows are kept from; else None.

    The function trains it in a folder of the run, from where that was stopped, and returns the validation rows with its
    predictions; None if it was stopped.
    """
    teacher, path = prepared.config.teacher, run.path / SCORED
    if teacher is None or not teacher.refit:
        return None
    alone = prepared.config.model_copy(update={"teacher": teacher.model_copy(update={"refit": False})})

    def train() -> HeldOutRows | None:
        if not (path / MANIFEST).exists():
            events = train_network(alone, path, stop=stop, with_checks=False, execution=execution)
        else:
            events = resume_network(Run(path), assignments, stop=stop, with_checks=False)
        deque(events, maxlen=0)
        trained = Run(path)
        return trained.load_held_out() if trained.load_manifest().status == "done" else None

    return train
