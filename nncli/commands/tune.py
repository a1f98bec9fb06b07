"""`nncli tune`: search for better hyperparameters; see nncli/tuning/record.py for the directory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config, TuneSection
from nncli.config.schema.training import seconds_of
from nncli.data.sources.open import open_reader
from nncli.data.store.scratch import Scratch, existing_parent
from nncli.errors import DataError, Location, UsageError, config_error
from nncli.findings import Finding
from nncli.pipeline.ensemble.cross_validation import with_row_checks
from nncli.pipeline.ensemble.member_config import as_subtask, check_table
from nncli.pipeline.ensemble.out_of_fold import EnsembleData
from nncli.pipeline.ensemble.train import CONTROL_FOLDER
from nncli.pipeline.parallel.control_dir import ControlDirectory
from nncli.pipeline.parallel.task_stream import TaskStream
from nncli.pipeline.parallel.untrained import removed_if_untrained
from nncli.pipeline.prepare.load import table_copies
from nncli.pipeline.timing.clock import TimeLimit
from nncli.runs.run import Run
from nncli.tuning.build_space import build_space
from nncli.tuning.events import SearchEvent
from nncli.tuning.objective import Objective
from nncli.tuning.record import config_text, create_directory, new_record, open_directory
from nncli.tuning.sampler import Sampler
from nncli.tuning.search import Search, SearchSettings
from nncli.tuning.space import SearchSpace
from nncli.tuning.trial_training import SearchData
from nncli.tuning.trials import TRIALS
from nncli.utils.atomic_files import write_text

TuneEvent: TypeAlias = SearchEvent

Workers: TypeAlias = int | Literal["auto"]


def tune_events(
    loaded: LoadedConfig,
    *,
    output: str | Path | None = None,
    workers: Workers | None = None,
    scheduler: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    findings: Sequence[Finding] = (),
) -> Generator[TuneEvent, None, None]:
    """Search the space of the section `tune` of a configuration, event by event.

    Raises:
        UsageError, ConfigError, DataError: the search cannot start.
    """
    section = loaded.tune or TuneSection()
    wanted = Path(output or f"{loaded.config.output or 'runs/model'}-tune")
    parent = existing_parent(wanted)
    with table_copies(loaded.config, parent), Scratch() as scratch:
        prepared = _prepare(loaded, section, scratch, findings)
        record = new_record(prepared.loaded.config, section, prepared.data.sha256)
        path = create_directory(wanted, prepared.loaded.config, section, record)
        with Run(path).locked() as run, removed_if_untrained(path, f"{TRIALS}/*/*", parent):
            yield from _search(prepared, section, run, workers, scheduler, stop)


def resume_tune_events(
    path: str | Path,
    *,
    trials: int | None = None,
    time: str | float | None = None,
    workers: Workers | None = None,
    scheduler: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[TuneEvent, None, None]:
    """Resume a search that was stopped or killed, or go on with more trials; the results are the same.

    Raises:
        RunError: the directory holds no search, it was changed, or another process is writing it.
        DataError: the table has changed.
    """
    path = Path(path)
    loaded, record = open_directory(path)
    section = loaded.tune or TuneSection()
    with Run(path).locked() as run, table_copies(loaded.config, existing_parent(path)), Scratch() as scratch:
        prepared = _prepare(loaded, section, scratch, ())
        if prepared.data.sha256 != record.data_sha256:
            raise DataError(
                "the table has changed since the search began",
                location=Location(source=loaded.config.data.path),
                hint="Restore it, or begin a new search.",
            )
        changed = section.model_copy(update={"trials": trials or section.trials, "time": time or section.time})
        if changed != section:
            text = config_text(loaded.config, changed, "The configuration of a search by nncli tune.")
            write_text(path / "config.yaml", text)
        yield from _search(prepared, changed, run, workers, scheduler, stop)


@dataclass(frozen=True)
class _Prepared:
    """A search that can start: its configuration, its space and its table."""

    loaded: LoadedConfig
    space: SearchSpace
    data: SearchData
    sampler: Sampler


def _prepare(loaded: LoadedConfig, section: TuneSection, scratch: Scratch, findings: Sequence[Finding]) -> _Prepared:
    """Check the search space and read the table, before anything is written.

    Raises:
        UsageError, ConfigError, DataError: the search cannot start.
    """
    absolute = as_subtask(loaded.config).model_copy(update={"threads": loaded.config.threads})
    loaded = replace(loaded, config=absolute)
    space = build_space(loaded, section)
    config = loaded.config.model_copy(update={"members": 1, "bagging": "auto", "time_limit": None})
    _check(config, section)
    data = with_row_checks(EnsembleData.of(config, scratch), findings)
    objective = Objective.of(section.metric, config, data.target, data.loss)
    sha256 = open_reader(config.data.source).checksum().sha256
    assert sha256 is not None, "a pipe is refused before"
    search = SearchData(data, 1 if section.folds == "holdout" else section.folds, objective, sha256)
    _ = search.fold_rows  # raises an error before any training
    sampler = Sampler(space, section.sampler, config.seed, section.lag, space.base_values())
    return _Prepared(loaded, space, search, sampler)


def _check(config: Config, section: TuneSection) -> None:
    """Check what the folds of a search exclude.

    Raises:
        UsageError, ConfigError: the configuration does not fit.
    """
    check_table(config)
    if config.data.leave_out is not None:
        raise UsageError("data.leave_out is what the search sets itself", hint="Remove the key.")
    if config.teacher is not None:
        message = "the teacher was trained on rows of every fold, so that the scores would be too good"
        raise config_error("teacher", message, "Search with the configuration of the teacher, or remove the key.")
    if section.folds == "holdout" and config.validation == 0.0:
        raise config_error("validation", "trials are scored on validation rows, and there are none", "Set tune.folds.")


def _search(
    prepared: _Prepared,
    section: TuneSection,
    run: Run,
    workers: Workers | None,
    scheduler: str | None,
    stop: Callable[[], bool],
) -> Generator[TuneEvent, None, None]:
    data, space = prepared.data, prepared.space
    limit = None if section.time is None else TimeLimit(seconds_of(section.time))
    settings = SearchSettings(section.trials, section.lag, section.prune, limit)
    search = Search(run.path.absolute(), space, settings, data, prepared.sampler)
    control = ControlDirectory(run.path.absolute() / CONTROL_FOLDER)
    tasks = section.lag * (1 if section.prune else data.folds)
    requested = workers or prepared.loaded.config.workers
    with TaskStream(tasks, control, requested, scheduler, run.watched(stop)) as stream:
        yield from search.run(stream, data.data.findings)
