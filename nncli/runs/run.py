"""The run directory: made, locked, written and opened here and nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import safetensors.numpy

from nncli.ensemble import Ensemble, EnsembleSpec
from nncli.errors import Location, NncliError, RunError, RunLockedError, UsageError
from nncli.model import Model, ModelSpec
from nncli.runs.filenames import CROSS_VALIDATION, FOLDS, LOCK
from nncli.runs.loader import read_ensemble, read_manifest, read_model
from nncli.runs.manifest import (
    CHECKPOINTS,
    CHECKSUMMED,
    CONFIG,
    HISTORY,
    MANIFEST,
    MEMBERS,
    METRICS,
    MODEL,
    WEIGHTS,
    Manifest,
)
from nncli.text import join_quoted
from nncli.utils.atomic_files import (
    TEMPORARY_SUFFIX,
    batched_fsync,
    relabel_errors,
    sync_folder,
    write_bytes,
    write_text,
)

if TYPE_CHECKING:  # who only predicts waits for neither
    from nncli.config.schema import Config
    from nncli.training.loop import EpochReport


@dataclass(frozen=True)
class Run:
    """A run directory at `path`."""

    path: Path

    @classmethod
    @contextmanager
    def create(cls, wanted: Path, config: Config, spec: ModelSpec | None, manifest: Manifest) -> Iterator[Run]:
        """Make a new directory, locked while the block runs: `wanted`, or `wanted-2` … when that exists.

        It is filled under a temporary name and then renamed, so that a run directory always knows its configuration.
        An ensemble's `spec` is None: what its members have in common is known once they are trained.

        Raises:
            UsageError: `wanted` is no name for a new folder.
            NncliError: it cannot be made.
        """
        _check_name(wanted)
        try:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            _clear_leftovers(wanted)
        except OSError as error:
            raise _cannot_make(wanted, error) from error
        with cls._temporary_run(wanted) as making:
            with (
                relabel_errors(making.path.parent.resolve() / making.path.name, wanted),
                relabel_errors(making.path, wanted),
            ):
                with batched_fsync():
                    if spec is not None:
                        making.save_spec(spec)
                    making.save_manifest(manifest)
                run = making._rename_to_free_name(wanted, config)
            yield run

    @classmethod
    @contextmanager
    def _temporary_run(cls, wanted: Path) -> Iterator[Run]:
        """A new directory under a name of its own, locked; removed unless it has got another name by the end."""
        with ExitStack() as stack:
            while True:
                making = cls(wanted.with_name(f".{wanted.name}.{uuid4().hex[:12]}{TEMPORARY_SUFFIX}"))
                try:
                    making.path.mkdir()
                except OSError as error:
                    raise _cannot_make(wanted, error) from error
                stack.callback(shutil.rmtree, making.path, ignore_errors=True)
                try:
                    with relabel_errors(making.path, wanted):
                        stack.enter_context(making.locked())
                except NncliError as error:
                    if not isinstance(error, RunError) and making.path.exists():
                        raise
                else:
                    if (making.path / LOCK).exists():
                        break
                # Before it was locked somebody took it for a leftover: once more.
            yield making

    def _rename_to_free_name(self, wanted: Path, config: Config) -> Run:
        """Give the finished directory the first name that is free."""
        n = 1
        while True:
            path = wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n}")
            n += 1
            if os.path.lexists(path):
                continue
            self.save_config(config.model_copy(update={"output": str(path)}))
            try:
                self.path.rename(path)
            except OSError as error:
                if path.exists():  # somebody else was quicker
                    continue
                raise _cannot_make(path, error) from error
            try:
                sync_folder(path.parent)
            except OSError as error:
                shutil.rmtree(path, ignore_errors=True)
                raise _cannot_make(path, error) from error
            return Run(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory against any other training.

        Raises:
            BusyError: another training holds it.
            RunError: a link in it would lead the writing elsewhere.
        """
        from filelock import FileLock, Timeout  # who predicts waits for nobody

        own = [self.path / name for name in (*CHECKSUMMED, MANIFEST, CHECKPOINTS, MEMBERS, LOCK)]
        for path in [*own, *(self.path / CHECKPOINTS).glob("*"), *(self.path / MEMBERS).glob("*")]:
            if path.is_symlink():
                raise RunError(
                    "not a plain file: a run directory holds no links",
                    place=Location(source=str(path)),
                    hint="Put the file itself there.",
                )
        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunLockedError(
                "another training is writing this run",
                place=Location(source=str(self.path)),
                hint="Wait for it to end, or stop it.",
            ) from None
        except OSError as error:
            raise NncliError(
                f"the run directory cannot be locked: {error.strerror or error}",
                place=Location(source=str(self.path)),
                hint="Check that it can be written to, and that the disk is not full.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    @classmethod
    def open(cls, path: Path) -> Run:
        """A run directory that exists, trained or not.

        Raises:
            RunError: there is none, or it is not a run directory.
        """
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises when the name is too long
            there = os.path.lexists(path)
            raise RunError(
                "this is a file, not a run directory" if there else "there is no such run directory",
                place=Location(source=str(path)),
                hint="`nncli train CONFIG` makes one and prints its path; `nncli runs` lists those there are.",
            )
        if not os.path.lexists(path / MANIFEST):
            raise RunError(
                f"not a run directory: it holds no {MANIFEST}", place=Location(source=str(path)), hint=_runs_in(path)
            )
        return cls(path)

    def clear_leftovers(self) -> None:
        """Remove what a training that was killed was in the midst of writing. Only while locked.

        The members of an ensemble have a lock, and leftovers, of their own.
        """
        for folder in (self.path, self.path / CHECKPOINTS):
            for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
                with suppress(OSError):
                    leftover.unlink()

    def save_config(self, config: Config) -> None:
        """Write config.yaml."""
        from nncli.config.yaml.writer import dump

        header = "# The configuration of this run, every default written out.\n"
        write_text(self.path / CONFIG, header + dump(config.model_dump(mode="json")))

    def save_spec(self, spec: ModelSpec | EnsembleSpec) -> None:
        """Write model.json."""
        write_text(self.path / MODEL, spec.model_dump_json(indent=1) + "\n")

    def save_weights(self, model: Model) -> None:
        """Write model.safetensors."""
        arrays = {name: np.ascontiguousarray(view) for name, view in model.parameters.by_name.items()}
        write_bytes(self.path / WEIGHTS, safetensors.numpy.save(arrays))

    def drop_spec(self) -> None:
        """Remove model.json: the members of the ensemble are about to change."""
        (self.path / MODEL).unlink(missing_ok=True)

    def drop_weights(self) -> None:
        """Remove model.safetensors: it turned out to be of no use."""
        (self.path / WEIGHTS).unlink(missing_ok=True)

    def save_history(self, reports: Iterable[EpochReport], metric: str | None) -> None:
        """Write history.csv; the column of the metric bears its name, `val_accuracy` say."""
        from nncli.training.loop import EpochReport

        names = [field.name for field in fields(EpochReport)]
        titles = [f"val_{metric}" if name == "metric" and metric else name for name in names]
        lines = [",".join(titles)]
        lines += [",".join(_cell(getattr(report, name)) for name in names) for report in reports]
        write_text(self.path / HISTORY, "\n".join(lines) + "\n")

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        write_text(self.path / METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")

    def save_manifest(self, manifest: Manifest) -> None:
        """Write manifest.json; unless the run goes on, with the checksums of the files that are there now."""
        files = {} if manifest.status == "running" else self._checksums(manifest)
        written = manifest.model_copy(update={"files": files}).with_checksum()
        write_text(self.path / MANIFEST, written.model_dump_json(indent=1) + "\n")

    def _checksums(self, manifest: Manifest) -> dict[str, str]:
        there = [name for name in sorted(manifest.allowed_files) if (self.path / name).is_file()]
        try:
            return {name: hashlib.sha256((self.path / name).read_bytes()).hexdigest() for name in there}
        except OSError as error:
            raise NncliError(
                f"a file just written cannot be read back: {error.strerror or error}",
                place=Location(source=str(self.path)),
                hint=f"Once it can, go on: nncli train --resume {self.path}",
            ) from error

    def load_manifest(self) -> Manifest:
        """The manifest; RunError when it is damaged."""
        return read_manifest(self.path)

    def load_model(self) -> Model | Ensemble:
        """The trained model, or the ensemble of several.

        Raises:
            RunError: it is not trained yet, damaged, or written by a newer nncli.
        """
        manifest = self.load_manifest()
        together = manifest.members > 1
        last = MODEL if together else WEIGHTS
        if last not in manifest.files and (together or not os.path.lexists(self.path / last)):
            failed = manifest.status == "failed"
            raise RunError(
                "the training that makes this run has not finished, or failed",
                place=Location(source=str(self.path)),
                hint="It diverged or broke off: train a new run, with a lower learning_rate if it diverged."
                if failed
                else f"Go on with it: nncli train --resume {self.path}",
            )
        return read_ensemble(self.path, manifest) if together else read_model(self.path)


def _check_name(wanted: Path) -> None:
    if not wanted.name:
        raise UsageError(
            "this folder exists, and a run is never put into a folder that does",
            place=Location(source=str(wanted)),
            hint="Name a new folder, such as runs/first.",
        )
    try:
        str(wanted).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the run directory's name is not UTF-8 text",
            place=Location(source=os.fsencode(wanted).decode("utf-8", "backslashreplace")),
            hint="Name another one with -o.",
        ) from None


def _runs_in(path: Path) -> str:
    """The hint for a folder that is no run directory: the runs that it holds, if any."""
    folder, what = path, "Name one of the runs in it"
    if os.path.lexists(path / CROSS_VALIDATION):
        folder = path / FOLDS
        what = f"It is a cross-validation; name one of its runs in {folder}"
    try:
        runs = sorted(inner.name for inner in folder.iterdir() if os.path.lexists(inner / MANIFEST))
    except OSError:
        runs = []
    return f"{what}: {join_quoted(runs)}." if runs else "Is this the right path? `nncli runs` lists the runs there are."


def _clear_leftovers(wanted: Path) -> None:
    """Remove the half-made directories of trainings that were killed while they made them."""
    for leftover in wanted.parent.glob(f".{escape(wanted.name)}.*{TEMPORARY_SUFFIX}"):
        with suppress(RunError, NncliError), Run(leftover).locked():
            shutil.rmtree(leftover, ignore_errors=True)


def _cannot_make(path: Path, error: OSError) -> NncliError:
    blocked = isinstance(error, FileExistsError | NotADirectoryError)
    return NncliError(
        f"cannot make the run directory: {'a part of its path is a file' if blocked else error.strerror or error}",
        place=Location(source=str(path)),
        hint="Name another place with -o.",
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
