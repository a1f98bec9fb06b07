"""Training a run again in a temporary folder, and comparing the result with what the run records."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor, inf, isfinite, log10
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from nncli.base.atomic_files import relabel_errors
from nncli.base.errors import (
    Advice,
    ConfigError,
    DataError,
    Location,
    NncliError,
    ResumeRun,
    RunError,
    UsageError,
    UseOption,
    sentences,
    without_resuming,
)
from nncli.base.regular_files import read_regular
from nncli.base.scratch import scratch_folder
from nncli.base.text import join_quoted, json_safe
from nncli.config.schema import Config, ValidationFile
from nncli.data.dialect import AUTO
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.ensemble.out_of_fold import has_joint_epoch, recorded_folds
from nncli.fitting.ensemble.train import RecordedMembers, resume_ensemble, train_ensemble
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.task_stream import Workers
from nncli.fitting.parallel.trainings import MORE_MEMORY, TrainingStream, TrainingTask, until_epoch
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import Event, Finished, MembersProgress, MembersStarted, Started
from nncli.fitting.train.provenance import (
    RESUMABLE_KEYS,
    changed_files,
    is_config_recorded,
    present_machine,
    present_versions,
    record_table,
    recorded_execution,
    with_recorded_features,
)
from nncli.fitting.train.single import resume_network, train_network
from nncli.fitting.training_call import TrainingCall
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import check_is_run, fold_folder
from nncli.run_directory.filenames import CONTROL_FOLDER, LARGEST_FILE
from nncli.run_directory.history_and_metrics import parse_history
from nncli.run_directory.manifest import (
    CONFIG,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    MEMBERS,
    METRICS,
    MODEL,
    REFERENCE,
    WEIGHTS,
    DataRecord,
    Machine,
    Manifest,
    check_not_selected,
)
from nncli.run_directory.run import Run
from nncli.version import __version__

PREFIX = "nncli-reproduce-"
"""The beginning of the name of the temporary folder."""
QUICK, QUICK_1 = UseOption("quick", "quick"), UseOption("quick", "quick", 1)
DATA = UseOption("data", "data", placeholder="TABLE")
VALIDATION = UseOption("validation", "validation", placeholder="TABLE")

SELECTIONS = ("sheet", "range", "table", "query")
"""The keys that select a table in a workbook or a database."""

TOLERANCE = 1e-3
"""The largest relative difference of weights and predictions that count as the same.

Another BLAS kernel leads to 1e-7 to 1e-5, unless the training amplifies its rounding."""

NUMBERS = ("loss", "penalty", "val_loss", "learning_rate")
"""The values of an epoch that are compared first, and then its metric, which may jump.

Its seconds are not, and its being the best follows from these."""

IGNORED = ("findings", "decision")
"""Keys of metrics.json and model.json that are not compared.

