"""`nncli export`: write a trained run as one file that other runtimes compute, and check it there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nncli.api.options import ExportOptions
from nncli.base import plugins
from nncli.base.atomic_files import atomic_writer, check_overwrite
from nncli.base.errors import Advice, Location, NncliError, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.exporters.formats import ExportFormat, ModelInfo
from nncli.exporters.lowering import lower_model, with_typical_values
from nncli.exporters.parity import ParityReport
from nncli.exporters.parity_check import ParityCheck, reason_of, training_sample, with_unusual_rows
from nncli.exporters.runtimes.process import ExportedFileError
from nncli.fitting.conformal import conformal_predictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.read_table import read_to_predict
from nncli.nn.program.program import Program, select_outputs
from nncli.run_directory import filenames
from nncli.run_directory.run import Run
from nncli.targets.target_base import TargetBase
from nncli.version import __version__

NOT_WRITTEN = Advice(
    "The file was not written. Please report this; ", ExportOptions.use("check", False), " writes it all the same."
)


@dataclass(frozen=True)
class Export:
    """An exported file: its path and size, the bytes of the weights in it, and its check.

    Without a `comparison`, `unchecked` says why the file was not checked.
    """

    path: Path
    target: str
    runtime: str
    bytes: int
    constant_bytes: int
    comparison: ParityReport | None = None
    unchecked: str | None = None

    def json(self) -> dict[str, Any]:
        """The export as JSON."""
        return {
            "file": str(self.path),
            "target": self.target,
            "bytes": self.bytes,
            "weights_bytes": self.constant_bytes,
            "runtime": self.runtime,
            "check": None if self.comparison is None else self.comparison.json(),
            "unchecked": self.unchecked,
        }


class MismatchError(ExportedFileError):
    """A file whose outputs are not those of the model; `export` says how they differ."""

    def __init__(self, export: Export) -> None:
        super().__init__(
            f"the predictions of the file in {export.runtime} are not those of `nncli predict`",
            location=Location(source=str(export.path)),
            hint=NOT_WRITTEN,
        )
        self.export = export


@dataclass(frozen=True)
class PreparedExport:
    """An export whose file was checked and is not written yet, and the content of the file."""

    export: Export
    content: bytes


def export_with(run: str | Path, output: str | Path | None = None, *, options: ExportOptions) -> Export:
    """Write a run as one file for another runtime, once its predictions were compared with those of nncli predict.

    `output` is by default the run's name in the working directory, with the suffix of the target. `check` is a table
    whose rows are compared; True: some rows of the training table, where the table is unchanged and the runtime is
    installed; False: no check.

    Raises:
        UsageError: the options do not fit each other or the model, the target cannot express it, or the file exists.
        RunError: the run directory is missing or damaged, or has no held-out rows for intervals.
        DataError: the table of the check cannot be read.
        ExportedFileError: the predictions of the file differ (MismatchError), its runtime refuses it, or is not
            installed although a table is given for the check.
    """
    prepared = prepare_export(run, output, options=options)
    write_exports([prepared])
    return prepared.export


def prepare_export(run: str | Path, output: str | Path | None = None, *, options: ExportOptions) -> PreparedExport:
    """Make the file of a run for another runtime, and compare its predictions with those of nncli predict.

    `output`, the `check` and the errors are those of `export_with`.
    """
    check = options.check
    target, path = _target_and_path(Path(run), options.to, None if output is None else Path(output))
    check_overwrite(path, force=options.force)
    missing = None if check is False else target.load_runner().missing()
    if missing is not None and check is not True:
        raise ExportedFileError(f"{target.runtime}, which checks the file, cannot be used", hint=_sentence(missing))
    opened = Run.open(Path(run))
    model = opened.load_model()
    if options.interval:
        model.spec.target.require("interval", ExportOptions.use("interval"))
    conformal = conformal_predictor(opened, model, UncertaintyOptions(interval=options.interval))
    with log_duration("describing the model as a program"):
        program = _select_outputs(lower_model(model, conformal), model.spec.target, options)
        program = with_typical_values(program, opened.load_reference())
    info = ModelInfo(_name(opened.path), opened.load_manifest().checksum, __version__)
    with log_duration(f"writing the program for {target.runtime}"):
        content = target.content(program, info)
    exported = Export(path, target.name, target.runtime, len(content), program.constant_bytes)
    if check is False:
        exported = replace(exported, unchecked=Advice(ExportOptions.use("check", False), " is given"))
    elif missing is not None:
        exported = replace(exported, unchecked=f"{target.runtime} cannot be used: {missing}")
    else:
        rows = None if isinstance(check, bool) else check
        exported = _checked(exported, content, ParityCheck(model, conformal, program, target), opened, rows)
    return PreparedExport(exported, content)


export = operation(ExportOptions)(export_with)


def write_exports(prepared: Iterable[PreparedExport]) -> None:
    """Write files that were prepared, all of them or, if one cannot be written, none."""
    with ExitStack() as stack:
        for item in prepared:
            stack.enter_context(atomic_writer(item.export.path)).write(item.content)


def _checked(exported: Export, content: bytes, check: ParityCheck, run: Run, rows: TableLocation | None) -> Export:
    """The export with the comparison of its content, for the rows of a table or some of the training table."""
    tables: Iterable[Table]
    if rows is None:
        try:
            tables = with_unusual_rows(check.model, check.program, training_sample(run, check.model))
        except NncliError as error:
            return replace(exported, unchecked=reason_of(error))
    else:
        tables = read_to_predict(check.model, rows)
    with (
        log_duration(f"comparing the predictions of the file in {exported.runtime}"),
        TemporaryDirectory(prefix="nncli-export-") as folder,
    ):
        file = Path(folder, "model" + check.target.suffix)  # a runtime may refuse another suffix, or odd names
        file.write_bytes(content)
        try:
            comparison = check.run(file, tables)
        except ExportedFileError as error:
            raise ExportedFileError(error.message, location=error.location, hint=error.hint or NOT_WRITTEN) from error
    exported = replace(exported, comparison=comparison)
    if not comparison.is_match:
        raise MismatchError(exported)
    return exported


def _target_and_path(run: Path, to: str | None, output: Path | None) -> tuple[ExportFormat, Path]:
    """The target, by its name or by the suffix of the file, and the file to write.

    Raises:
        UsageError: there is no such target, or no suffix that tells it.
    """
    if output is not None and str(output) == "-":
        raise UsageError("an exported file is not written to standard output", hint="Name a file.")
    by_name: dict[str, ExportFormat] = plugins.load_integrations("exports")
    by_suffix = {suffix: target for target in by_name.values() for suffix in target.suffixes}
    suffix = "" if output is None else output.suffix.lower()
    if (to is not None and to not in by_name) or (to is None and suffix and suffix not in by_suffix):
        others = plugins.load_all("exports").values()
        by_name |= {target.name: target for target in others}
        by_suffix = {suffix: target for target in others for suffix in target.suffixes} | by_suffix
    names = join_quoted(by_name)
    if to is None and output is None:
        raise UsageError(
            "neither the target nor a file is named", hint=Advice("Add ", ExportOptions.use("to"), f": {names}.")
        )
    if to is not None and to not in by_name:
        close = closest_match(to, by_name)
        hint = f"Did you mean {quote(close)}?" if close else f"The targets are {names}."
        raise UsageError(f"{quote(to)} is no target", hint=hint)
    of_suffix = None if output is None else by_suffix.get(output.suffix.lower())
    if to is None:
        if of_suffix is None:
            raise UsageError(
                "the suffix of the file is that of no target",
                location=Location(source=str(output)),
                hint=Advice(f"Use one of {join_quoted(by_suffix)}, or add ", ExportOptions.use("to"), f": {names}."),
            )
        return of_suffix, output or Path()
    target = by_name[to]
    if of_suffix not in (None, target):
        raise UsageError(
            f"the target is {to}, and the suffix of the file is that of another one",
            location=Location(source=str(output)),
            hint=Advice(
                f"Name the file {output.stem + target.suffix if output else ''}, or leave out ",
                *(ExportOptions.use("to"), "."),
            ),
        )
    return target, output or Path(_name(run) + target.suffix)


def _name(run: Path) -> str:
    """The name of a run directory, also of `.`; that of one of several targets follows the name of the run of all."""
    path = run.resolve()
    name = f"{path.parents[1].name}-{path.name}" if path.parent.name == filenames.TARGETS else path.name
    return name or "model"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _select_outputs(program: Program, target: TargetBase, options: ExportOptions) -> Program:
    """The program with the outputs that are asked for.

    Raises:
        UsageError: the options exclude each other, or the program has no classes.
    """
    labels, proba, use = options.labels, options.proba, ExportOptions.use
    if labels and proba:
        raise UsageError(
            Advice(use("labels"), " leaves out the probabilities, and ", use("proba"), " the label"),
            hint="For both, leave out both options.",
        )
    if not labels and not proba:
        return program
    target.require("classes", use("labels" if labels else "proba"))
    return select_outputs(program, "class" if labels else "probability")
