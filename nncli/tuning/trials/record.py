"""The directory of a search: its configuration, and the record of what may not change while it goes on.

config.yaml     the configuration with the section `tune`, every path absolute
tune.json       versions, digests of configuration and table
trials/0000     the run or cross-validation of each trial; 0000.json its values and result
trials.csv      a row for each finished trial
best.yaml       the configuration of the best trial
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from nncli.base.atomic_files import batched_fsync, relabel_errors, sync_folder, temporary_folder, write_text
from nncli.base.errors import ConfigError, Location, NncliError, RunError
from nncli.base.spec import Spec, non_defaults
from nncli.config.loading import LoadedConfig, load
from nncli.config.schema import Config, TuneSection
from nncli.config.yaml.writer import dump
from nncli.runs.filenames import CONFIG, SEARCH
from nncli.runs.loader import LARGEST_TEXT, read_file
from nncli.runs.run import check_run_name

RECORD = SEARCH
BEST = "best.yaml"
RESUMABLE_SETTINGS = ("trials", "time")
"""Settings that may change when a search is resumed."""


class SearchRecord(Spec):
    """Versions, and digests of what the results of trials depend on."""

    format: Literal[1] = 1
    nncli: str
    optuna: str
    fingerprint: str
    data_sha256: str


def search_fingerprint(config: Config, section: TuneSection) -> str:
    """A digest of the configuration and of the settings that may not change."""
    settings = {key: value for key, value in non_defaults(section).items() if key not in RESUMABLE_SETTINGS}
    described = {**non_defaults(config), "output": None, "workers": None, "tune": settings}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def new_record(config: Config, section: TuneSection, data_sha256: str) -> SearchRecord:
    """The record of a search that begins."""
    from nncli.version import __version__

    return SearchRecord(
        nncli=__version__,
        optuna=version("optuna"),
        fingerprint=search_fingerprint(config, section),
        data_sha256=data_sha256,
    )


def config_text(config: Config, section: TuneSection | None, comment: str) -> str:
    """A configuration as YAML that is complete without a preset, with `section` if there is one."""
    document = {"preset": "textbook", **non_defaults(config.model_copy(update={"output": None}))}
    if section is not None:
        document["tune"] = non_defaults(section)
    return f"# {comment}\n# The preset textbook adds nothing to these keys.\n{dump(document)}"


def create_directory(requested: Path, config: Config, section: TuneSection, record: SearchRecord) -> Path:
    """Create the directory, `requested` or the first of `requested-2` … that is free, with its two files or not at all.

    Raises:
        UsageError: `requested` cannot be the name of a new folder.
        NncliError: it cannot be created.
    """
    check_run_name(requested)
    try:
        requested.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(requested) as temporary:
            with batched_fsync(), relabel_errors(temporary, requested):
                text = config_text(config, section, "The configuration of a search by nncli tune.")
                write_text(temporary / CONFIG, text)
                write_text(temporary / RECORD, record.model_dump_json(indent=1) + "\n")
            path, n = requested, 1
            while True:
                if not os.path.lexists(path):
                    with suppress(FileExistsError):  # another process was faster
                        temporary.rename(path)
                        sync_folder(path.parent)
                        return path
                n += 1
                path = requested.with_name(f"{requested.name}-{n}")
    except OSError as error:
        raise NncliError(
            f"cannot make the directory: {error.strerror or error}",
            location=Location(source=str(requested)),
            hint="Name another place with -o.",
        ) from error


def open_directory(path: Path) -> tuple[LoadedConfig, SearchRecord]:
    """The configuration and the record of a search that was started.

    Raises:
        RunError: there is none, or it was changed.
    """
    if not os.path.lexists(path / RECORD):
        raise RunError(
            f"there is no search to resume: no {RECORD}",
            location=Location(source=str(path)),
            hint="`nncli tune CONFIG` begins one and says where.",
        )
    try:
        record = SearchRecord.model_validate_json(read_file(path, RECORD, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli", location=Location(source=str(path / RECORD))
        ) from error
    try:
        loaded = load(path / CONFIG)
    except ConfigError as error:
        raise RunError(
            f"the configuration of the search is damaged: {error.issues[0].message}",
            location=Location(source=str(path / CONFIG)),
        ) from error
    if search_fingerprint(loaded.config, loaded.tune or TuneSection()) != record.fingerprint:
        raise RunError(
            "the configuration has been changed since the search began; only trials and time may change",
            location=Location(source=str(path / CONFIG)),
            hint="Undo the change, or begin a new search.",
        )
    return loaded, record
