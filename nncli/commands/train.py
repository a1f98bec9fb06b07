"""`nncli train`: a configuration in, a run directory out. What happens on the way comes as typed events."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from nncli.commands.preparing.execution import Execution, choose_execution
from nncli.commands.preparing.prepare import prepare
from nncli.commands.sessions.session import Event, Finished, session
from nncli.config.loading import load_config
from nncli.config.schema import Config, ValidationFile
from nncli.data.scratch import Scratch, folder_beside
from nncli.data.sources import is_stream
from nncli.data.tables import digest
from nncli.errors import ConfigError, DataError, Mistake, Place, RunError, UsageError
from nncli.runs.checkpoints import load_checkpoint
from nncli.runs.directory import Run
from nncli.runs.manifest import CONFIG, MODEL, DataRecord, Machine, Manifest
from nncli.runs.reading import read_spec
from nncli.specification import chosen
from nncli.training.state import State
from nncli.version import __version__

MAY_CHANGE = frozenset({"epochs", "checkpoint", "memory_limit", "output", "workers"})
"""Keys that a resumed training may set anew: they do not touch what has been."""


def train(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> Finished:
    """Train from a configuration, or the path of one, and return what came of it.

    Args:
        config: a `Config`, a path, or `-` for the standard input.
        output: the run directory; default: the configuration's.
        assignments: overrides such as `epochs=10` or `optimizer.type=adam`, for a path only; above the environment's,
            such as NNCLI_EPOCHS=10, which is asked for a path only too.
        stop: asked after every batch, or, where loops are compiled, some twenty times a second; once it answers True
            the training ends and is saved.
        scheduler: the address of a Dask scheduler, to whose workers the members are handed; they and this process
            need the table and the run directory under the same paths.

    Raises:
        ConfigError, DataError: nothing was started.
        DivergedError: the loss became infinite or no number; the best epoch before that is saved.
    """
    return _last(train_events(config, output=output, assignments=assignments, stop=stop, scheduler=scheduler))


def resume(
    run: str | Path,
    *,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> Finished:
    """Go on with a training that was stopped or killed, or train a finished one longer; see `resume_events`."""
    return _last(resume_events(run, assignments=assignments, stop=stop, scheduler=scheduler))


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
) -> Generator[Event, None, None]:
    """As `train`, event by event: `Started`, an `EpochReport` for every epoch, `Finished`.

    With members: `MembersStarted`, `MembersProgress` a few times a second, `Finished`.
    """
    if not isinstance(config, Config):
        config = load_config(config, assignments, os.environ)
    elif assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    began = datetime.now(UTC)
    wanted = Path(output or config.output or "runs/model")
    if config.members > 1:
        from nncli.commands.together.ensemble import train_ensemble

        yield from train_ensemble(config, wanted, command, stop, scheduler)
        return
    _refuse_scheduler(scheduler)
    with Scratch(folder_beside(wanted)) as scratch:
        prepared = prepare(config, scratch)
        notes: list[str] = []
        execution = choose_execution(prepared, notes)
        with execution.hold(prepared, notes) as prepared:
            state = State.fresh(
                prepared.spec.network,
                config.optimizer,
                prepared.streams,
                execution.parts,
                prepared.training.examples,
            )
            manifest = first_manifest(
                prepared.config,
                began,
                command,
                execution,
                table_rows=prepared.table_rows,
                training_rows=len(prepared.training),
                validation_rows=0 if prepared.validation is None else len(prepared.validation),
                features=len(prepared.spec.encoder.columns),
                parameters=prepared.spec.network.layout.size,
            )
            with Run.create(wanted, prepared.config, prepared.spec, manifest) as run:
                yield from session(prepared, run, state, [], manifest, stop)


def resume_events(
    path: str | Path,
    *,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> Generator[Event, None, None]:
    """Go on from the latest checkpoint of a run, to the same bits as if it had never ended.

    Raises:
        ConfigError: an assignment would change the past; only `epochs` (which may grow), `checkpoint`,
            `memory_limit` and `workers` may change.
        DataError: a table is not the one that the run began with.
        RunError: the run is damaged, another training is writing it, or what computed it is not there any more.
    """
    run = Run.open(Path(path))
    if run.load_manifest().members > 1:
        from nncli.commands.together.ensemble import resume_ensemble

        yield from resume_ensemble(run, assignments, command, stop, scheduler)
        return
    _refuse_scheduler(scheduler)
    with run.locked(), Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = unchanged(run, manifest, assignments)
        execution = _execution(manifest)
        execution.require(str(run.path))
        same_tables(config, manifest)
        prepared = prepare(config, scratch)
        written = read_spec(run.path, manifest).model_copy(update={"temperature": 1.0})  # fitted anew in the end
        if prepared.spec.in_format(written.format) != written:
            raise RunError(
                f"{MODEL} is not what this configuration and table lead to",
                place=Place(source=str(run.path)),
                hint="Train again from its config.yaml.",
            )
        with execution.hold(prepared) as prepared:
            state = State.fresh(prepared.spec.network, config.optimizer, prepared.streams, execution.parts)
            reports = load_checkpoint(run.path, state, owner=manifest.owner)
            _refuse_fewer(prepared.config, state.epoch)
            going_on = {"status": "running", "command": in_words(command) or manifest.command}
            manifest = manifest.model_copy(update=going_on)
            run.save_manifest(manifest)
            if config.calibration != "none":  # what was fitted to the weights so far is not of those to come
                run.save_spec(written)
            run.save_config(config)
            yield from session(prepared, run, state, reports, manifest, stop)


def unchanged(run: Run, manifest: Manifest, assignments: Sequence[str]) -> Config:
    """The run's configuration with the assignments, once it is sure that they leave the past alone."""
    before = load_config(run.path / CONFIG)
    if past_of(before, _execution(manifest)) != manifest.past:
        raise RunError(
            "the configuration has been changed since the training began",
            place=Place(source=str(run.path / CONFIG)),
            hint="Undo the change, or train a new run from it.",
        )
    after = load_config(run.path / CONFIG, assignments)
    changed = [key for key in Config.model_fields if getattr(before, key) != getattr(after, key)]
    mistakes = [
        Mistake("this would change what has been trained already", Place(key=key), "Train a new run instead.")
        for key in changed
        if key not in MAY_CHANGE
    ]
    if mistakes:
        raise ConfigError(*mistakes)
    _refuse_fewer(after, manifest.epochs)
    return after.model_copy(update={"output": str(run.path)})