Findings name the table where it is; a decision threshold was chosen after the training."""

OTHERS = "others"
"""Stands for changed keys whose recorded values are not known."""

CheckKind = Literal["table", "version", "machine", "configuration", "file"]


def file_of(folder: str, name: str) -> str:
    """The path of a file of a network in the run directory; the `folder` of a single network is empty."""
    return str(PurePosixPath(folder, name))


@dataclass(frozen=True)
class RunRecord:
    """A trained run with the manifests of its `networks` by their folders; that of a single network is empty."""

    path: Path
    manifest: Manifest
    networks: dict[str, Manifest]

    @classmethod
    def open(cls, path: Path) -> RunRecord:
        """Open a run that was trained, or stopped.

        Raises:
            RunError: it is missing or damaged, it is being trained, or it is a member of an ensemble.
        """
        fold = shlex.quote(str(path / fold_folder(0)))
        check_is_run(path, ", not a run", f"Reproduce the run of a fold: nncli reproduce {fold}")
        manifest = Run.open(path).load_manifest()
        manifest.check_not_private(path, "its training table")
        check_not_selected(path, manifest.selection, "trained again")
        manifest.check_learns_alone(path, "it is not trained again by itself")
        parent = path.absolute().parent
        if parent.name == MEMBERS and os.path.lexists(parent.parent / MANIFEST):
            raise RunError(
                "this is a member of an ensemble, which chose the epoch of the member",
                location=Location(source=str(path)),
                hint=f"Reproduce the ensemble: nncli reproduce {shlex.quote(str(path.parent.parent))}",
            )
        if manifest.status == "running":
            raise _unfinished(path, "the training of this run was interrupted, or is not finished yet")
        if manifest.members == 1:
            return cls(path, manifest, {"": manifest})
        folders = manifest.member_folders
        if not all(os.path.lexists(path / folder / MANIFEST) for folder in folders):
            raise _unfinished(path, "not all members of this run are trained")
        return cls(path, manifest, {folder: Run(path / folder).load_manifest() for folder in folders})

    def checksum(self, file: str) -> str | None:
        """The SHA-256 of a file of the run directory as it is now; None if it cannot be read."""
        content = _content(self.path / file)
        return None if content is None else hashlib.sha256(content).hexdigest()

    @property
    def is_ensemble(self) -> bool:
        """Whether the run has several members."""
        return self.manifest.members > 1

    def check_finished(self) -> None:
        """Raise a RunError unless the training ended by itself, so that its end can be compared."""
        first_epochs = Advice("Compare its first epochs: ", QUICK_1)
        if self.manifest.status == "failed":
            raise RunError(
                "the training of this run failed, so there is no result to compare",
                location=Location(source=str(self.path)),
                hint=first_epochs if self.manifest.epochs else "Train a new run.",
            )
        if self.manifest.status != "done":
            raise _unfinished(self.path, "the training of this run was stopped", with_quick=self.manifest.epochs > 0)
        if any(change.status != "done" for change in self.manifest.lengthened):
            raise RunError(
                "`epochs` was changed when this training was resumed before its end, at a step that is not recorded",
                location=Location(source=str(self.path)),
                hint=first_epochs,
            )

    def check_epochs(self, quick: int) -> None:
        """Raise a UsageError unless the run has epochs up to `quick`."""
        if quick < 1:
            hint = Advice("For example ", UseOption("quick", "quick", 3), ".")
            raise UsageError(Advice(QUICK, " needs 1 epoch or more"), hint=hint)
        if quick > self.manifest.epochs:
            raise UsageError(
                f"the run has {self.manifest.epochs:,} epochs, fewer than {quick:,}",
                location=Location(source=str(self.path)),
                hint=Advice("Leave ", QUICK, " out to compare all of them, with the result."),
            )

    def config(self, data: TableLocation | None, validation: TableLocation | None, folder: str = "") -> Config:
        """The configuration of the run, or of a network in `folder`, with the tables where they are now.

        Raises:
            RunError: the file is missing or damaged.
            UsageError: a validation file is given, and the run has none.
            DataError: the table came from a pipe.
        """
        config = with_recorded_features(
            read_config(self.path / folder), time_is_feature=self.manifest.time_is_feature
        ).model_copy(update={"time_limit": None})
        if data is not None:
            config = config.model_copy(update={"data": config.data.model_copy(update=_moved(config.data, data))})
        elif config.data.is_standard_input or self.manifest.data.sha256 is None:
            raise DataError(
                "the table came from a pipe, which cannot be read again",
                location=Location(source=config.data.path),
                hint=Advice("Name a file with the same rows: ", DATA),
            )
        if validation is None:
            return config
        if not isinstance(config.validation, ValidationFile):
            raise UsageError(
                "the run has no validation file", hint=Advice("Leave ", UseOption("validation", "validation"), " out.")
            )
        moved = config.validation.model_copy(update=_moved(config.validation, validation))
        return config.model_copy(update={"validation": moved})

    def config_of_first_epochs(self, config: Config, quick: int) -> Config:
        """The configuration with which the first epochs were trained, before `epochs` was changed.

        Raises:
            UsageError: it was changed before `quick` epochs.
        """
        first = self.manifest.lengthened[0].epochs if self.manifest.lengthened else "auto"
        if first == "auto":
            return config
        if quick > first:
            raise UsageError(
                f"the training was resumed with another number of epochs after {first:,} epochs or fewer",
                location=Location(source=str(self.path)),
                hint=Advice(f"Compare {first:,} epochs at most, or leave ", QUICK, " out."),
            )
        return config.model_copy(update={"epochs": first})


def _moved(recorded: TableSource, location: TableLocation) -> dict[str, Any]:
    """The update of a source that is in another place now.

    The sheet or table in it is kept, unless the new place is of another kind or names one itself.
    """
    source = as_source(location)
    source = source.model_copy(update=source.relative_to(Path.cwd()))
    chosen = {name: getattr(source, name) for name in SELECTIONS}
    quote = {} if source.quote == AUTO else {"quote": source.quote}
    if any(value is not None for value in chosen.values()) or source.scheme != recorded.scheme:
        return {"path": source.path, **quote, **chosen}
    return {"path": source.path, **quote}


def _unfinished(path: Path, message: str, *, with_quick: bool = False) -> RunError:
    more = Advice("\n  To compare its first epochs: ", QUICK_1) if with_quick else ""
    return RunError(
        message,
        location=Location(source=str(path)),
        hint=Advice("To finish it: ", ResumeRun(path), more),
    )


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(path, LARGEST_FILE)
    except OSError:
        return None


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


def check_run(recorded: RunRecord, config: Config) -> tuple[Check, ...]:
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
        *(Check("file", name, sha256, recorded.checksum(name)) for name, sha256 in files.items()),
        *_environment([*recorded.networks.values()]),
    )


def _tables(manifest: Manifest, config: Config) -> Iterator[Check]:
    tables: list[tuple[str, UseOption, DataRecord, TableSource]] = [("table", DATA, manifest.data, config.data)]
    if manifest.validation_data is not None and isinstance(config.validation, ValidationFile):
        tables.append(("validation file", VALIDATION, manifest.validation_data, config.validation))
    for name, option, record, source in tables:
        with _moved_tables(option):
            now = record_table(source, record.rows)
        changed = changed_files(record, now) if record.sha256 != now.sha256 else []
        yield Check("table", name, record.sha256, now.sha256, join_quoted(changed))


@contextmanager
def _moved_tables(option: UseOption) -> Iterator[None]:
    """Add to the hint of a table that cannot be read within the block the option that says where it is now."""
    try:
        yield
    except DataError as error:
        error.hint = sentences(error.hint, Advice("If it is in another place now, name that: ", option))
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


def _environment(manifests: Sequence[Manifest]) -> Iterator[Check]:
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
        yield Check(kind, name, ", ".join(values) or None, now)


def _processor(machine: Machine) -> str:
    """The architecture of the processor and the operating system, such as `x86_64, Linux`."""
    return f"{machine.processor}, {machine.system.partition('-')[0]}"


@dataclass(frozen=True)
class Comparison:
    """A file of a run beside that of the same training again: the largest relative difference.

    It is 0 for the same bits, and infinite if the files cannot be compared. `is_changed` says that the file was changed
    or removed after the training, which leads to the recorded one again. Of history.csv, `epochs` were compared, and
    `first_epoch` is the first one that differs, with the values `then` and `now`.
    """

    file: str
    difference: float
    where: str = ""
    epochs: int | None = None
    first_epoch: int | None = None
    then: float | None = None
    now: float | None = None
    is_changed: bool = False

    @property
    def is_identical(self) -> bool:
        """Whether the file has the same bits as that of the training again."""
        return self.difference == 0.0 and not self.is_changed

    @property
    def is_reproduced(self) -> bool:
        """Whether the training again leads to the bits that the run recorded."""
        return self.is_identical or self.is_changed

    def json(self) -> dict[str, Any]:
        """{"file": …, "identical": …, "difference": …, "changed": …, "where": …, "epochs": …, "first_epoch": …}.

        The difference is null if it is infinite.
        """
        return {
            "file": self.file,
            "identical": self.is_identical,
            "difference": json_safe(self.difference),
            "changed": self.is_changed,
            "where": self.where or None,
            "epochs": self.epochs,
            "first_epoch": self.first_epoch,
        }


def compare_runs(recorded: RunRecord, again: Path, quick: int | None = None) -> tuple[Comparison, ...]:
    """Compare all that a training leads to with the run directory `again`; with `quick` the first epochs alone.

    A file that a run of an older version does not have is not compared.
    """
    histories = [_compare_history(recorded, again, file_of(folder, HISTORY), quick) for folder in recorded.networks]
    if quick is not None:
        return tuple(histories)
    top = (*((MODEL,) if recorded.is_ensemble else ()), METRICS, HELD_OUT, REFERENCE)
    files = [(folder, manifest, name) for folder, manifest in recorded.networks.items() for name in (WEIGHTS, MODEL)]
    files += [("", recorded.manifest, name) for name in top]
    return (
        *histories,
        *(
            _compare_file(recorded.path, again, file_of(folder, name), manifest.files[name])
            for folder, manifest, name in files
            if name in manifest.files
        ),
    )


def _compare_file(run: Path, again: Path, file: str, expected: str) -> Comparison:
    """Compare a file whose SHA-256 was the `expected` one when it was written."""
    content, new = _content(run / file), _content(again / file)
    # The checksum tells whether the training led to the same bits, also if the file was changed since.
    is_reproduced = new is not None and hashlib.sha256(new).hexdigest() == expected
    if content is None or new is None:
        return Comparison(file, inf, "the file is missing", is_changed=is_reproduced)
    load = json.loads if file.endswith(".json") else safetensors.numpy.load
    difference = of_contents(content, new, load, IGNORED)
    return Comparison(file, difference.size, difference.where, is_changed=is_reproduced and content != new)


def _compare_history(run: RunRecord, again: Path, file: str, quick: int | None) -> Comparison:
    """Compare a history.csv, epoch by epoch."""
    try:
        contents = [read_regular(path / file, LARGEST_FILE) for path in (run.path, again)]
        before, after = (parse_history(content).reports[:quick] for content in contents)
    except (OSError, ValueError):
        return Comparison(file, inf, "the file cannot be read", 0)
    differences = [_of_epoch(*reports) for reports in zip(before, after, strict=False)]
    first = next((i for i, difference in enumerate(differences) if difference.size), None)
    if first is not None:
        where = differences[first].where
        then, now = getattr(before[first], where), getattr(after[first], where)
        return Comparison(file, max(differences).size, where, len(before), first + 1, then, now)
    if len(before) != len(after):
        return Comparison(file, inf, "number of epochs", len(before), len(differences) + 1)
    return Comparison(file, 0.0, epochs=len(before))


class Difference(NamedTuple):
    """The largest relative difference of some values, and where it is.

    It is 0 for the same bits, and infinite for values that cannot be compared.
    """

    size: float = 0.0
    where: str = ""


SAME = Difference()
ABSENT = object()
"""Stands for a value that only the recorded document has."""


def _of_epoch(recorded: EpochReport, again: EpochReport) -> Difference:
    of_loss = max(Difference(of_numbers(getattr(recorded, name), getattr(again, name)), name) for name in NUMBERS)
    return of_loss if of_loss.size else Difference(of_numbers(recorded.metric, again.metric), "metric")


def of_numbers(recorded: float | None, again: float | None) -> float:
    """The difference of two numbers, relative to the larger one."""
    if recorded == again or (recorded != recorded and again != again):
        return 0.0
    if recorded is None or again is None or not (isfinite(recorded) and isfinite(again)):
        return inf
    return abs(recorded - again) / max(abs(recorded), abs(again))


def of_arrays(recorded: npt.NDArray[Any], again: npt.NDArray[Any]) -> float:
    """The largest difference of the elements, relative to the largest finite element.

    NaN equals NaN, as in `of_numbers`. It is infinite for other shapes or types, and where only one element is finite.
    """
    if recorded.shape != again.shape or recorded.dtype != again.dtype:
        return inf
    if recorded.tobytes() == again.tobytes():
        return 0.0
    a, b = recorded.astype(np.float64), again.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return inf
    a, b = a[finite], b[finite]
    tiny = float(np.finfo(np.float64).tiny)  # 0.0 and -0.0 are equal, but not the same bits
    largest = max(float(np.abs(a).max(initial=tiny)), float(np.abs(b).max(initial=tiny)))
    return max(float(np.abs(a - b).max(initial=0.0)) / largest, tiny)


def of_contents(
    recorded: bytes, again: bytes, load: Callable[[bytes], Any], ignored: tuple[str, ...] = ()
) -> Difference:
    """The difference of two files of values or arrays: of what the first one holds, without the keys `ignored`."""
    if recorded == again:
        return SAME
    try:
        before, now = load(recorded), load(again)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError, RecursionError):
        return Difference(inf, "the file cannot be read")
    if isinstance(before, dict):
        before = {key: value for key, value in before.items() if key not in ignored}
    return _of_values(before, now)


def _of_values(recorded: Any, again: Any, where: str = "") -> Difference:
    """The difference of two values at a dotted path."""
    if isinstance(recorded, dict) and isinstance(again, dict):
        inner = [(value, again.get(key, ABSENT), f"{where}.{key}".lstrip(".")) for key, value in recorded.items()]
        return max((_of_values(*values) for values in inner), default=SAME)
    if isinstance(recorded, list) and isinstance(again, list) and len(recorded) == len(again):
        pairs = enumerate(zip(recorded, again, strict=True))
        return max((_of_values(a, b, f"{where}[{i}]") for i, (a, b) in pairs), default=SAME)
    if isinstance(recorded, np.ndarray) and isinstance(again, np.ndarray):
        size = of_arrays(recorded, again)
    elif {type(recorded), type(again)} <= {int, float}:
        size = of_numbers(recorded, again)
    else:
        size = 0.0 if type(recorded) is type(again) and recorded == again else inf
    return Difference(size, where) if size else SAME


class Verdict(StrEnum):
    """Whether a training leads to the same result again."""

    IDENTICAL = "identical"
    CLOSE = "close"
    DIFFERENT = "different"


EXIT_CODES = {Verdict.IDENTICAL: 0, Verdict.CLOSE: 6, Verdict.DIFFERENT: 1}


@dataclass(frozen=True)
class Reproduction:
    """The result of training a run again: what it depends on, and how the results compare.

    With `quick` only so many epochs were trained. `seconds` is how long the training took. `divergence` says where the
    training diverged; None if it did not.
    """

    run: Path
    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    seconds: float
    quick: int | None = None
    divergence: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Identical to the bit, the same within a tolerance, or different.

        A run whose files were changed after the training is different, whatever the training leads to.
        """
        if self.changed_files or self.divergence is not None:
            return Verdict.DIFFERENT
        if all(comparison.is_identical for comparison in self.comparisons):
            return Verdict.IDENTICAL
        return Verdict.CLOSE if self.difference <= TOLERANCE else Verdict.DIFFERENT

    @property
    def exit_code(self) -> int:
        """The exit code of the verdict."""
        return EXIT_CODES[self.verdict]

    @property
    def difference(self) -> float:
        """The largest relative difference of weights and predictions; of other files only if these are the same.

        Losses differ more in the middle of a training than at its end, and metrics may jump.
        """
        differing = [
            (Path(comparison.file).name, comparison.difference)
            for comparison in self.comparisons
            if not comparison.is_identical
        ]
        for names in ((WEIGHTS, MODEL, HELD_OUT), (HISTORY,)):
            if sizes := [size for name, size in differing if name in names]:
                return max(sizes)
        return max((size for _, size in differing), default=0.0)

    @property
    def changed_files(self) -> tuple[Check, ...]:
        """The files of the run that were changed or removed after the training, and the changed configuration."""
        return tuple(check for check in self.checks if check.differs and check.kind in ("file", "configuration"))

    @property
    def causes(self) -> tuple[str, ...]:
        """All that is not as it was, in words; a changed configuration is named once."""
        return _in_words(self.checks)

    @property
    def first_difference(self) -> Comparison | None:
        """The history with the earliest epoch that differs."""
        histories = [comparison for comparison in self.comparisons if comparison.first_epoch is not None]
        return min(histories, key=lambda history: history.first_epoch or 0, default=None)

    @property
    def sentence(self) -> str:
        """The verdict in words, with its causes."""
        compared, changed = "", self.changed_files
        if self.quick is not None:
            compared = f"in the first {self.quick:,} epochs" if self.quick > 1 else "in the first epoch"
        is_reproduced = self.divergence is None and all(comparison.is_reproduced for comparison in self.comparisons)
        if changed and is_reproduced:
            others = _in_words([check for check in self.checks if check not in changed])
            again = f"training again is identical to the bit with what the run recorded {compared}".rstrip()
            although = f", although {joined(others)}" if others else ""
            return f"not the run that was trained: {joined(_in_words(changed))}; {again}{although}"
        if is_reproduced:
            text = f"{compared} identical to the bit".lstrip()
            return f"{text}, although {joined(self.causes)}" if self.causes else text
        if self.verdict is Verdict.CLOSE:
            text = f"{compared} the same within 1e-{floor(-log10(self.difference))}".lstrip()
        else:
            text = self._difference_in_words
        text += f", because {joined(self.causes)}" if self.causes else ", and nothing that the run records differs"
        return text if self.divergence is None else f"{text}. The training diverges now: {self.divergence}"

    @property
    def _difference_in_words(self) -> str:
        """From where on a training that is different differs."""
        first = self.first_difference
        if first is None and self.divergence is not None:
            return "does not end"
        if first is None:
            files = ", ".join(comparison.file for comparison in self.comparisons if not comparison.is_reproduced)
            return f"differs after the last epoch, in {files}"
        values = ""
        if first.then is not None and first.now is not None:
            values = f" ({first.where} {_shown(first.then, first.now)})"
        member = first.file.removesuffix(HISTORY).rstrip("/")
        return f"differs from epoch {first.first_epoch:,} on{f' in {member}' if member else ''}{values}"

    def json(self) -> dict[str, Any]:
        """{"verdict": …, "exit_code": …, "sentence": …, "difference": …, "first_epoch": …, "causes": […], …}."""
        first = self.first_difference
        return {
            "run": str(self.run),
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "sentence": self.sentence,
            "difference": json_safe(self.difference),
            "first_epoch": None if first is None else first.first_epoch,
            "causes": list(self.causes),
            "quick": self.quick,
            "divergence": self.divergence,
            "seconds": round(self.seconds, 3),
            "checks": [check.json() for check in self.checks],
            "comparisons": [comparison.json() for comparison in self.comparisons],
        }


