"""The file of a profile of predicted rows: read, written, and added to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nncli.base.atomic_files import write_text
from nncli.base.errors import DataError, Location, RunError, UsageError
from nncli.base.regular_files import read_regular
from nncli.data.sources.table_source import TableSource
from nncli.models.ensemble import AnyModel
from nncli.run_directory.filenames import REFERENCE, train_command
from nncli.run_directory.loader import check_not_removed
from nncli.run_directory.monitoring.profiler import LARGEST_FILE, OtherReferenceError, Profile, Profiler
from nncli.run_directory.monitoring.reference import Reference
from nncli.run_directory.run import Run

SUFFIX = ".json"
"""The suffix of profiles, which no table has."""


def is_profile_file(data: object) -> bool:
    """Whether `data` is the path of a profile, by its suffix."""
    path = data.path if isinstance(data, TableSource) else data
    return isinstance(path, str | os.PathLike) and str(path).lower().endswith(SUFFIX) and "://" not in str(path)


def reference_of_run(run: Run) -> Reference:
    """The reference profile of a run; a RunError if it has none."""
    reference = run.load_reference()
    if reference is None:
        run.load_model()  # a run that is not trained says so
        check_not_removed(run.path, run.load_manifest(), REFERENCE)
        raise RunError(
            f"the run has no {REFERENCE}, with which new rows are compared: it is a network of an ensemble or a fold, "
            "or was trained by an older version",
            location=Location(source=str(run.path)),
            hint=f"Name the run of the whole ensemble, or train again: {train_command(run.path)}",
        )
    return reference


def profiler_of(run: Run, model: AnyModel) -> Profiler:
    """The profiler of the rows that a run predicts.

    Raises:
        RunError: the run has no reference profile, or a damaged one.
    """
    try:
        return Profiler.of(reference_of_run(run), model)
    except ValueError as error:
        raise RunError(f"{REFERENCE} does not belong to the model", location=Location(source=str(run.path))) from error


def read_profile(path: Path, reference: Reference) -> Profile:
    """Read a profile of rows that the run of the reference predicted.

    Raises:
        DataError: there is no such file, it is damaged, or it belongs to another run.
    """
    place = Location(source=str(path))
    try:
        return Profile.from_json(read_regular(Path(os.path.realpath(path)), LARGEST_FILE), reference)
    except OSError as error:
        raise DataError(f"the profile cannot be read: {error.strerror or error}", location=place) from error
    except OtherReferenceError:
        raise DataError(
            "the profile is of rows that another run predicted, or this run before it was trained again",
            location=place,
            hint="Name the run that predicted these rows, or another file.",
        ) from None
    except ValueError as error:
        raise DataError(
            "the file is damaged, or not a profile that nncli predict wrote",
            location=place,
            hint="Predict the rows again with another name, or name a table.",
        ) from error


@dataclass(frozen=True)
class ProfileFile:
    """The file to which the profile of predicted rows is added."""

    path: Path
    profiler: Profiler

    @classmethod
    def open(cls, path: Path, run: Run, model: AnyModel) -> ProfileFile:
        """The file `path` of a run, which may exist.

        Raises:
            UsageError: the name does not end in .json, or the file cannot be written.
            DataError: the file is no profile of this run.
            RunError: the run has no reference profile.
        """
        if path.suffix.lower() != SUFFIX:
            raise UsageError(
                "a profile is a JSON file", location=Location(source=str(path)), hint="Use a name that ends in .json."
            )
        profiler = profiler_of(run, model)
        if os.path.lexists(path):
            _read_own(path, profiler)
        elif not path.parent.is_dir():
            raise UsageError("there is no such folder", location=Location(source=str(path.parent)), hint="Create it.")
        return cls(path, profiler)

    def add(self, profiles: Iterable[Profile | None]) -> None:
        """Add profiles to the file, or create it; it is replaced at once. Several processes may add at the same time.

        Raises:
            DataError: the file is no longer a profile of this run.
        """
        from filelock import FileLock  # a slow import that predicting without a profile does not need

        lock = self.path.with_name(f".{self.path.name}.lock")
        with FileLock(lock):
            if os.path.lexists(self.path):
                total = _read_own(self.path, self.profiler)
            else:
                total = Profile.empty(self.profiler.reference, self.profiler.decision)
            for profile in profiles:
                total = total if profile is None else total + profile
            write_text(self.path, total.to_json())


def _read_own(path: Path, profiler: Profiler) -> Profile:
    """Read a profile to which rows are added; a DataError if it is of rows with classes by another decision."""
    profile = read_profile(path, profiler.reference)
    if profile.decision != profiler.decision:
        raise DataError(
            f"the profile is of rows with classes by {profile.decision or 'the largest probability'}, "
            f"now they are by {profiler.decision or 'the largest probability'}",
            location=Location(source=str(path)),
            hint="Use another file.",
        )
    return profile
