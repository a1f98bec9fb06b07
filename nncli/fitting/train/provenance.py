"""The provenance of a run: creating its manifest, and checking configuration and tables against it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from nncli.base import plugins
from nncli.base.credentials import redacted
from nncli.base.errors import ConfigError, ConfigIssue, DataError, Location, RunError
from nncli.base.findings import Finding, FindingCode, warning
from nncli.base.spec import non_defaults
from nncli.base.text import join_quoted
from nncli.base.threads import blas_kernel
from nncli.config.renamed_keys import with_earlier_names
from nncli.config.schema import Config, ValidationFile
from nncli.data.sources.open import open_reader
from nncli.data.sources.table_source import TableSource
from nncli.fitting.prepare.execution import Execution
from nncli.nn.arrays import Backend
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import (
    CONFIG,
    DataFile,
    DataRecord,
    Lengthening,
    Machine,
    Manifest,
    PluginRecord,
    TeacherRecord,
)
from nncli.run_directory.run import Run
from nncli.version import __version__

CODE = ("base", "config", "data", "fitting", "models", "nn", "targets")
"""The folders of the package that a training depends on."""
CODE_DIGITS = 12
"""Digits of the digest of the code that a manifest records."""

RESUMABLE_KEYS = frozenset({"epochs", "checkpoint", "memory_limit", "output", "private", "workers"})
"""Keys that may change when a training is resumed, since they do not affect the epochs already trained."""


def check_config_unchanged(run: Run, manifest: Manifest, assignments: Sequence[str]) -> Config:
    """The run's configuration with the assignments; an error if they would change the epochs already trained."""
    trained_config = read_config(run.path)
    if not is_config_recorded(trained_config, manifest):
        raise RunError(
            "the configuration has been changed since the training began",
            location=Location(source=str(run.path / CONFIG)),
            hint="Undo the change, or train a new run from it.",
        )
    new_config = read_config(run.path, assignments) if assignments else trained_config
    changed = [key for key in Config.model_fields if getattr(trained_config, key) != getattr(new_config, key)]
    issues = [
        ConfigIssue("this would change what has been trained already", Location(key=key), "Train a new run instead.")
        for key in changed
        if key not in RESUMABLE_KEYS
    ]
    if issues:
        raise ConfigError(*issues)
    if manifest.selection is None:  # else other members may have more epochs
        check_epochs_grow(new_config, manifest.epochs)
    new_config = with_recorded_features(new_config, time_is_feature=manifest.time_is_feature)
    return new_config.model_copy(update={"output": str(run.path)})


def is_config_recorded(config: Config, manifest: Manifest) -> bool:
    """Whether the configuration of a run affects the training as that did with which the training began."""
    execution = recorded_execution(manifest)
    return any(manifest.fingerprint in fingerprints(spelling, execution) for spelling in _spellings(config, manifest))


def with_recorded_features(config: Config, *, time_is_feature: bool) -> Config:
    """The configuration of a run with the features that it was started with.

    To older versions the time column was no feature unless `features` listed it; such a column is dropped.
    """
    data = config.data
    if time_is_feature or data.time is None or data.features is not None or data.time in data.drop:
        return config
    return config.model_copy(update={"data": data.model_copy(update={"drop": (*data.drop, data.time)})})


def _spellings(config: Config, manifest: Manifest) -> list[Config]:
    """The configuration, and for a run of an older version also as it was before its time column was dropped."""
    data = config.data
    if manifest.time_is_feature or data.time is None or data.drop[-1:] != (data.time,):
        return [config]
    return [config, config.model_copy(update={"data": data.model_copy(update={"drop": data.drop[:-1]})})]


def check_epochs_grow(config: Config, trained: int) -> None:
    if config.epochs != "auto" and config.epochs < trained:
        message = f"{trained} epochs have been trained already; epochs may only grow"
        raise ConfigError(ConfigIssue(message, Location(key="epochs"), "Set a larger number."))


def lengthened(run: Run, manifest: Manifest, config: Config) -> tuple[Lengthening, ...]:
    """The changes of `epochs` of a run that is about to be resumed with a configuration."""
    before = read_config(run.path).epochs
    if before == config.epochs:
        return manifest.lengthened
    return (*manifest.lengthened, Lengthening(epochs=before, status=manifest.status))


def recorded_execution(manifest: Manifest) -> Execution:
    return Execution(manifest.backend, manifest.n_shards, manifest.blas_threads)


def fingerprint(config: Config, execution: Execution) -> str:
    """A digest of everything that affects the training: the configuration's keys and the execution.

    A key at its default is left out, so a key that is added later does not change the digest.
    """
    return fingerprints(config, execution)[0]


def fingerprints(config: Config, execution: Execution) -> tuple[str, str]:
    """The digest of a training, and the one that an older version computed, to which some keys had other names.

    `data.missing_values` has all words, also those of `default_missing_values`.
    """
    values = {key: value for key, value in non_defaults(config).items() if key not in RESUMABLE_KEYS}
    values["data"].pop("default_missing_values", None)
    texts = (json.dumps(described, sort_keys=True) for described in (values, with_earlier_names(values)))
    present, earlier = (hashlib.sha256(f"{text} {execution}".encode()).hexdigest() for text in texts)
    return present, earlier