def _in_words(checks: Sequence[Check]) -> tuple[str, ...]:
    differing = [check for check in checks if check.differs]
    is_config_changed = any(check.kind == "configuration" for check in differing)
    return tuple(check.cause for check in differing if not (is_config_changed and check.name == CONFIG))


def _shown(then: float, now: float) -> str:
    """Two numbers with as many digits as tell them apart."""
    digits = next((n for n in range(4, 17) if f"{then:.{n}g}" != f"{now:.{n}g}"), 17)
    return f"{then:.{digits}g} then, {now:.{digits}g} now"


def joined(parts: Sequence[str]) -> str:
    """Phrases in a sentence."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def reproduce_run(
    run: str | Path,
    *,
    data: TableLocation | None = None,
    validation: TableLocation | None = None,
    quick: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event | Reproduction, None, None]:
    """Check what a run depends on, train it again, and yield the events and then the result; none if it was stopped.

    The tables are at `data` and `validation` now, or where they were. With `quick` only so many epochs are trained.

    Raises:
        RunError: the run is missing, damaged or not finished, or its backend is missing.
        UsageError: the run has fewer epochs, or no validation file.
        DataError: a table cannot be read.
    """
    recorded = RunRecord.open(Path(run))
    if quick is None:
        recorded.check_finished()
    else:
        recorded.check_epochs(quick)
    config = recorded.config(data, validation)
    for manifest in recorded.networks.values():
        recorded_execution(manifest).check_available(str(recorded.path))
    with scratch_folder(PREFIX) as folder, ExitStack() as stack:
        with _moved_tables(DATA):
            stack.enter_context(table_copies(config, folder))
        again = folder / "run"
        stack.enter_context(_named_as(again, recorded.path))
        checks, clock, divergence = check_run(recorded, config), time.perf_counter(), None
        if quick is None:
            events = _train(recorded, config, again, stop)
        else:
            configs = [recorded.config(data, validation, network) for network in recorded.networks]
            configs = [recorded.config_of_first_epochs(of_network, quick) for of_network in configs]
            events = _train_first_epochs(recorded, config, configs, again, quick, stop)
        try:
            with closing(events), _explained(checks):
                for event in events:
                    if not isinstance(event, Finished):
                        yield event
                    elif event.status != "done":
                        return
        except DivergedError as error:
            divergence = error.message
        if stop():
            return
        compared = compare_runs(recorded, again, quick)
        yield Reproduction(recorded.path, checks, compared, time.perf_counter() - clock, quick, divergence)


@contextmanager
def _explained(checks: Sequence[Check]) -> Iterator[None]:
    """Add to the hints of errors within the block what is not as it was when the run was trained."""
    causes = [check.cause for check in checks if check.differs]
    more = f"The run was trained otherwise: {joined(causes)}." if causes else None
    try:
        yield
    except ConfigError as error:
        raise ConfigError(*(replace(issue, hint=sentences(issue.hint, more)) for issue in error.issues)) from error
    except DataError as error:
        error.hint = sentences(error.hint, more)
        raise


@contextmanager
def _named_as(again: Path, recorded: Path) -> Iterator[None]:
    """Let errors within the block name the recorded run instead of its copy, which is gone and cannot be resumed."""
    with relabel_errors(again, recorded):
        try:
            yield
        except NncliError as error:
            error.hint = without_resuming(error.hint)
            raise


def _train(recorded: RunRecord, config: Config, again: Path, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    """The whole training, with further epochs where the run was resumed for them."""
    first, *more = [*(change.epochs for change in recorded.manifest.lengthened), config.epochs]
    config = config.model_copy(update={"epochs": first})
    executions = tuple(map(recorded_execution, recorded.networks.values()))
    if recorded.is_ensemble:
        members = RecordedMembers(executions, recorded_folds(recorded.path, config))
        yield from train_ensemble(config, again, TrainingCall(stop=stop), recorded=members)
    else:
        yield from train_network(config, again, stop=stop, execution=executions[0])
    for epochs in more:
        if recorded.is_ensemble:
            yield from resume_ensemble(Run(again), [f"epochs={epochs}"], TrainingCall(stop=stop))
        else:
            yield from resume_network(Run(again), [f"epochs={epochs}"], stop=stop)


def _train_first_epochs(
    recorded: RunRecord, config: Config, configs: Sequence[Config], again: Path, quick: int, stop: Callable[[], bool]
) -> Generator[Event, None, None]:
    """The first epochs of each network, with its own one of the `configs`; `config` is that of the run."""
    if not recorded.is_ensemble:
        execution = recorded_execution(recorded.manifest)
        events = train_network(configs[0], again, stop=stop, with_checks=False, execution=execution)
        for event in until_epoch(events, quick):
            yield replace(event, epochs=min(quick, event.epochs)) if isinstance(event, Started) else event
        return
    tasks = [
        TrainingTask(
            i,
            of_network,
            str(again / folder),
            snapshots=has_joint_epoch(config),
            execution=recorded_execution(manifest),
            last_epoch=min(quick, manifest.epochs),
        )
        for i, (of_network, (folder, manifest)) in enumerate(zip(configs, recorded.networks.items(), strict=True))
    ]
    control = ControlDirectory(again / CONTROL_FOLDER)
    with TrainingStream(len(tasks), control, Workers(config.workers), stop, MORE_MEMORY) as stream:
        yield MembersStarted(recorded.path, len(tasks), stream.workers, ())
        for progress in stream.run(tasks):
            yield MembersProgress(
                tuple(replace(member, epochs=min(quick, member.epochs)) for member in progress.members)
            )
