"""Training a run again, in a temporary folder, with what the run records."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from nncli.analysis.reproduction.checks import Check, check_run, moved_tables
from nncli.analysis.reproduction.comparison import compare_histories, compare_runs
from nncli.analysis.reproduction.run_record import RunRecord
from nncli.analysis.reproduction.verdict import Reproduction, joined
from nncli.base.atomic_files import relabel_errors
from nncli.base.errors import ConfigError, DataError, Location, NncliError
from nncli.config.schema import Config
from nncli.data.sources.table_source import TableLocation
from nncli.fitting.ensemble.train import CONTROL_FOLDER, resume_ensemble, train_ensemble
from nncli.fitting.launch import Launch
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.executor import Workers
from nncli.fitting.parallel.trainings import TrainingStream, TrainingTask, until_epoch
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import Event, Finished, MembersProgress, MembersStarted, Started
from nncli.fitting.train.provenance import recorded_execution
from nncli.fitting.train.single import resume_network, train_network
from nncli.nn.training.epoch import DivergedError
from nncli.runs.run import Run

PREFIX = "nncli-reproduce-"
"""The beginning of the name of the temporary folder."""


def reproduce_run(
    recorded: RunRecord,
    *,
    data: TableLocation | None = None,
    validation: TableLocation | None = None,
    quick: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event | Reproduction, None, None]:
    """Check what a run depends on, train it again, and yield the events and then the result; none if it was stopped.

    The tables are at `data` and `validation` now, or where they were. With `quick` only so many epochs are trained.

    Raises:
        RunError: the run is not finished, or its backend is missing.
        UsageError: the run has fewer epochs, or no validation file.
        DataError: a table cannot be read.
    """
    if quick is None:
        recorded.check_finished()
    else:
        recorded.check_epochs(quick)
    config = recorded.config(data, validation)
    for network in recorded.networks:
        recorded_execution(network.manifest).check_available(str(recorded.path))
    with _temporary_folder() as folder, _copies(config, folder), relabel_errors(folder / "run", recorded.path):
        checks, clock = check_run(recorded, config), time.perf_counter()
        again = folder / "run"
        if quick is None:
            events = _train(recorded, config, again, stop)
        else:
            events = _train_first_epochs(recorded, config, again, quick, stop, data, validation)
        divergence = None
        try:
            with closing(events), _explained(checks):
                for event in events:
                    if isinstance(event, Finished) and event.status != "done":
                        return
                    if not isinstance(event, Finished):
                        yield event
        except DivergedError as error:
            divergence = error.message
        if stop():
            return
        compared = compare_runs(recorded, again) if quick is None else compare_histories(recorded, again, quick)
        yield Reproduction(recorded.path, checks, tuple(compared), time.perf_counter() - clock, quick, divergence)


@contextmanager
def _explained(checks: Sequence[Check]) -> Iterator[None]:
    """Add to the hints of errors within the block what is not as it was when the run was trained."""
    causes = [check.cause for check in checks if check.differs]
    more = f"The run was trained otherwise: {joined(causes)}." if causes else None
    try:
        yield
    except ConfigError as error:
        raise ConfigError(*(replace(one, hint=_both(one.hint, more)) for one in error.issues)) from error
    except DataError as error:
        error.hint = _both(error.hint, more)
        raise


def _both(hint: str | None, more: str | None) -> str | None:
    return " ".join(filter(None, [hint, more])) or None


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Yield a new folder, which is removed at the end, however the block ends."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise NncliError(
            f"cannot create a temporary folder: {error.strerror or error}",
            location=Location(source=tempfile.gettempdir()),
            hint="Set TMPDIR to a folder that can be written to.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _copies(config: Config, folder: Path) -> Iterator[None]:
    """Read tables that are far away or may change from copies in the folder within the block."""
    with ExitStack() as stack:
        with moved_tables("--data"):
            stack.enter_context(table_copies(config, folder))
        yield


def _train(recorded: RunRecord, config: Config, again: Path, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    """The whole training, with further epochs where the run was resumed for them."""
    first, *more = [*(one.epochs for one in recorded.manifest.lengthened), config.epochs]
    config = config.model_copy(update={"epochs": first})
    if recorded.is_ensemble:
        yield from train_ensemble(config, again, Launch(stop=stop), recorded=recorded.members(config))
    else:
        yield from train_network(config, again, stop=stop, execution=recorded_execution(recorded.manifest))
    for epochs in more:
        if recorded.is_ensemble:
            yield from resume_ensemble(Run(again), [f"epochs={epochs}"], Launch(stop=stop))
        else:
            yield from resume_network(Run(again), [f"epochs={epochs}"], stop=stop)


def _train_first_epochs(
    recorded: RunRecord,
    config: Config,
    again: Path,
    quick: int,
    stop: Callable[[], bool],
    data: TableLocation | None,
    validation: TableLocation | None,
) -> Generator[Event, None, None]:
    """The first epochs of each network, with the configuration that its manifest records."""
    if not recorded.is_ensemble:
        execution, config = recorded_execution(recorded.manifest), recorded.config_of_first_epochs(config, quick)
        events = train_network(config, again, stop=stop, with_checks=False, execution=execution)
        for event in until_epoch(events, quick):
            yield replace(event, epochs=min(quick, event.epochs)) if isinstance(event, Started) else event
        return
    tasks = [
        TrainingTask(
            i,
            recorded.config_of_first_epochs(recorded.config(data, validation, network.folder), quick),
            str(again / network.folder),
            recorded.keeps_snapshots(config),
            execution=recorded_execution(network.manifest),
            last_epoch=min(quick, network.manifest.epochs),
        )
        for i, network in enumerate(recorded.networks)
    ]
    control = ControlDirectory(again / CONTROL_FOLDER)
    with TrainingStream(len(tasks), control, Workers(config.workers), stop) as stream:
        yield MembersStarted(recorded.path, len(tasks), stream.workers, ())
        for progress in stream.run(tasks):
            yield MembersProgress(tuple(replace(one, epochs=min(quick, one.epochs)) for one in progress.members))
