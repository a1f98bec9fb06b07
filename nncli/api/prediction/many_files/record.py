"""The record of the files that are predicted into a folder: by which model, with which options, from which inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from nncli.api.options import WriteOptions
from nncli.api.prediction.many_files.file_task import FileState, FileToPredict
from nncli.api.prediction.tables import PredictionSummary
from nncli.base.atomic_files import write_text
from nncli.base.errors import Advice, Location, NncliError, UsageError
from nncli.base.option import declared_options
from nncli.base.regular_files import read_regular
from nncli.base.spec import Spec
from nncli.base.text import join_quoted
from nncli.data.dialect import AUTO
from nncli.data.sources.table_source import TableSource
from nncli.models.conformal.uncertainty_options import UncertaintyOptions

FORCE = Advice("Pass ", WriteOptions.use("force", True), " to predict them all again, or name another folder with -o.")

LARGEST_RECORD = 1 << 30
"""Bytes of a record at most: some 100 for each file."""
EARLIER_NAMES = {"intervals": "interval", "sets": "prediction_set", "score": "conformity_score"}
"""Names of options of uncertainty in the records of nncli 0.2.0."""


class FileResult(Spec):
    """One answer: the path of its input relative to the output folder, or its URL, and the input's state.

    `replaces` is the state of an older file of the answer's name, which may be replaced.
    """

    input: str
    state: FileState
    replaces: FileState | None = None


class AnswersRecord(Spec):
    """The answers in a folder by their names, the checksum of the run's manifest, and the options.

    It is written once, before the first answer. An answer is whole as soon as it exists, so one that is in the record
    is done.
    """

    format: Literal[1] = 1
    run: str
    options: dict[str, Any]
    files: dict[str, FileResult]

    @classmethod
    def read(cls, path: Path, *, force: bool = False) -> AnswersRecord | None:
        """Read a record; None if there is none, or with `force` if it is damaged.

        Raises:
            UsageError: it is damaged.
        """
        try:
            found = cls.model_validate_json(read_regular(path, LARGEST_RECORD))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            if force:
                return None
            raise UsageError(
                "the record of the predictions in this folder cannot be read",
                location=Location(source=str(path)),
                hint=FORCE,
            ) from error
        asked = found.options.get("uncertainty")
        if isinstance(asked, dict):
            found.options["uncertainty"] = {EARLIER_NAMES.get(name, name): value for name, value in asked.items()}
        return found

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        write_text(path, json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")


def options_of(options: WriteOptions, source: TableSource) -> dict[str, Any]:
    """What determines the answers besides run and input, as the record holds it; of the source the sheet and range.

    There are no options of intervals and sets without levels, nor `at`, `flag_unusual`, `decimal` and `quote` unless
    they are set, as in the records of older versions.
    """
    uncertainty = {field.name for field in fields(UncertaintyOptions)}
    names = [
        declared.field
        for declared in declared_options(WriteOptions)
        if declared.option.panel and declared.field not in uncertainty
    ]
    apart = ("force", "flag_unusual", "decimal", "at", "code")
    return {
        **{name: getattr(options, name) for name in names if name not in apart},
        **({"flag_unusual": True} if options.flag_unusual else {}),
        **({"at": [*options.times]} if options.times else {}),
        **({"decimal": ","} if options.decimal == "," else {}),
        "keep": [*options.keep],
        **({"uncertainty": json.loads(json.dumps(asdict(options.uncertainty)))} if options.levels else {}),
        "errors": None if options.errors_file is None else str(options.errors_file.absolute()),
        "source": source.model_dump(mode="json", exclude={"path", *(["quote"] if source.quote == AUTO else [])}),
    }


def new_record(
    output: Path,
    run: str,
    options: dict[str, Any],
    files: Sequence[FileToPredict],
    old: AnswersRecord | None,
    *,
    force: bool,
) -> tuple[AnswersRecord, frozenset[str]]:
    """The record to write into the folder `output`, and the names of the answers that are done.

    Raises:
        UsageError: without `force`, a file exists that is no answer of this run, these options and this input.
    """
    same = old is not None and (old.run, old.options) == (run, options)
    entries = dict(old.files) if old is not None and same else {}
    if old is not None and not same and not force:
        _refuse_others(output, run, old)
    done, unknown, changed = set(), [], []
    for file in files:
        path, before = output / file.answer, entries.get(file.answer)
        place = os.path.relpath(file.name, output) if file.state.tag is None else file.name
        entry = FileResult(input=place, state=file.state)
        if not os.path.lexists(path):
            entries[file.answer] = entry
            continue
        present = FileState.of(path)
        if force or (before is not None and present == before.replaces):
            entries[file.answer] = entry.model_copy(update={"replaces": present})
        elif before is None:
            unknown.append(str(path))
        elif (before.input, before.state) != (entry.input, entry.state):
            changed.append(file.name)
        else:
            done.add(file.answer)
    if changed:
        raise UsageError(f"changed since they were predicted into {output}: {join_quoted(changed)}", hint=FORCE)
    if unknown:
        raise UsageError(f"already there, and not predicted by this command: {join_quoted(unknown)}", hint=FORCE)
    return AnswersRecord(run=run, options=options, files=entries), frozenset(done)


def _refuse_others(output: Path, run: str, old: AnswersRecord) -> None:
    """Raise a UsageError if there are answers of another run, or with other options."""
    if any(os.path.lexists(output / answer) for answer in old.files):
        what = "by another run, or before the run was changed" if old.run != run else "with other options"
        raise UsageError(
            f"the files in this folder were predicted {what}", location=Location(source=str(output)), hint=FORCE
        )


FileStatus: TypeAlias = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class PredictedFile:
    """One of many files: its name, the file of its answers, and what was done.

    `skipped`: it was predicted before. A `failed` file has an error and no answers. `rows` counts the answers.
    """

    name: str
    answer: Path
    status: FileStatus
    rows: int | None = None
    error: NncliError | None = None


@dataclass(frozen=True)
class FilesProgress:
    """The files that have been predicted so far, of a `total`; `latest` is the one that ended last."""

    total: int
    done: int = 0
    skipped: int = 0
    failed: int = 0
    rows: int = 0
    latest: PredictedFile | None = None

    def with_file(self, file: PredictedFile) -> FilesProgress:
        """The progress after one more file."""
        return replace(
            self,
            done=self.done + (file.status == "done"),
            skipped=self.skipped + (file.status == "skipped"),
            failed=self.failed + (file.status == "failed"),
            rows=self.rows + (file.rows or 0),
            latest=file,
        )


@dataclass(frozen=True)
class FilesPrediction:
    """The files that a command predicted, in the order of the input, with counts of those that it predicted now."""

    files: tuple[PredictedFile, ...]
    summary: PredictionSummary

    @property
    def done(self) -> tuple[PredictedFile, ...]:
        """The files that were predicted now."""
        return self._of_status("done")

    @property
    def skipped(self) -> tuple[PredictedFile, ...]:
        """The files that had been predicted before."""
        return self._of_status("skipped")

    @property
    def failed(self) -> tuple[PredictedFile, ...]:
        """The files that could not be read or predicted, each with its error."""
        return self._of_status("failed")

    def _of_status(self, status: FileStatus) -> tuple[PredictedFile, ...]:
        return tuple(file for file in self.files if file.status == status)
