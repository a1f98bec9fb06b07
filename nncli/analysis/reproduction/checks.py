"""What the bits of a training depend on, as a run records it and as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from nncli.analysis.reproduction.run_record import RunRecord
from nncli.base.errors import DataError
from nncli.base.text import join_quoted
from nncli.config.schema import Config, ValidationFile
from nncli.data.sources.table_source import TableSource
from nncli.fitting.train.provenance import (
    RESUMABLE_KEYS,
    changed_files,
    is_config_recorded,
    present_machine,
    present_versions,
    record_table,
)
from nncli.runs.config import read_config
from nncli.runs.manifest import CONFIG, DataRecord, Machine, Manifest
from nncli.version import __version__

CheckKind = Literal["table", "version", "machine", "configuration", "file"]


@dataclass(frozen=True)
class Check:
    """Something on which a training depends: what the run records, and what it is now.

    `recorded` is None if the run does not record it, `now` if it is gone. `detail` says more about a difference.
    """

    kind: CheckKind
    name: str
    recorded: str | None
    now: str | None
    detail: str = ""

    @property
    def differs(self) -> bool:
        """Whether it is not as it was."""
        return self.recorded is not None and self.recorded != self.now

    @property
    def cause(self) -> str:
        """The difference in words."""
        match self.kind:
            case "file":
                return f"{self.name} {'is missing' if self.now is None else 'was changed after the training'}"
            case "configuration":
                return f"the configuration was changed after the training{f': {self.detail}' if self.detail else ''}"
            case "table":
                return f"the {self.name} differs{f': {self.detail}' if self.detail else ''}"
            case "machine":
                return f"the {self.name} differs ({self.recorded} then, {self.now or 'none'} now)"
            case "version":
                return f"{self.name} differs ({self.recorded} then, {self.now or 'none'} now)"

    def json(self) -> dict[str, Any]:
        """{"kind": …, "name": …, "recorded": …, "now": …, "differs": …, "detail": …}."""
        return {
            "kind": self.kind,
            "name": self.name,
            "recorded": self.recorded,
            "now": self.now,
            "differs": self.differs,
            "detail": self.detail,
        }


def check_run(recorded: RunRecord, config: Config) -> tuple[Check, ...]:
    """All checks of a run; `config` says where the tables are now.

    Raises:
        DataError: a table cannot be read.
        RunError: config.yaml cannot be read.
    """
    return (
        *_tables(recorded, config),
        _configuration(recorded),
        *_files(recorded),
        *_environment([network.manifest for network in recorded.networks]),
    )


def _tables(recorded: RunRecord, config: Config) -> list[Check]:
    places: dict[str, TableSource] = {"table": config.data}
    if isinstance(config.validation, ValidationFile):
        places["validation file"] = config.validation
    return [_table(name, record, places[name]) for name, record in recorded.tables.items() if name in places]


def _table(name: str, record: DataRecord, source: TableSource) -> Check:
    with moved_tables("--data" if name == "table" else "--validation"):
        now = record_table(source, record.rows)
    changed = changed_files(record, now) if record.sha256 != now.sha256 else []
    return Check("table", name, record.sha256, now.sha256, join_quoted(changed))


@contextmanager
def moved_tables(option: str) -> Iterator[None]:
    """Add to the hint of a table that cannot be read within the block the option that says where it is now."""
    try:
        yield
    except DataError as error:
        error.hint = " ".join(filter(None, [error.hint, f"If it is in another place now, name that: {option} PATH"]))
        raise


def _configuration(recorded: RunRecord) -> Check:
    """Whether config.yaml says what it said when the training began; that of a member follows from the ensemble's.

    The recorded digest leaves out `epochs`, so these are the same only if the file is.
    """
    manifest, config = recorded.manifest, read_config(recorded.path)
    if not is_config_recorded(config, manifest):
        keys = ", ".join(changed_keys(recorded, config))
        return Check("configuration", "configuration", manifest.fingerprint, "changed", keys)
    is_file_recorded = manifest.files.get(CONFIG) == recorded.checksum(CONFIG)
    name = "configuration" if is_file_recorded else "configuration without epochs"
    return Check("configuration", name, manifest.fingerprint, manifest.fingerprint)


def _files(recorded: RunRecord) -> list[Check]:
    """A check of each file of the run directory that has a checksum."""
    files = dict(recorded.manifest.files)
    for network in recorded.networks:
        files |= {network.file(name): sha256 for name, sha256 in network.manifest.files.items()}
    return [Check("file", name, sha256, recorded.checksum(name)) for name, sha256 in files.items()]


def _environment(manifests: list[Manifest]) -> list[Check]:
    """Versions and machine; members may have been trained on several machines."""
    backends = sorted({manifest.backend for manifest in manifests})
    versions = present_versions("numba" if "numba" in backends else "numpy")
    machine, machines = present_machine(), [manifest.machine for manifest in manifests]
    names = [name for name in versions if any(name in manifest.versions for manifest in manifests)]
    return [
        _of_several("version", "nncli", (manifest.nncli_version for manifest in manifests), __version__),
        *(
            _of_several("version", name, (manifest.versions.get(name) for manifest in manifests), versions[name])
            for name in names
        ),
        _of_several("machine", "BLAS kernel", (one.blas for one in machines), machine.blas),
        _of_several("machine", "processor", map(_processor, machines), _processor(machine)),
        Check("machine", "backend", ", ".join(backends), ", ".join(backends)),
    ]


def _of_several(kind: CheckKind, name: str, recorded: Iterable[str | None], now: str | None) -> Check:
    """A check of what several manifests record."""
    values = sorted({value for value in recorded if value is not None})
    return Check(kind, name, ", ".join(values) or None, now)


def _processor(machine: Machine) -> str:
    """The architecture of the processor and the operating system, such as `x86_64, Linux`."""
    return f"{machine.processor}, {machine.system.partition('-')[0]}"


OTHERS = "others"
"""Stands for changed keys whose recorded values are not known."""


def changed_keys(recorded: RunRecord, config: Config) -> tuple[str, ...]:
    """The keys of a changed configuration: seed, members, and one more; empty if none is known."""
    manifest, restored = recorded.manifest, dict[str, Any]()
    if config.seed != manifest.seed:
        restored["seed"] = manifest.seed
    if config.n_members != manifest.members:
        restored["members"] = manifest.members
    if is_config_recorded(config.model_copy(update=restored), manifest):
        return tuple(restored)
    for key, value in _earlier_values(recorded):
        values = {**restored, key: value}
        if is_config_recorded(config.model_copy(update=values), manifest):
            return tuple(values)
    return (*restored, OTHERS) if restored else ()


def _earlier_values(recorded: RunRecord) -> Iterator[tuple[str, Any]]:
    """Keys with values that they may have had: the default, and that of the first member of an ensemble."""
    member = _first_member(recorded)
    for key, field in Config.model_fields.items():
        if key not in RESUMABLE_KEYS:
            if not field.is_required():
                yield key, field.get_default(call_default_factory=True)
            if member is not None:
                yield key, getattr(member, key)


def _first_member(recorded: RunRecord) -> Config | None:
    """The configuration of the first member of an ensemble; None if its file was changed too."""
    first = recorded.networks[0]
    if recorded.is_ensemble and recorded.checksum(first.file(CONFIG)) == first.manifest.files.get(CONFIG):
        return read_config(recorded.path / first.folder)
    return None