def check_tables_unchanged(config: Config, manifest: Manifest) -> None:
    """Raise a DataError if a table has changed since the training started, a RunError if the run is private."""
    manifest.check_not_private(Path(config.output or ""), "its training table")
    _same_table(manifest.data, config.data)
    if manifest.validation_data is not None and isinstance(config.validation, ValidationFile):
        _same_table(manifest.validation_data, config.validation)


def _same_table(record: DataRecord, source: TableSource) -> None:
    if record.sha256 is None:
        raise DataError(
            "the table came from a pipe, which cannot be read again",
            location=Location(source=source.path),
            hint="Train from a file, and the training can be resumed.",
        )
    now = record_table(source, record.rows)
    if now.sha256 == record.sha256:
        return
    names = join_quoted(changed_files(record, now))
    raise DataError(
        f"the table has changed since the training began{f': {names}' if names else ''}",
        location=Location(source=source.path),
        hint="Restore it, or train a new run.",
    )


def changed_files(record: DataRecord, now: DataRecord) -> list[str]:
    """The files of a table that were changed, added or removed; none for a table in one file."""
    if not record.files:
        return []
    before = {file.path: file.sha256 for file in record.files}
    changed = [file.path for file in now.files if before.pop(file.path, None) != file.sha256]
    return [*changed, *before]


def record_table(source: TableSource, rows: int) -> DataRecord:
    """The record of a table with its present checksum.

    Raises:
        DataError: the table cannot be read.
    """
    checksum = open_reader(source.source).checksum()
    files = tuple(DataFile(path=file.name, sha256=file.sha256) for file in checksum.files)
    return DataRecord(**dict(source.source), sha256=checksum.sha256, rows=rows, files=files)


def present_versions(backend: Backend) -> dict[str, str]:
    """The versions of the code, of Python and of the packages on which the last bits of a training depend."""
    versions = {
        "nncli code": code_digest(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "polars": pl.__version__,
    }
    compiled = ("numba", "scipy") if backend == "numba" else ()
    return versions | {name: version(name) for name in compiled}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the code that a training runs: between releases the version stays the same, and the code does not.

    It is empty where the package is not installed as files.
    """
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for folder in CODE:
        for parent, folders, files in os.walk(root / folder):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    digest.update(Path(parent, name).read_bytes())
    return digest.hexdigest()[:CODE_DIGITS] if root.is_dir() else ""


def present_machine() -> Machine:
    """This machine."""
    # Not platform.platform(), which starts a process to ask for the processor and reads the interpreter for its libc.
    system = f"{platform.system()}-{platform.release()}"
    return Machine(system=system, processor=platform.machine(), cores=os.cpu_count() or 1, blas=blas_kernel())


def other_blas(manifest: Manifest) -> list[Finding]:
    """A warning if the training began with another BLAS: its bits will not be those of an uninterrupted one."""
    began, now = manifest.machine.blas, blas_kernel()
    if began in (None, now):
        return []
    message = f"the training began with the BLAS {began}, and this is {now}: the last bits of the weights will differ"
    return [warning(FindingCode.EXECUTION, message, hint="For the same bits, resume on a processor of the same kind.")]


def command_line(command: Sequence[str]) -> tuple[str, ...]:
    """The command line as text for the manifest, without the credentials of URLs."""
    return tuple(redacted(os.fsencode(word).decode("utf-8", "backslashreplace")) for word in command)


def _teacher_record(config: Config) -> TeacherRecord | None:
    """The record of the run that teaches the network, if one does."""
    teacher = config.teacher
    if teacher is None or teacher.sha256 is None:
        return None
    return TeacherRecord(path=teacher.path, sha256=teacher.sha256)


def used_plugins(config: Config) -> tuple[PluginRecord, ...]:
    """The records of the plugins that a configuration names."""
    losses = [] if config.loss is None else [config.loss, *config.loss.parts]
    named = [
        ("metrics", config.metric),
        *(("encoders", kind.value) for kind in config.data.columns.values()),
        *(("targets", loss.task) for loss in losses),
    ]
    of_names = [about for kind, name in named if (about := plugins.plugin(kind, name)) is not None]
    return tuple(map(PluginRecord.of, dict.fromkeys([*plugins.used_in(config), *of_names])))


def new_manifest(
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
    time_limit: str | None = None,
    has_common_validation: bool = False,
) -> Manifest:
    """Create the manifest of a new run."""
    validation_data = None
    if isinstance(config.validation, ValidationFile):
        validation_data = record_table(config.validation, validation_rows)
    return Manifest(
        status="running",
        nncli_version=__version__,
        command=command_line(command),
        started=began.isoformat(timespec="seconds"),
        finished=None,
        seconds=None,
        seed=config.seed,
        data=record_table(config.data, table_rows),
        validation_data=validation_data,
        training_rows=training_rows,
        validation_rows=validation_rows,
        features=features,
        parameters=parameters,
        members=config.n_members,
        epochs=0,
        best_epoch=0,
        fingerprint=fingerprint(config, execution),
        time_is_feature=True,
        backend=execution.backend,
        n_shards=execution.n_shards,
        blas_threads=execution.blas_threads,
        versions=present_versions(execution.backend),
        machine=present_machine(),
        time_limit=time_limit,
        has_common_validation=has_common_validation,
        teacher=_teacher_record(config),
        plugins=used_plugins(config),
        targets=config.data.target if config.loss is not None and config.loss.parts else (),
        files={},
    )
