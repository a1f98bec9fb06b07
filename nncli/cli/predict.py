"""`nncli predict` on the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.api.options import PredictCommandOptions
from nncli.base.option import INPUT, OUTPUT, Option
from nncli.cli.options import DisplayOptions, RunDirectory, SourceOptions

if TYPE_CHECKING:
    from nncli.api.options import PredictFilesOptions
    from nncli.api.prediction.many_files.record import FilesPrediction
    from nncli.data.sources.table_source import TableSource


@dataclass(frozen=True, kw_only=True)
class PredictSourceOptions(SourceOptions):
    """The options of a table to predict; --table is that of the output."""

    table: Annotated[
        str | None, Option("Table of a database to predict.", INPUT, name="input_table", metavar="NAME")
    ] = None


InputTables: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, a folder, a pattern in quotes, a database or a URL; or - for standard input (the default).",
        metavar="INPUT",
    ),
]
OutputFileOrFolder: TypeAlias = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The file to write (also s3://…), a database with --table, or - for standard output. A folder (FOLDER/) "
        "gets a file for each file of INPUT.",
        rich_help_panel=OUTPUT,
    ),
]


def predict(
    *,
    run: RunDirectory,
    data: InputTables = None,
    source: PredictSourceOptions,
    output: OutputFileOrFolder = "-",
    options: PredictCommandOptions,
    display: DisplayOptions,
) -> None:
    """One row is written for each row of INPUT, in order, with the prediction of the whole model: of an ensemble, the
    mean of all members. INPUT needs the feature columns of the training table, in any order; other columns are ignored
    and the target is not needed. A note at the end counts unseen categories, values out of range and missing cells.

    --interval and --set add what is expected to hold the true value of that share of new rows. They are calibrated by
    the rows that the model, or some of its members, did not train on.
    A cell that cannot be read ends the command with exit code 4. With --on-error missing or skip it ends with 0, and
    a note counts these cells.
    If the output is a folder, each file of INPUT is predicted into a file of its own there. Files that are done are
    skipped when the command is started again, and a file that cannot be predicted does not stop the others.
    Into a database, all rows are written in one transaction, to a new table unless --force or --append is given.

    \b
    nncli predict runs/penguins new.csv -o predictions.csv --keep id --proba
    nncli predict runs/houses new.csv -o predictions.csv --interval 0.9
    nncli predict runs/penguins new.csv -o predictions.csv --on-error missing --errors bad-cells.csv
    nncli predict runs/penguins new.csv -o for-excel.csv --keep name --escape-formulas
    cat new.csv | nncli predict runs/penguins - > predictions.csv
    nncli predict runs/penguins 'new/*.parquet' -o predictions/ --workers 4
    nncli predict runs/penguins new.csv --keep id -o 'postgresql://host/shop' --table answers
    """
    import polars  # noqa: F401 - before interrupt_at_once, which replaces its signal handler

    from nncli.cli.console import interrupt_at_once
    from nncli.data.sources.table_source import STANDARD_INPUT

    interrupt_at_once()
    sources = [source.source(path) for path in data or [STANDARD_INPUT]]
    if names_folder(output):
        _check_no_table(options)
        _check_no_profile(options)
        predict_into_folder(run, sources, output, options, quiet=display.quiet)
    else:
        _predict_into_one(run, _only(sources, options), output, options, quiet=display.quiet)


def _check_no_table(options: PredictCommandOptions) -> None:
    """Raise a UsageError if options of a database are given with a folder."""
    from nncli.base.errors import UsageError

    if options.table is not None or options.append:
        option = "--append" if options.table is None else "--table"
        raise UsageError(f"{option} is for a database, but the output is a folder", hint=f"Remove {option}.")


def _check_no_profile(options: PredictCommandOptions) -> None:
    """Raise a UsageError if a profile is asked for with a folder."""
    from nncli.base.errors import Location, UsageError

    if options.profile is not None:
        raise UsageError(
            "--profile is for one output, but the output is a folder",
            location=Location(source=str(options.profile)),
            hint="Predict the files into one: -o answers.csv with a pattern such as 'new/*.csv' in quotes.",
        )


def _only(sources: Sequence[TableSource], options: PredictCommandOptions) -> TableSource:
    """The table that is predicted into a file; raise a UsageError if only a folder could take the answers."""
    from nncli.base.errors import UsageError

    if len(sources) > 1:
        raise UsageError(
            "several inputs, but the output is one file",
            hint="To predict each into its own file, name a folder: -o predictions/. "
            "To predict all into one, put a pattern such as 'new/*.csv' in quotes.",
        )
    if options.workers != "auto" or options.scheduler is not None:
        raise UsageError(
            "--workers and --scheduler are for many files, but the output is one file",
            hint="Name a folder: -o predictions/.",
        )
    return sources[0]


def _predict_into_one(
    run: Path, source: TableSource, output: str, options: PredictCommandOptions, *, quiet: bool
) -> None:
    """Predict the rows of a table into one file, one table of a database, or standard output."""
    from nncli.api.predict_to_file import predict_to_file_with
    from nncli.cli.console import announce_input, check_standard_output, echo_err, rows
    from nncli.data.sources.output import is_database

    if output == "-":
        check_standard_output()
    if source.is_standard_input:
        announce_input("a table")

    def print_note(note: str) -> None:
        if not quiet:
            echo_err(f"note: {note}")

    written = predict_to_file_with(run, source, output, replace(options, on_note=print_note), notes_of_rows=False)
    if quiet:
        return
    count = rows(written.summary.rows)
    if written.profiled_rows is not None:
        echo_err(f"{count} added to {options.profile}, which has {written.profiled_rows:,} now")
    for note in written.summary.notes(options):
        print_note(note)
    if is_database(written.target):  # a file can be looked at, a table not as easily
        echo_err(f"{count} {'added' if options.append else 'written'} to {written.target.title}")


def names_folder(output: str) -> bool:
    """Whether an output is a folder: it ends in a separator, or there is such a folder."""
    if "://" in output:
        return False
    return output.endswith(("/", os.sep)) or os.path.isdir(output)  # noqa: PTH112 - Path.is_dir may raise


def predict_into_folder(
    run: Path, sources: Sequence[TableSource], output: str, options: PredictFilesOptions, *, quiet: bool
) -> None:
    """Predict each file of the sources into a file in the folder `output`.

    Raises:
        typer.Exit: files could not be predicted; the exit code is that of the first one's error.
    """
    from nncli.api.predict_files import predict_files_with
    from nncli.cli.console import echo_err
    from nncli.cli.progress.files import files_progress

    notes: list[str] = []
    progress = files_progress(quiet)
    options = replace(options, on_note=notes.append, on_progress=progress.update)
    try:
        result = predict_files_with(run, sources, output, options)
    finally:
        progress.close()
    if not quiet:
        for note in notes:
            echo_err(f"note: {note}")
        echo_err(summary(result))
    if result.failed:
        error = result.failed[0].error
        raise typer.Exit(1 if error is None else error.exit_code)


def summary(result: FilesPrediction) -> str:
    """What became of the files, for example `61 of 64 files predicted, 3 failed`."""
    from nncli.cli.console import rows

    total, failed, before = len(result.files), len(result.failed), len(result.skipped)
    parts = [f"{total - failed:,} of {total:,} file{'s' * (total > 1)} predicted"]
    if before:
        parts.append(f"{before:,} of them before")
    if failed:
        parts.append(f"{failed:,} failed")
    if result.done:
        parts.append(rows(result.summary.rows))
    return ", ".join(parts)
