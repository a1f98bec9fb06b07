"""The run directory: creating, locking, writing and opening it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import safetensors.numpy

from nncli.base.atomic_files import (
    TEMPORARY_SUFFIX,
    batched_fsync,
    check_no_login,
    clear_leftovers,
    relabel_errors,
    sync_folder,
    temporary_name,
    write_bytes,
)
from nncli.base.errors import (
    Advice,
    DataError,
    Location,
    NncliError,
    ResumeRun,
    RunError,
    RunLockedError,
    UsageError,
    UseOption,
)
from nncli.base.plugins import CODE_FOLDER, content_of
from nncli.base.regular_files import read_regular
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.formats.registry import format_of_suffix, suffix_of
from nncli.data.sources.table_source import TableSource, as_source
from nncli.models.ensemble import Ensemble, EnsembleSpec, spec_json
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import Model, ModelSpec
from nncli.nn.parameters import Parameters
from nncli.run_directory.cross_validation import (
    FoldsManifest,
    is_cross_validation,
    read_folds,
    read_folds_held_out,
    read_folds_manifest,
    read_folds_training_rows,
)
from nncli.run_directory.filenames import CONTROL_FOLDER, LARGEST_FILE, LOCK, SEARCH, TARGETS, TRAINING_ROWS_KEY
from nncli.run_directory.listing import is_run
from nncli.run_directory.loader import read_any_model, read_held_out, read_manifest, read_reference, read_training_rows
from nncli.run_directory.manifest import (
    CHECKPOINTS,
    CHECKSUMMED,
    CONFIG,
    HEALTH,
    HELD_OUT,
    HISTORY,
    MANIFEST,
    MEMBERS,
    METRICS,
    MODEL,
    REFERENCE,
    SCORED,
    SNAPSHOTS,
    TRAINING_ROWS,
    WEIGHTS,
    Manifest,
    snapshot_file,
)
from nncli.run_directory.monitoring.reference import Reference
from nncli.run_directory.training_rows import TrainingRows

if TYPE_CHECKING:
    from nncli.config.schema import Config
    from nncli.nn.training.health import Health
    from nncli.nn.training.loop import EpochReport

T = TypeVar("T")


def check_run_name(requested: Path) -> None:
    """Raise a UsageError unless `requested` can be the path of a new run directory; see `Run.create`."""
    check_no_login(requested)
    if requested.name in ("", ".."):
        raise UsageError(
            "this folder exists, and a run is never put into a folder that does",
            location=Location(source=str(requested)),
            hint="Name a new folder, such as runs/first.",
        )
    if "\0" in str(requested):
        raise UsageError(
            "a path cannot have the character U+0000",
            location=Location(source=str(requested)),
            hint="Name another one with -o.",
        )
    try:
        str(requested).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the run directory's name is not UTF-8 text",
            location=Location(source=str(requested)),
            hint="Name another one with -o.",
        ) from None


def why_not_a_directory(path: Path) -> str:
    """Why a path is not a directory: it does not exist, is a file, or a link to nothing."""
    if not os.path.lexists(path):
        return "there is no such run directory"
    try:
        path.stat()
    except OSError:
        return f"this is a link to {quote(str(path.readlink()))}, which does not exist"
    return "this is a file, not a run directory"


def missing_run_hint(path: Path) -> str:
    """The hint for a path that is no directory: a run of a similar name, or that the table comes second."""
    if os.path.isfile(path) and format_of_suffix(suffix_of(path)):  # noqa: PTH113 - Path.is_file raises when the name is too long
        return f"The run comes before the table: RUN {shlex.quote(str(path))}. `nncli runs` lists the runs."
    for folder in (path.parent, Path("runs")):
        with suppress(OSError):
            runs = [inner.name for inner in folder.iterdir() if os.path.lexists(inner / MANIFEST)]
            near = closest_match(path.name, runs)
            if near is not None:
                return f"Did you mean {quote(str(folder / near))}? `nncli runs` lists the runs."
    return "`nncli runs` lists the runs; `nncli train CONFIG` creates one."


def runs_in(path: Path) -> str:
    """The hint for a folder that is not a run directory: the runs in it, if any."""
    try:
        runs = sorted(inner.name for inner in path.iterdir() if os.path.lexists(inner / MANIFEST))
    except OSError:
        runs = []
    return (
        f"Name one of the runs in it: {join_quoted(runs)}."
        if runs
        else "Is this the right path? `nncli runs` lists the runs there are."
    )


def check_new_directory(path: Path, *, force: bool) -> None:
    """Check that a new run may be written to `path`: nothing is there, or with `force` a run, which it replaces.

    Raises:
        UsageError: it is taken, or cannot be the path of a new run directory.
    """
    check_run_name(path)
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not is_run(path):
        raise UsageError(
            "this exists already and is no run, so that no run can replace it",
            location=Location(source=str(path)),
            hint="Name another directory.",
        )
    if not force:
        raise UsageError(
            "the run exists already",
            location=Location(source=str(path)),
            hint=Advice("Pass ", UseOption("force", "force", True), " to replace it, or name another directory."),
        )


def is_search(path: Path) -> bool:
    """Whether the folder holds a search, finished or not."""
    return os.path.lexists(path / SEARCH)


def targets_of(path: Path) -> dict[str, Run]:
    """The run of each of several targets of the run at `path`; none of one target, or where it cannot be read."""
    try:
        return Run.open(path).targets
    except NncliError:  # who uses the run says what is wrong
        return {}


def check_is_no_search(path: Path) -> None:
    """Raise a RunError that says what to name instead, if the folder holds a search."""
    if is_search(path):
        folder = shlex.quote(str(path))
        raise RunError(
            "this is a search of hyperparameters, not a run",
            location=Location(source=str(path)),
            hint=f"`nncli train {folder}/best.yaml` trains the best configuration; `nncli runs {folder}/trials` lists "
            "the trials.",
        )


CONFIG_HEADER = "# The configuration of this run, every default written out.\n"


SECONDS_BETWEEN_CHECKS = 0.25


@dataclass(frozen=True)
class FolderIdentity:
    """The device and inode of a folder, which do not change when it is renamed."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FolderIdentity:
        """The identity of the folder at `path`; OSError if there is none."""
        status = path.stat()
        return cls(status.st_dev, status.st_ino)

    def check(self, path: Path) -> None:
        """Raise a RunError unless `path` is this folder."""
        try:
            in_place = FolderIdentity.of(path) == self
        except (FileNotFoundError, NotADirectoryError):
            in_place = False
        except OSError:  # a passing fault of the file system; a write will say more
            return
        if not in_place:
            raise RunError(
                "the run directory was moved or deleted while it was being written",
                location=Location(source=str(path)),
                hint=Advice("If it was moved, continue from its last checkpoint: ", ResumeRun("NEW_PATH")),
            )


