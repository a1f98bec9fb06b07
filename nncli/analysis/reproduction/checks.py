"""What a training depends on: as a run records it, and as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from nncli.analysis.reproduction.record import DATA, VALIDATION, RunRecord, file_of
from nncli.base.errors import Advice, DataError, UseOption, sentences
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
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import CONFIG, DataRecord, Machine, Manifest
from nncli.version import __version__

OTHERS = "others"
"""Stands for changed keys whose recorded values are not known."""

CheckKind = Literal["table", "version", "machine", "configuration", "file"]


@dataclass(frozen=True)
class ProvenanceCheck:
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
        detail = f": {self.detail}" if self.detail else ""
        match self.kind:
            case "file":
                return f"{self.name} {'is missing' if self.now is None else 'was changed after the training'}"
            case "configuration":
                return f"the configuration was changed after the training{detail}"
            case "table":
                return f"the {self.name} differs{detail}"
            case "machine" | "version":
                article = "the " if self.kind == "machine" else ""
                return f"{article}{self.name} differs ({self.recorded} then, {self.now or 'none'} now)"

    def json(self) -> dict[str, Any]:
        """{"kind": …, "name": …, "recorded": …, "now": …, "differs": …, "detail": …}."""
        return {name: getattr(self, name) for name in ("kind", "name", "recorded", "now", "differs", "detail")}


def check_run(recorded: RunRecord, config: Config) -> tuple[ProvenanceCheck, ...]:
    """All checks of a run; `config` says where the tables are now.

    Raises:
        DataError: a table cannot be read.
        RunError: config.yaml cannot be read.
    """
    files = {
        file_of(folder, name): sha256
        for folder, manifest in {"": recorded.manifest, **recorded.networks}.items()
        for name, sha256 in manifest.files.items()
    }
    return (
        *_tables(recorded.manifest, config),
        _configuration(recorded),
        *(ProvenanceCheck("file", name, sha256, recorded.checksum(name)) for name, sha256 in files.items()),
        *_environment([*recorded.networks.values()]),
    )


def _tables(manifest: Manifest, config: Config) -> Iterator[ProvenanceCheck]:
    tables: list[tuple[str, UseOption, DataRecord, TableSource]] = [("table", DATA, manifest.data, config.data)]
    if manifest.validation_data is not None and isinstance(config.validation, ValidationFile):
        tables.append(("validation file", VALIDATION, manifest.validation_data, config.validation))
    for name, option, record, source in tables:
        with moved_tables(option):
            now = record_table(source, record.rows)
        changed = changed_files(record, now) if record.sha256 != now.sha256 else []
        yield ProvenanceCheck("table", name, record.sha256, now.sha256, join_quoted(changed))


@contextmanager
def moved_tables(option: UseOption) -> Iterator[None]:
    """Add to the hint of a table that cannot be read within the block the option that says where it is now."""
    try:
        yield
    except DataError as error:
        error.hint = sentences(error.hint, Advice("If it is in another place now, name that: ", option))
        raise


def _configuration(recorded: RunRecord) -> ProvenanceCheck:
    """Whether config.yaml says what it said when the training began; that of a member follows from the ensemble's.

    The recorded digest leaves out `epochs`, so these are the same only if the file is.
    """
    manifest, config = recorded.manifest, read_config(recorded.path)
    if not is_config_recorded(config, manifest):
        keys = ", ".join(changed_keys(recorded, config))
        return ProvenanceCheck("configuration", "configuration", manifest.fingerprint, "changed", keys)
    is_file_recorded = manifest.files.get(CONFIG) == recorded.checksum(CONFIG)
    name = "configuration" if is_file_recorded else "configuration without epochs"
    return ProvenanceCheck("configuration", name, manifest.fingerprint, manifest.fingerprint)


def changed_keys(recorded: RunRecord, config: Config) -> tuple[str, ...]:
    """The keys of a changed configuration: seed, members, and one more; empty if none is known."""
    manifest = recorded.manifest
    now = {"seed": config.seed, "members": config.n_members}
    then = {"seed": manifest.seed, "members": manifest.members}
    restored: dict[str, Any] = {key: value for key, value in then.items() if value != now[key]}
    for earlier in ({}, *_earlier_values(recorded)):
        values = restored | earlier
        if is_config_recorded(config.model_copy(update=values), manifest):
            return tuple(values)
    return (*restored, OTHERS) if restored else ()


def _earlier_values(recorded: RunRecord) -> Iterator[dict[str, Any]]:
    """Keys with a value that each may have had: the default, or that of the first member of an ensemble."""
    folder, manifest = next(iter(recorded.networks.items()))
    member = None
    if folder and recorded.checksum(file_of(folder, CONFIG)) == manifest.files.get(CONFIG):
        member = read_config(recorded.path / folder)
    for key, field in Config.model_fields.items():
        if key not in RESUMABLE_KEYS:
            if not field.is_required():
                yield {key: field.get_default(call_default_factory=True)}
            if member is not None:
                yield {key: getattr(member, key)}


def _environment(manifests: Sequence[Manifest]) -> Iterator[ProvenanceCheck]:
    """Versions and machine; members may have been trained on several machines."""
    backends = sorted({manifest.backend for manifest in manifests})
    machine, machines = present_machine(), [manifest.machine for manifest in manifests]
    rows: list[tuple[CheckKind, str, Iterable[str | None], str | None]] = [
        ("version", "nncli", (manifest.nncli_version for manifest in manifests), __version__)
    ]
    for name, present in present_versions("numba" if "numba" in backends else "numpy").items():
        if any(name in manifest.versions for manifest in manifests):
            rows.append(("version", name, [manifest.versions.get(name) for manifest in manifests], present))
    rows += [
        ("machine", "BLAS kernel", (machine.blas for machine in machines), machine.blas),
        ("machine", "processor", map(_processor, machines), _processor(machine)),
        ("machine", "backend", backends, ", ".join(backends)),
    ]
    for kind, name, recorded, now in rows:
        values = sorted({value for value in recorded if value is not None})
        yield ProvenanceCheck(kind, name, ", ".join(values) or None, now)


def _processor(machine: Machine) -> str:
    """The architecture of the processor and the operating system, such as `x86_64, Linux`."""
    return f"{machine.processor}, {machine.system.partition('-')[0]}"