def _refuse_fewer(config: Config, trained: int) -> None:
    if config.epochs != "auto" and config.epochs < trained:
        message = f"{trained} epochs have been trained already; epochs may only grow"
        raise ConfigError(Mistake(message, Place(key="epochs"), "Set a larger number."))


def _execution(manifest: Manifest) -> Execution:
    return Execution(manifest.backend, manifest.parts, manifest.threads)


def past_of(config: Config, execution: Execution) -> str:
    """A digest of all that shapes the training: the keys, and how it is computed.

    A key at its default is as good as absent, so that one that is new to nncli leaves older runs alone.
    """
    kept = json.dumps({key: value for key, value in chosen(config).items() if key not in MAY_CHANGE}, sort_keys=True)
    return hashlib.sha256(f"{kept} {execution}".encode()).hexdigest()


def _refuse_scheduler(scheduler: str | None) -> None:
    if scheduler is not None:
        raise UsageError("--scheduler hands out members, and there is one network only", hint="Set members: 8, say.")


def same_tables(config: Config, manifest: Manifest) -> None:
    """Raise a DataError when a table is not the one that the run began with."""
    _same_table(manifest.data, config.data.path)
    if manifest.validation_data is not None and isinstance(config.validation, ValidationFile):
        _same_table(manifest.validation_data, config.validation.path)


def _same_table(record: DataRecord, path: str) -> None:
    if record.sha256 is None:
        raise DataError(
            "the table came from a pipe, which cannot be read again",
            place=Place(source=path),
            hint="Train from a file, and the training can be resumed.",
        )
    if digest(Path(path)) != record.sha256:
        raise DataError(
            "the table has changed since the training began",
            place=Place(source=path),
            hint="Restore it, or train a new run.",
        )


def _digest(path: str) -> str | None:
    return None if is_stream(Path(path)) else digest(Path(path))


def _machine() -> Machine:
    # Not platform.platform(), which starts a process to ask for the processor and reads the interpreter for its libc.
    system = f"{platform.system()}-{platform.release()}"
    return Machine(system=system, processor=platform.machine(), cores=os.cpu_count() or 1)


def in_words(command: Sequence[str]) -> tuple[str, ...]:
    """The command line as a manifest holds it."""
    return tuple(os.fsencode(word).decode("utf-8", "backslashreplace") for word in command)


def first_manifest(
    config: Config,
    began: datetime,
    command: Sequence[str],
    execution: Execution,
    *,
    table_rows: int,
    training_rows: int,
    validation_rows: int,
    features: int,
    parameters: int,
) -> Manifest:
    """The manifest of a run that begins."""
    other = None
    if isinstance(config.validation, ValidationFile):
        path = config.validation.path
        other = DataRecord(path=path, sha256=_digest(path), rows=validation_rows)
    return Manifest(
        status="running",
        nncli=__version__,
        command=in_words(command),
        started=began.isoformat(timespec="seconds"),
        finished=None,
        seconds=None,
        seed=config.seed,
        data=DataRecord(path=config.data.path, sha256=_digest(config.data.path), rows=table_rows),
        validation_data=other,
        training_rows=training_rows,
        validation_rows=validation_rows,
        features=features,
        parameters=parameters,
        members=config.members,
        epochs=0,
        best_epoch=0,
        past=past_of(config, execution),
        backend=execution.backend,
        parts=execution.parts,
        threads=execution.threads,
        versions={"python": platform.python_version(), "numpy": np.__version__, "polars": pl.__version__},
        machine=_machine(),
        files={},
    )