@dataclass(frozen=True)
class Run:
    """A run directory at `path`; one that is being written also has the `identity` of the folder."""

    path: Path
    identity: FolderIdentity | None = None

    @classmethod
    @contextmanager
    def create(
        cls, requested: Path, config: Config, spec: ModelSpec | None, manifest: Manifest, *, replaces: bool = False
    ) -> Iterator[Run]:
        """Create a run directory, `requested` or the first free of `requested-2` …, and lock it while the block runs.

        It is filled under a temporary name and then renamed, so that a run directory always holds its configuration.
        The `spec` of an ensemble is None: it is known once the members are trained.

        Raises:
            UsageError: `requested` cannot be the name of a new folder.
            NncliError: it cannot be created.
        """
        with cls.temporary(requested) as run_directory:
            with (
                relabel_errors(run_directory.path.parent.resolve() / run_directory.path.name, requested),
                relabel_errors(run_directory.path, requested),
            ):
                with batched_fsync():
                    if spec is not None:
                        run_directory.save_spec(spec)
                    run_directory.save_manifest(manifest)
                run = run_directory.rename_to_free_name(
                    requested,
                    lambda path: run_directory.save_config(config.model_copy(update={"output": str(path)})),
                    replaces=replaces,
                )
            yield run

    @classmethod
    @contextmanager
    def temporary(cls, requested: Path) -> Iterator[Run]:
        """Create a locked directory with a temporary name, which is removed at the end unless it was renamed.

        Raises:
            UsageError, NncliError: see `create`.
        """
        check_run_name(requested)
        try:
            requested.parent.mkdir(parents=True, exist_ok=True)
            clear_leftovers(requested.parent)
        except OSError as error:
            raise _cannot_make(requested, error) from error
        with ExitStack() as stack:
            while True:
                run_directory = cls(temporary_name(requested))
                try:
                    run_directory.path.mkdir()
                except OSError as error:
                    raise _cannot_make(requested, error) from error
                stack.callback(shutil.rmtree, run_directory.path, ignore_errors=True)
                try:
                    with relabel_errors(run_directory.path, requested):
                        run_directory = stack.enter_context(run_directory.locked())
                except NncliError as error:
                    if not isinstance(error, RunError) and run_directory.path.exists():
                        raise
                else:
                    if (run_directory.path / LOCK).exists():
                        break
                # Another process removed it as a leftover before it was locked: try again.
            yield run_directory

    def rename_to_free_name(self, requested: Path, finish: Callable[[Path], None], *, replaces: bool = False) -> Run:
        """Rename the directory to the first free name; `finish` writes what depends on the name.

        If it `replaces` the run that has the requested name, that run is removed.

        Raises:
            RunLockedError: a training is writing the run that would be replaced.
        """
        n = 1
        while True:
            path = requested if n == 1 else requested.with_name(f"{requested.name}-{n}")
            n += 1
            if replaces and is_run(path):
                n = 1
                finish(path)
                Run(path)._remove()
            elif os.path.lexists(path):
                continue
            else:
                finish(path)
            try:
                self.path.rename(path)
            except OSError as error:
                if path.exists():  # another process was faster
                    continue
                raise _cannot_make(path, error) from error
            try:
                sync_folder(path.parent)
            except OSError as error:
                shutil.rmtree(path, ignore_errors=True)
                raise _cannot_make(path, error) from error
            return replace(self, path=path)

    def _remove(self) -> None:
        with self.locked():
            leftover = temporary_name(self.path)
            try:
                self.path.rename(leftover)
            except OSError as error:
                raise _cannot_make(self.path, error) from error
        shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[Run]:
        """Lock the directory against other trainings while the block runs, and yield it with its identity.

        Every later write through the yielded object checks that the directory was not moved or deleted.

        Raises:
            RunLockedError: another training holds the lock.
            RunError: a file of the directory is a link.
        """
        from filelock import FileLock, Timeout  # a slow import that predicting does not need

        folders = (CHECKPOINTS, SNAPSHOTS, MEMBERS, SCORED, TARGETS, CODE_FOLDER, CONTROL_FOLDER)
        files = [self.path / name for name in (*CHECKSUMMED, TRAINING_ROWS_KEY, MANIFEST, LOCK, *folders)]
        for path in [*files, *(entry for folder in folders for entry in (self.path / folder).glob("*"))]:
            if os.path.lexists(path) and (path.is_symlink() or not (path.is_file() or path.is_dir())):
                raise RunError(
                    "it is a link, a pipe or a device, which a run directory does not hold",
                    location=Location(source=str(path)),
                    hint="Put the file itself there.",
                )
        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            identity = FolderIdentity.of(self.path)
            lock.acquire()
        except Timeout:
            raise RunLockedError(
                "another training is writing this run",
                location=Location(source=str(self.path)),
                hint="Wait for it to end, or stop it.",
            ) from None
        except OSError as error:
            raise NncliError(
                f"the run directory cannot be locked: {error.strerror or error}",
                location=Location(source=str(self.path)),
                hint="Check that it can be written to, and that the disk is not full.",
            ) from error
        try:
            # The lock makes its folder again if another process removed it after `identity` was read.
            identity.check(self.path)
            yield replace(self, identity=identity)
        finally:
            lock.release()

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open an existing run directory, trained or not.

        Raises:
            RunError: it does not exist, or is not a run directory.
        """
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises when the name is too long
            raise RunError(
                why_not_a_directory(path),
                location=Location(source=str(path)),
                hint=missing_run_hint(path),
            )
        check_is_no_search(path)
        if not os.path.lexists(path / MANIFEST) and not is_cross_validation(path):
            raise RunError(
                f"not a run directory: it holds no {MANIFEST}", location=Location(source=str(path)), hint=runs_in(path)
            )
        return cls(path)

    def clear_leftovers(self) -> None:
        """Remove the temporary files of a training that was killed. The directory must be locked.

        Each member of an ensemble has its own lock and leftovers.
        """
        for folder in (self.path, self.path / CHECKPOINTS, self.path / SNAPSHOTS):
            for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
                with suppress(OSError):
                    leftover.unlink()

    def clear_unfinished_members(self) -> None:
        """Remove the directories of members that a killed process had begun to create.

        No process may be training members.
        """
        for leftover in (self.path / MEMBERS).glob(f".*{TEMPORARY_SUFFIX}"):
            shutil.rmtree(leftover, ignore_errors=True)

    def check_in_place(self) -> None:
        """Raise a RunError if the directory was moved or deleted since it was locked."""
        if self.identity is not None:
            self.identity.check(self.path)

    def watched(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """`stop`, which a training calls after every batch, with a check of the directory a few times a second.

        A RunError follows soon after it was moved or deleted.
        """
        if self.identity is None:
            return stop
        next_check = 0.0

        def check_and_stop() -> bool:
            nonlocal next_check
            now = time.monotonic()
            if now >= next_check:
                next_check = now + SECONDS_BETWEEN_CHECKS
                self.check_in_place()
            return stop()

        return check_and_stop

    def _write(self, name: str, content: str | bytes) -> None:
        self.check_in_place()
        write_bytes(self.path / name, content.encode() if isinstance(content, str) else content, in_place=True)

    def save_config(self, config: Config, header: str = CONFIG_HEADER) -> None:
        """Write config.yaml, with comment lines before it.

        Raises:
            DataError: it would be too large to be read again.
        """
        from nncli.config.yaml.document import MAX_TEXT_BYTES
        from nncli.config.yaml.writer import dump

        text = (header + dump(config.model_dump(mode="json"))).encode()
        if len(text) > MAX_TEXT_BYTES:
            raise DataError(
                f"the names of the columns are too long: the configuration would have {len(text):,} bytes",
                location=Location(source=config.data.path),
                hint="Use shorter names or fewer columns.",
            )
        self._write(CONFIG, text)

    def restore_config(self, config: Config) -> None:
        """Write config.yaml again if it was deleted."""
        if not (self.path / CONFIG).exists():
            self.save_config(config.model_copy(update={"output": str(self.path)}))

    def save_spec(self, spec: ModelSpec | EnsembleSpec) -> None:
        """Write model.json, unless it is there already: at the end of a training it mostly is as at the start."""
        path, content = self.path / MODEL, (spec_json(spec) + "\n").encode()
        try:
            is_there = read_regular(path, len(content)) == content
        except OSError:
            is_there = False
        if not is_there:
            self._write(MODEL, content)

    def save_weights(self, parameters: Parameters) -> None:
        """Write model.safetensors."""
        self._write(WEIGHTS, _serialize(parameters))

    def save_snapshot(self, epoch: int, parameters: Parameters) -> None:
        """Keep the weights after an epoch."""
        self._write(snapshot_file(epoch), _serialize(parameters))

    def save_held_out(self, rows: HeldOutRows) -> None:
        """Write held_out.safetensors, the rows that a network did not train on, with their predictions."""
        self._write(HELD_OUT, rows.to_bytes())

    def save_reference(self, reference: Reference) -> None:
        """Write reference.safetensors, the profile of the training rows."""
        self._write(REFERENCE, reference.to_bytes())

    def drop_spec(self) -> None:
        """Remove model.json, since the members of the ensemble will change."""
        (self.path / MODEL).unlink(missing_ok=True)

    def drop_weights(self) -> None:
        """Remove model.safetensors, since its weights are unusable."""
        (self.path / WEIGHTS).unlink(missing_ok=True)

    def save_history(self, reports: Iterable[EpochReport], metric: str | None) -> None:
        """Write history.csv; the metric's column is named after it, such as `val_accuracy`."""
        from nncli.run_directory.history_and_metrics import history_csv

        self._write(HISTORY, history_csv(reports, metric))

    def save_health(self, measurements: Iterable[Health]) -> None:
        """Write health.csv."""
        from nncli.run_directory.history_and_metrics import health_csv

        self._write(HEALTH, health_csv(measurements))

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        self._write(METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")

    def save_training_rows(self, rows: TrainingRows) -> None:
        """Write training_rows.safetensors, and the key of its hashes if they have one."""
        self._write(TRAINING_ROWS, rows.to_bytes())
        if rows.key:
            self._write(TRAINING_ROWS_KEY, rows.key)
            (self.path / TRAINING_ROWS_KEY).chmod(0o600)

    def save_manifest(self, manifest: Manifest) -> None:
        """Write manifest.json; with the checksums of all files unless the status is "running"."""
        for record in manifest.plugins:
            copy = self.path / CODE_FOLDER / record.file
            if record.file and not copy.exists():
                copy.parent.mkdir(exist_ok=True)
                write_bytes(copy, content_of(record.sha256), in_place=True)
        files = {} if manifest.status == "running" else self._checksums(manifest)
        signed_manifest = manifest.model_copy(update={"files": files}).with_checksum()
        self._write(MANIFEST, signed_manifest.model_dump_json(indent=1) + "\n")

    def _checksums(self, manifest: Manifest) -> dict[str, str]:
        there = [name for name in sorted(manifest.allowed_files) if (self.path / name).is_file()]
        try:
            return {name: hashlib.sha256(read_regular(self.path / name, LARGEST_FILE)).hexdigest() for name in there}
        except OSError as error:
            raise NncliError(
                f"a file just written cannot be read back: {error.strerror or error}",
                location=Location(source=str(self.path)),
                hint=Advice("Once it can, go on: ", ResumeRun(self.path)),
            ) from error

    def load_manifest(self) -> Manifest:
        """Read the manifest; that of a finished cross-validation is composed of those of its folds.

        Raises:
            RunError: it is damaged, or the cross-validation is not finished.
        """
        return read_folds_manifest(self.path) if is_cross_validation(self.path) else read_manifest(self.path)

    def load_training_rows(self) -> TrainingRows | None:
        """Read the hashes of the training and validation rows; None if the run has none; RunError if damaged."""
        manifest = self.load_manifest()
        if isinstance(manifest, FoldsManifest):
            return read_folds_training_rows(self.path, manifest)
        return read_training_rows(self.path, manifest)

    def load_held_out(self, manifest: Manifest | None = None) -> HeldOutRows | None:
        """Read the rows that a network did not train on, with their predictions; `manifest` if it was read before.

        None for a run without such rows, and for a run of an older version, which does not keep them.

        Raises:
            RunError: the run is not trained yet, or a file is damaged.
        """
        manifest = manifest or self.load_manifest()
        if isinstance(manifest, FoldsManifest):
            return read_folds_held_out(self.path, manifest)
        return read_held_out(self.path, manifest)

    def load_reference(self) -> Reference | None:
        """Read the profile of the training rows; None for older runs and for members; RunError if damaged."""
        return read_reference(self.path, self.load_manifest())

    @property
    def targets(self) -> dict[str, Run]:
        """The run of each of several targets; none of one target."""
        return {name: Run(self.path / folder) for name, folder in self.load_manifest().target_folders.items()}

    def each_target(self, work: Callable[[str, Path], T], data: object = None) -> dict[str, T]:
        """What `work` makes of the name and the run of each of several targets; nothing for a run of one.

        Raises:
            UsageError: the `data` of the work are a pipe, which cannot be read for each.
        """
        targets = self.targets
        if targets and isinstance(data, TableSource | str | os.PathLike) and as_source(data).is_standard_input:
            self.check_one_target()
        return {name: work(name, of_target.path) for name, of_target in targets.items()}

    def check_one_target(self, manifest: Manifest | None = None) -> None:
        """Raise a UsageError if the run has several targets, so that the run of one is to be named."""
        folders = (manifest or self.load_manifest()).target_folders
        if folders:
            runs = ", ".join(shlex.quote(str(self.path / folder)) for folder in folders.values())
            raise UsageError(
                f"this needs one target, and the run has {len(folders)}: {join_quoted(folders)}",
                location=Location(source=str(self.path)),
                hint=f"Name the run of one: {runs}.",
            )

    def load_model(self, *, several: bool = False) -> Model | Ensemble:
        """Read the trained model or ensemble; of a cross-validation, the mean of the models of its folds.

        That of `several` targets predicts what their runs are made of.

        Raises:
            UsageError: the run has several targets.
            RunError: it is not trained yet, damaged, or written by a newer nncli.
        """
        manifest = self.load_manifest()
        if not several:
            self.check_one_target(manifest)
        if isinstance(manifest, FoldsManifest):
            return read_folds(self.path, manifest)
        is_ensemble = manifest.members > 1
        last = MODEL if is_ensemble else WEIGHTS
        if last not in manifest.files and (is_ensemble or not os.path.lexists(self.path / last)):
            raise RunError(
                "the training of this run has not finished, or failed",
                location=Location(source=str(self.path)),
                hint="It diverged or broke off: train a new run, with a lower learning_rate if it diverged."
                if manifest.status == "failed"
                else Advice("To resume: ", ResumeRun(self.path)),
            )
        return read_any_model(self.path, manifest)


def _cannot_make(path: Path, error: OSError) -> NncliError:
    blocked = isinstance(error, FileExistsError | NotADirectoryError)
    return NncliError(
        f"cannot create the run directory: {'a part of its path is a file' if blocked else error.strerror or error}",
        location=Location(source=str(path)),
        hint="Name another place with -o.",
    )


def _serialize(parameters: Parameters) -> bytes:
    arrays = {name: np.ascontiguousarray(view) for name, view in parameters.by_name.items()}
    return safetensors.numpy.save(arrays)


def to_bytes(run: Path) -> dict[str, bytes]:
    """The files of a run directory by their relative paths, without checkpoints and hidden files."""
    paths = sorted(path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run): path for path in paths}
    return {
        name.as_posix(): read_regular(path, LARGEST_FILE)
        for name, path in named.items()
        if CHECKPOINTS not in name.parts and not any(part.startswith(".") for part in name.parts)
    }


def from_bytes(files: Mapping[str, bytes], run: Path, *, exist_ok: bool = False) -> None:
    """Create the run directory from packed files; the manifest is written last. With `exist_ok` an empty one may exist.

    Raises:
        FileExistsError: the path exists.
        NncliError: a file cannot be written.
    """
    run.mkdir(parents=True, exist_ok=exist_ok)
    with batched_fsync():
        for name, content in files.items():
            if name != MANIFEST:
                write_bytes(run / name, content, in_place=True)
    write_bytes(run / MANIFEST, files[MANIFEST], in_place=True)
